// SPDX-License-Identifier: GPL-3.0-or-later
#include <sstream>
#include <string>
#include <utility>

#include <wolfssl/wolfcrypt/settings.h>
#include <catch_amalgamated.hpp>
#include <wolfssl/ssl.h>

#include "tests/support/certificates.h"
#include "tls/context.h"

using namespace knuckle;
using namespace knuckle::tls;
using namespace knuckle::test;

namespace {

// RSA 1024, which wolfCrypt would not even make.
constexpr char kWeakCertificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIB9jCCAV+gAwIBAgIUIUUdC8gmFGFWdSRpZUEGztNisgwwDQYJKoZIhvcNAQEL\n"
    "BQAwDDEKMAgGA1UEAwwBdzAgFw0yNjExMjMxNTU5MjRaGA8yMDUxMDcxNTE1NTky\n"
    "NFowDDEKMAgGA1UEAwwBdzCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkCgYEA7Kro\n"
    "0CeNLwg353vZcczccMmsOGtjGWLWaJLdXQAAfqR3Pzowe6FNwCF8klRlOvhrdtps\n"
    "7+Kb8899+t/u7z+Sz4NxsN0cl4b1w8nXiGVAFIFibnH5nBuO2R3zYrmIl773jzsV\n"
    "hetvGg7honHGb7+0/M/bER1tt3stIn7DlS/LM2cCAwEAAaNTMFEwHQYDVR0OBBYE\n"
    "FEsVIxZ57gBwV4t6Uq0ZcoHOVMcOMB8GA1UdIwQYMBaAFEsVIxZ57gBwV4t6Uq0Z\n"
    "coHOVMcOMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADgYEAaYeAwCyx\n"
    "m4BRMJe9KJxOE16nctPO4QXpPlDRL92U1AfO7BhLgRkQA1dOQ2gOhVfU/IbI0UD/\n"
    "8THVcn4o7k0Q3ZS+xCRNbPVq05NpM5cna5sMeqja4l3U+8vkDoH/9OM4a4l+EbWG\n"
    "80UQz/z7NJPHHZ5L6s/1Xpd1O9gBl81DyBA=\n"
    "-----END CERTIFICATE-----\n";

std::string_view why(const Result<Context>& context) { return context ? "" : context.error().what; }

std::string corrupt(std::string pem) {
    pem.replace(pem.find('\n') + 20, 8, "AAAAAAAA");
    return pem;
}

}  // namespace

TEST_CASE("A client trusts every authority of its bundle", "[tls]") {
    const Authority one = make_authority("One");
    const Authority two = make_authority("Two", {.key = KeyKind::rsa2048});
    const auto context = Context::client({.ca_pem = one.certificate_pem + two.certificate_pem});
    REQUIRE(why(context) == "");
    CHECK(context->authorities_loaded() == 2);
}

TEST_CASE("A bundle may hold comments, and certificates that cannot be used are skipped", "[tls]") {
    const Authority good = make_authority("Good");
    const Authority expired = make_authority("Expired", {.validity = Validity::expired});
    const std::string bundle = "# Good CA, kept since 2020\r\n" + corrupt(good.certificate_pem) +
                               "\n" + expired.certificate_pem +
                               "-----BEGIN CERTIFICATE-----\n%%%\n" +
                               "-----END CERTIFICATE-----\n\n" + good.certificate_pem +
                               "-----BEGIN CERTIFICATE-----\nMIIB";
    const auto context = Context::client({.ca_pem = bundle});
    REQUIRE(why(context) == "");
    CHECK(context->authorities_loaded() == 1);
}

TEST_CASE("A bundle without a usable authority is refused", "[tls]") {
    const Authority expired = make_authority("Expired", {.validity = Validity::expired});
    CHECK(why(Context::client({})) == "the CA bundle holds no certificate in PEM form");
    CHECK(why(Context::client({.ca_pem = "not a certificate"})) ==
          "the CA bundle holds no certificate in PEM form");
    const auto context = Context::client({.ca_pem = expired.certificate_pem + kWeakCertificate});
    CHECK(why(context) == "none of the certificates in the CA bundle can be used");
    CHECK(context.error().code == Errc::tls);
    CHECK(context.error().detail < 0);
}

TEST_CASE("A server takes P-256 and RSA identities, with intermediates or without", "[tls]") {
    for (const KeyKind kind : {KeyKind::p256, KeyKind::rsa2048}) {
        const Authority root = make_authority("Root", {.key = kind});
        const Authority intermediate = make_intermediate(root, "Intermediate", {.key = kind});
        for (const Authority* issuer : {&root, &intermediate}) {
            const Identity server = issue_server(*issuer, {"knuckle.example.org"}, {.key = kind});
            CHECK(why(Context::server({.certificate_pem = server.certificate_pem,
                                       .key_pem = server.key_pem,
                                       .alpn = "http/1.1"})) == "");
        }
    }
}

TEST_CASE("The error says which file is wrong", "[tls]") {
    const Authority authority = make_authority();
    const Identity server = issue_server(authority, {"localhost"});
    const Identity other = issue_server(authority, {"localhost"});
    const Identity rsa = issue_server(authority, {"localhost"}, {.key = KeyKind::rsa2048});
    const auto refusal = [](std::string_view certificate, std::string_view key) {
        return why(Context::server({.certificate_pem = certificate, .key_pem = key}));
    };
    constexpr std::string_view kCertificate = "the certificate cannot be read (PEM, leaf first)";
    constexpr std::string_view kKey = "the private key cannot be read (PEM without a password)";
    constexpr std::string_view kMismatch = "the private key does not belong to the certificate";

    CHECK(refusal("", server.key_pem) == kCertificate);
    CHECK(refusal("nonsense", server.key_pem) == kCertificate);
    CHECK(refusal(corrupt(server.certificate_pem), server.key_pem) == kCertificate);
    CHECK(refusal(server.key_pem, server.certificate_pem) == kCertificate);
    CHECK(refusal(server.certificate_pem, "") == kKey);
    CHECK(refusal(server.certificate_pem, "nonsense") == kKey);
    CHECK(refusal(server.certificate_pem, corrupt(server.key_pem)) == kKey);
    CHECK(refusal(server.certificate_pem, server.certificate_pem) == kKey);
    CHECK(refusal(server.certificate_pem, other.key_pem) == kMismatch);
    CHECK(refusal(server.certificate_pem, rsa.key_pem) == kMismatch);
    CHECK(refusal(kWeakCertificate, server.key_pem) ==
          "the certificate's key is shorter than RSA 2048 or P-256");
    CHECK(refusal(authority.certificate_pem + server.certificate_pem, server.key_pem) == kMismatch);
}

TEST_CASE("A client's certificate is checked like a server's", "[tls]") {
    const Authority authority = make_authority();
    const Identity client = issue_client(authority, "gateway");
    const Identity other = issue_client(authority, "somebody else");
    const auto refusal = [&](std::string_view certificate, std::string_view key) {
        return why(Context::client(
            {.ca_pem = authority.certificate_pem, .certificate_pem = certificate, .key_pem = key}));
    };
    CHECK(refusal(client.certificate_pem, client.key_pem) == "");
    CHECK(refusal(client.certificate_pem, other.key_pem) ==
          "the private key does not belong to the certificate");
    CHECK(refusal(client.certificate_pem, "") ==
          "the private key cannot be read (PEM without a password)");
    CHECK(refusal("", client.key_pem) == "the certificate cannot be read (PEM, leaf first)");
}

TEST_CASE("A key that needs a password is refused without asking for one", "[tls]") {
    const Authority authority = make_authority();
    const Identity server = issue_server(authority, {"localhost"});
    const std::string locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgzJmHhZAlBHQICCAAw\n"
        "-----END ENCRYPTED PRIVATE KEY-----\n";
    CHECK(why(Context::server({.certificate_pem = server.certificate_pem, .key_pem = locked})) ==
          "the private key cannot be read (PEM without a password)");
}

TEST_CASE("A context can be moved", "[tls]") {
    const Authority authority = make_authority();
    auto first = Context::client({.ca_pem = authority.certificate_pem});
    REQUIRE(first);
    Context second = std::move(*first);
    CHECK(second.authorities_loaded() == 1);
}

TEST_CASE("What was built to read PKCS#12 cannot be negotiated: every suite is an AEAD", "[tls]") {
    std::string suites(4'096, '\0');
    REQUIRE(wolfSSL_get_ciphers(suites.data(), static_cast<int>(suites.size())) == WOLFSSL_SUCCESS);
    suites.resize(suites.find('\0'));
    std::istringstream names(suites);
    int count = 0;
    for (std::string name; std::getline(names, name, ':'); ++count) {
        INFO(name);
        CHECK(
            (name.find("GCM") != std::string::npos || name.find("POLY1305") != std::string::npos));
        CHECK(name.find("DES") == std::string::npos);
        CHECK(name.find("RC2") == std::string::npos);
    }
    CHECK(count >= 9);
}
