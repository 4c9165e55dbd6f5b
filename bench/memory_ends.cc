// SPDX-License-Identifier: GPL-3.0-or-later
#include "bench/memory_ends.h"

#include <stdexcept>
#include <utility>

#include "base/text.h"

namespace knuckle::bench {

namespace {

template <typename T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().what);
    return std::move(*result);
}
void must(const Result<void>& result) {
    if (!result) throw std::runtime_error(result.error().what);
}

}  // namespace

Ends::Ends()
    : authority(test::make_authority()),
      identity(test::issue_server(authority, {"localhost", "push.example.org"})),
      provider_key(test::issue_client(authority, "provider")),
      provider(must(tls::Context::server({.certificate_pem = identity.certificate_pem,
                                          .key_pem = identity.key_pem,
                                          .alpn = "h2"}))),
      gateway_out(must(tls::Context::client({.ca_pem = authority.certificate_pem, .alpn = "h2"}))),
      gateway_in(must(tls::Context::server({.certificate_pem = identity.certificate_pem,
                                            .key_pem = identity.key_pem,
                                            .alpn = "http/1.1"}))),
      client(must(tls::Context::client({.ca_pem = authority.certificate_pem}))) {}

MemoryApns::MemoryApns(const Ends& ends)
    : plain_(chunks_),
      sealed_(chunks_),
      tls_(ends.provider, {}, sealed_),
      http2_({.checks_messages = false}) {}

void MemoryApns::take(ByteView ciphertext, std::string& answer) {
    tls_.feed(ciphertext);
    while (const size_t size = must(tls_.open(bytes_))) must(http2_.feed({bytes_.data(), size}));
    mock::Http2Request push;
    while (http2_.next_request(push)) {
        ++pushes_;
        const mock::Http2Field id{"apns-id", push.field("apns-id")};
        http2_.respond(push.stream, {.status = 200, .fields = {&id, 1}});
    }
    if (tls_.is_ready()) {
        must(http2_.drain(plain_));
        if (!plain_.is_empty()) must(tls_.seal(plain_));
    }
    move_to(sealed_, answer);
}

MemoryClient::MemoryClient(const Ends& ends)
    : sealed_(chunks_), tls_(ends.client, {.server_name = "push.example.org"}, sealed_) {
    must(tls_.start());
}

void MemoryClient::take(ByteView ciphertext, std::string& plain, std::string& answer) {
    tls_.feed(ciphertext);
    while (const size_t size = must(tls_.open(bytes_))) plain += as_text({bytes_.data(), size});
    move_to(sealed_, answer);
}

void MemoryClient::say(std::string_view plain, std::string& ciphertext) {
    must(tls_.seal(as_bytes(plain)));
    move_to(sealed_, ciphertext);
}

void move_to(Buffer& from, std::string& to) {
    from.for_each_view([&to](ByteView view) { to += as_text(view); });
    from.clear();
}

}  // namespace knuckle::bench
