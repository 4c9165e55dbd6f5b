// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>

#include <wolfssl/wolfcrypt/settings.h>
#include <catch_amalgamated.hpp>
#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include "tests/support/certificates.h"
#include "tests/support/tls_ends.h"
#include "tls/failure.h"

using namespace knuckle;
using namespace knuckle::tls;
using namespace knuckle::test;

namespace {

std::string alert(uint8_t number) {
    return std::string("\x15\x03\x03\x00\x02\x02", 6) + static_cast<char>(number);
}

// What a client says when a server answers its hello with these bytes.
Error reaction(std::string_view bytes) {
    static const Authority authority = make_authority();
    auto context = Context::client({.ca_pem = authority.certificate_pem, .alpn = "h2"});
    REQUIRE(context);
    OurEnd client(*context, "localhost");
    client.take(bytes);
    REQUIRE(client.error);
    return *client.error;
}

// The same for a server whose client begins so.
Error welcome(std::string_view bytes) {
    static const Identity identity = issue_server(make_authority(), {"localhost"});
    auto context = Context::server(
        {.certificate_pem = identity.certificate_pem, .key_pem = identity.key_pem, .alpn = "h2"});
    REQUIRE(context);
    OurEnd server(*context);
    server.take(bytes);
    REQUIRE(server.error);
    return *server.error;
}

}  // namespace

TEST_CASE("A peer's alert is put into words", "[tls]") {
    constexpr std::string_view kCertificate = "the peer did not accept our certificate";
    for (const uint8_t number : {42, 43, 44, 45, 46, 48, 49, 116}) {
        CHECK(reaction(alert(number)).what == kCertificate);
    }
    CHECK(reaction(alert(40)).what ==
          std::string_view("no cipher suite, curve or kind of signature in common"));
    CHECK(reaction(alert(70)).what ==
          std::string_view("no TLS version in common (1.2 and 1.3 are spoken here)"));
    CHECK(reaction(alert(112)).what == std::string_view("the peer does not serve this name (SNI)"));
    CHECK(reaction(alert(120)).what ==
          std::string_view("the peer did not agree on the protocol (ALPN)"));
    CHECK(reaction(alert(80)).what == std::string_view("the peer ended TLS with an alert"));
    CHECK(reaction(alert(250)).what == std::string_view("the peer ended TLS with an alert"));
    CHECK(reaction(alert(120)).detail == 120);
    CHECK(reaction(alert(120)).code == Errc::tls);
}

TEST_CASE("A peer that does not speak TLS is told from one that speaks it badly", "[tls]") {
    constexpr std::string_view kNoTls = "the peer does not speak TLS";
    for (const std::string_view bytes : {"HTTP/1.1 400 Bad Request\r\n\r\n",
                                         "POST /api/v1/knock HTTP/1.1\r\n",
                                         "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                         "SSH-2.0-OpenSSH_9.2\r\n",
                                         "<?xml version='1.0'?><stream:stream>"}) {
        CHECK(reaction(bytes).what == kNoTls);
        CHECK(welcome(bytes).what == kNoTls);
    }
    const std::string bad_hello("\x16\x03\x03\x00\x05\x02\x00\x00\x01\x00", 10);
    CHECK(reaction(bad_hello).what == std::string_view("the peer broke the rules of TLS"));
    CHECK(welcome(bad_hello).what == std::string_view("the peer broke the rules of TLS"));
}

TEST_CASE("A server that knows only TLS 1.1 is too old", "[tls]") {
    std::string hello("\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02", 11);
    hello += std::string(32, 'r');
    hello += std::string("\x00\xc0\x09\x00", 4);
    CHECK(reaction(hello).what ==
          std::string_view("no TLS version in common (1.2 and 1.3 are spoken here)"));
}

TEST_CASE("A code of wolfSSL keeps its number", "[tls]") {
    const Error error = failure_of_code(ASN_NO_SIGNER_E);
    CHECK(error.detail == ASN_NO_SIGNER_E);
    CHECK(error.code == Errc::tls);
    CHECK(failure_of_code(-12345).what == std::string_view("the peer broke the rules of TLS"));
}
