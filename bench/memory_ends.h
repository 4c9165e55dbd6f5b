// SPDX-License-Identifier: GPL-3.0-or-later
// Both far ends of the gateway in memory, for measuring what lies between them without a socket: a
// provider behind real TLS that answers every push with 200, and a client with TLS.
//
//     MemoryApns apns(ends);
//     apns.take(ciphertext, answer);          what the gateway sent; appends what comes back
//     MemoryClient client(ends);
//     client.take({}, plain, answer);         likewise; nothing: its first flight
//
// Owner: the benchmark.  Thread: one.  Throws std::runtime_error.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/bytes.h"
#include "tests/mock/http2_server.h"
#include "tests/support/certificates.h"
#include "tls/context.h"
#include "tls/engine.h"

namespace knuckle::bench {

// What TLS needs, and the key that provider tokens are signed with.
struct Ends {
    Ends();

    test::Authority authority;
    test::Identity identity;
    test::Identity provider_key;
    tls::Context provider;
    tls::Context gateway_out;
    tls::Context gateway_in;
    tls::Context client;
};

class MemoryApns {
public:
    explicit MemoryApns(const Ends& ends);

    void take(ByteView ciphertext, std::string& answer);
    [[nodiscard]] uint64_t pushes() const { return pushes_; }

private:
    ChunkPool chunks_;
    Buffer plain_;
    Buffer sealed_;
    tls::Engine tls_;
    mock::Http2Server http2_;
    std::array<uint8_t, 16 * 1024> bytes_;
    uint64_t pushes_ = 0;
};

// A client's end of a TLS connection.
class MemoryClient {
public:
    explicit MemoryClient(const Ends& ends);

    // Takes what the gateway sent; what it says plainly is appended to `plain`, what has to be said
    // back to `answer`.
    void take(ByteView ciphertext, std::string& plain, std::string& answer);
    void say(std::string_view plain, std::string& ciphertext);
    [[nodiscard]] bool is_ready() const { return tls_.is_ready(); }

private:
    ChunkPool chunks_;
    Buffer sealed_;
    tls::Engine tls_;
    std::array<uint8_t, 16 * 1024> bytes_;
};

// Appends all of `from` to `to`, and empties it.
void move_to(Buffer& from, std::string& to);

}  // namespace knuckle::bench
