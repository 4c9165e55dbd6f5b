// SPDX-License-Identifier: GPL-3.0-or-later
// The two ends of a TLS connection joined in memory, for the tests of tls/.
//
//     OurEnd client(client_context, "localhost"), server(server_context);
//     exchange(client, server);                   until neither has anything left to say
//     client.say("hello"); exchange(client, server); server.heard == "hello"
//
// OurEnd drives an Engine the way its owner does. ForeignEnd is wolfSSL without our code around it,
// for what an Engine never does: insist on TLS 1.2, ask for a client certificate, resume.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/ssl.h>

#include "base/buffer.h"
#include "base/result.h"
#include "tests/support/certificates.h"
#include "tls/context.h"
#include "tls/engine.h"

namespace knuckle::test {

class OurEnd {
public:
    explicit OurEnd(const tls::Context& context,
                    std::string_view server_name = {},
                    std::vector<tls::CertificateFacts>* shown = nullptr);

    void take(std::string_view ciphertext);
    std::string give();
    void say(std::string_view text);

    // What the engine failed with, or "".
    [[nodiscard]] std::string_view failure() const { return error ? error->what : ""; }

    ChunkPool chunks;
    Buffer out{chunks};
    tls::Engine engine;
    std::string heard;
    std::optional<Error> error;
};

struct ForeignOptions {
    bool is_client = false;
    int version = 0;  // WOLFSSL_TLSV1_2 or WOLFSSL_TLSV1_3, or 0 for either
    const Identity* identity = nullptr;
    std::string_view authority_pem = {};  // to verify the peer by; without it anything goes
    bool demands_certificate = false;
    std::string alpn = {};
    std::string cipher = {};  // all it knows, in wolfSSL's names
    int group = 0;            // all it knows, or 0
    int max_fragment = 0;     // a WOLFSSL_MFL_..., or 0
    WOLFSSL_SESSION* session = nullptr;
};

class ForeignEnd {
public:
    explicit ForeignEnd(const ForeignOptions& options);
    ~ForeignEnd();
    ForeignEnd(const ForeignEnd&) = delete;
    ForeignEnd& operator=(const ForeignEnd&) = delete;

    void take(std::string_view ciphertext);
    std::string give();
    void say(std::string_view text);

    WOLFSSL* ssl = nullptr;
    std::string heard;
    bool is_ready = false;
    bool is_closed = false;  // by the other end's close_notify
    int error = 0;

private:
    void proceed();

    WOLFSSL_CTX* context_ = nullptr;
    std::string in_;
    std::string out_;

    friend int foreign_receive(WOLFSSL*, char*, int, void*);
    friend int foreign_send(WOLFSSL*, char*, int, void*);
};

// Carries bytes both ways until both ends are silent. `deliver(end, bytes)` may cut or change them.
template <typename A, typename B, typename Deliver>
void exchange(A& a, B& b, Deliver deliver) {
    for (;;) {
        const std::string from_a = a.give();
        if (!from_a.empty()) deliver(b, from_a);
        const std::string from_b = b.give();
        if (!from_b.empty()) deliver(a, from_b);
        if (from_a.empty() && from_b.empty()) return;
    }
}

template <typename A, typename B>
void exchange(A& a, B& b) {
    exchange(a, b, [](auto& end, std::string_view bytes) { end.take(bytes); });
}

}  // namespace knuckle::test
