// SPDX-License-Identifier: GPL-3.0-or-later
// One end of one TLS connection, in memory: ciphertext in, plaintext out, and back. No socket.
//
//     Engine engine(context, {.server_name = "api.push.apple.com"}, out);
//     engine.start();                        a client: puts its first flight into `out`
//     engine.feed(received);                 then, until it returns 0:
//     Result<size_t> n = engine.open(plain); handshakes as needed; 0 = needs more input
//     engine.seal(plaintext);                after is_ready()
//     engine.close();                        close_notify; nothing may be sealed afterwards
//
// Each of them may append ciphertext to `out`, to be sent. feed() must be followed by open() until
// that returns 0 or fails: the view is not kept longer (an unfinished record is kept inside). After
// an error `out` may hold an alert worth sending, and everything fails with that same error; but a
// peer that said close_notify may still be answered (open() is Errc::unavailable, seal() works on).
//
// Owner: engine::HttpConn or engine::Upstream.  Thread: its worker's.
// Errors: Errc::tls with wolfSSL's code (negative) or the number of the peer's alert (positive).
// Memory: 4.8 kB while idle, 15 to 22 kB during the handshake.
// wolfSSL itself reads the clock, for the validity of certificates and the age of tickets, and
// draws its own random numbers: a handshake is the one thing here that never happens twice alike.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/result.h"
#include "tls/certificate.h"
#include "tls/context.h"

namespace knuckle::tls {

struct EngineOptions {
    // Client: the host name or IP address that the certificate must carry; a name is sent as SNI.
    std::string_view server_name = {};
    // Where to note what the peer shows, trusted or not, its own certificate first; for a person to
    // look at. Outlives the handshake. A resumed session shows nothing, nor does a client unless it
    // is asked (ServerOptions::client_ca_pem).
    std::vector<CertificateFacts>* shown = nullptr;
};

class Engine {
public:
    Engine(const Context& context, const EngineOptions& options, Buffer& out);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    Result<void> start();
    void feed(ByteView ciphertext);
    // Bytes of plaintext written to `plain`; 0 when the input is used up. Errc::tls when the peer
    // is not to be trusted or broke the protocol, Errc::unavailable when it closed with
    // close_notify.
    Result<size_t> open(MutableBytes plain);
    Result<void> seal(ByteView plaintext);
    // The same for all of `plaintext`, which is consumed.
    Result<void> seal(Buffer& plaintext);
    void close();

    [[nodiscard]] bool is_ready() const;          // the handshake is done
    [[nodiscard]] std::string_view alpn() const;  // what was agreed on, or empty
    [[nodiscard]] bool was_resumed() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace knuckle::tls
