// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/support/certificates.h"
#include "tls/certificate.h"

namespace knuckle::tls {
namespace {

// Made with openssl, self-signed, with extension 1.2.840.113635.100.6.3.6 as Apple's have it:
// wolfSSL cannot write that one.
constexpr const char* kApple =
    "-----BEGIN CERTIFICATE-----\n"
    "MIICEDCCAbegAwIBAgIUMejiQBb3odxQjt8dIiWNpmn2ktQwCgYIKoZIzj0EAwIw\n"
    "UjEgMB4GCgmSJomT8ixkAQEMEG9yZy5leGFtcGxlLmNoYXQxLjAsBgNVBAMMJUFw\n"
    "cGxlIFB1c2ggU2VydmljZXM6IG9yZy5leGFtcGxlLmNoYXQwHhcNMjYxMTI4MDkz\n"
    "NjI3WhcNNDgxMDIzMDkzNjI3WjBSMSAwHgYKCZImiZPyLGQBAQwQb3JnLmV4YW1w\n"
    "bGUuY2hhdDEuMCwGA1UEAwwlQXBwbGUgUHVzaCBTZXJ2aWNlczogb3JnLmV4YW1w\n"
    "bGUuY2hhdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGSN4JBsabdMpn8BIs7d\n"
    "bOir7R0ePxVwZU/xXAnAvyePDP7cmO8vTlw3Re0mfxS2a8kttslInp+vc6O9JHgk\n"
    "2JujazBpMEgGCiqGSIb3Y2QGAwYEOjA4DBBvcmcuZXhhbXBsZS5jaGF0MAUMA2Fw\n"
    "cAwVb3JnLmV4YW1wbGUuY2hhdC52b2lwMAYMBHZvaXAwHQYDVR0OBBYEFBbKpRj5\n"
    "qniniXV6E1b3UyPsj4j+MAoGCCqGSM49BAMCA0cAMEQCIE3HYlWTeR5lIHvOGgLH\n"
    "2YxDXjgNJfIOxcKXsJJfTd9QAiBr45xzeq1STHPiRZRLGC3STT/6rUdvycoAihWw\n"
    "K9R94Q==\n"
    "-----END CERTIFICATE-----\n";

TEST_CASE("a certificate for pushes names its topics and its end", "[tls]") {
    const Result<CertificateFacts> facts = read_certificate(kApple);
    REQUIRE(facts);
    CHECK(to_unix_seconds(facts->not_after) == 2'487'058'587);
    CHECK(facts->user_id == "org.example.chat");
    CHECK(facts->issuer == "Apple Push Services: org.example.chat");
    CHECK(facts->common_name == "Apple Push Services: org.example.chat");
    CHECK(facts->topics == std::vector<std::string>{"org.example.chat", "org.example.chat.voip"});
    CHECK(facts->allows("org.example.chat"));
    CHECK(facts->allows("org.example.chat.voip"));
    CHECK_FALSE(facts->allows("org.example"));
    CHECK_FALSE(facts->allows("voip"));
}

TEST_CASE("without Apple's extension the name counts", "[tls]") {
    const test::Authority authority = test::make_authority();
    const test::Identity identity =
        test::issue_client(authority, "Apple Push Services: org.example.chat");
    const Result<CertificateFacts> facts = read_certificate(identity.certificate_pem);
    REQUIRE(facts);
    CHECK(to_unix_seconds(facts->not_before) == 1'577'836'800);
    CHECK(to_unix_seconds(facts->not_after) == 2'524'607'999);
    CHECK(facts->topics.empty());
    CHECK(facts->issuer == authority.name);
    CHECK(facts->allows("org.example.chat"));
    CHECK_FALSE(facts->allows("example.chat"));
    CHECK_FALSE(facts->allows(""));
}

TEST_CASE("Apple's extension counts more than the name", "[tls]") {
    const std::vector<std::string> topics = {"org.example.chat", "org.example.chat.voip"};
    const test::Identity identity = test::issue_client(
        test::make_authority(), "Apple Push Services: org.example.other", {.topics = topics});
    const Result<CertificateFacts> facts = read_certificate(identity.certificate_pem);
    REQUIRE(facts);
    CHECK(facts->topics == topics);
    CHECK(facts->allows("org.example.chat"));
    CHECK_FALSE(facts->allows("org.example.other"));
}

TEST_CASE("what is no certificate is refused, wherever it is cut or damaged", "[tls]") {
    CHECK_FALSE(read_certificate(""));
    CHECK_FALSE(read_certificate("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    const std::string whole = kApple;
    for (size_t size = 0; size < whole.size() - 26; ++size)
        CHECK_FALSE(read_certificate(whole.substr(0, size)));
    for (size_t i = 28; i < whole.size() - 26; ++i) {
        std::string damaged = whole;
        damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
        static_cast<void>(read_certificate(damaged));
    }
}

}  // namespace
}  // namespace knuckle::tls
