// SPDX-License-Identifier: GPL-3.0-or-later
// What many TLS connections share: whom a client trusts, the certificate and key of a server.
//
//     auto context = Context::client({.ca_pem = bundle, .alpn = "h2"});
//     auto context = Context::server({.certificate_pem = chain, .key_pem = key});
//
// TLS 1.2 and 1.3 with AEAD suites only; X25519 before P-256; TLS13-AES128-GCM-SHA256 first,
// because it is the cheapest that is strong; no renegotiation. A client always verifies chain and
// host name and offers exactly the ALPN protocol it is given; anything else the peer chooses, or
// no choice at all, is fatal. A server issues session tickets and takes them back for 20 minutes;
// it asks for a client's certificate only if it is told whose to take, as the simulated APNs does.
//
// Owner: the supervisor, until the process ends or a reload replaces it; engines made from it may
// outlive it. Thread: made on one; engines are made from it on any (wolfSSL counts references).
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/result.h"

namespace knuckle::tls {

struct ClientOptions {
    std::string_view ca_pem = {};           // one or many certificates
    std::string_view certificate_pem = {};  // client certificate, leaf first, or empty
    std::string_view key_pem = {};
    std::string_view alpn = {};  // "h2", or empty for none
};

struct ServerOptions {
    std::string_view certificate_pem = {};  // leaf first
    std::string_view key_pem = {};
    std::string_view alpn = {};           // one protocol, for clients that ask, or empty
    std::string_view client_ca_pem = {};  // who must have issued the client's, or empty
};

class Context {
public:
    // Errc::tls with a text that says which of the files is wrong and how.
    [[nodiscard]] static Result<Context> client(const ClientOptions& options);
    [[nodiscard]] static Result<Context> server(const ServerOptions& options);

    Context(Context&&) noexcept;
    Context& operator=(Context&&) noexcept;
    ~Context();

    // How many certificates of ca_pem are trusted; those in a bundle that do not parse are skipped.
    [[nodiscard]] size_t authorities_loaded() const;

private:
    friend class Engine;
    struct State;
    explicit Context(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace knuckle::tls
