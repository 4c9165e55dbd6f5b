// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <string_view>

#include <catch_amalgamated.hpp>

#include "tests/support/certificates.h"
#include "tests/support/pkcs12_files.h"
#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/pkcs12.h"

namespace knuckle::tls {
namespace {

namespace files = test::pkcs12;

Result<PrivateIdentity> open(const std::string& file,
                             std::string_view password = files::kPassword) {
    return open_pkcs12(as_bytes(file), password);
}

std::string why(const Result<PrivateIdentity>& identity) {
    return identity ? "" : identity.error().what;
}

size_t certificates_in(std::string_view pem) {
    constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
    size_t count = 0;
    for (size_t at = pem.find(kBegin); at != std::string_view::npos; at = pem.find(kBegin, at + 1))
        ++count;
    return count;
}

// Whether a client can show it, and its own certificate comes first.
void check_usable(const PrivateIdentity& identity) {
    const test::Authority authority = test::make_authority();
    const Result<Context> context = Context::client({.ca_pem = authority.certificate_pem,
                                                     .certificate_pem = identity.certificate_pem,
                                                     .key_pem = identity.key_pem,
                                                     .alpn = "h2"});
    CHECK(std::string(context ? "" : context.error().what).empty());
    const Result<CertificateFacts> facts = read_certificate(identity.certificate_pem);
    REQUIRE(facts);
    CHECK(facts->allows("org.example.chat"));
}

TEST_CASE("PKCS#12 as openssl and keychains write it is opened", "[tls]") {
    struct Example {
        const char* file;
        size_t certificates;
    };
    for (const Example& each : {Example{files::kModern, 1},
                                Example{files::kModernChain, 2},
                                Example{files::kLegacyChain, 2},
                                Example{files::kWithoutMac, 1},
                                Example{files::kUnencrypted, 1}}) {
        const Result<PrivateIdentity> identity = open(files::decode(each.file));
        REQUIRE(why(identity) == "");
        CHECK(certificates_in(identity->certificate_pem) == each.certificates);
        check_usable(*identity);
    }
    const Result<PrivateIdentity> identity = open(files::decode(files::kEmptyPassword), "");
    REQUIRE(why(identity) == "");
    check_usable(*identity);
}

TEST_CASE("PKCS#12 with an RSA key is opened, as Apple's certificates have", "[tls]") {
    const test::Authority authority = test::make_authority();
    const test::Identity client =
        test::issue_client(authority, "org.example.chat", {.key = test::KeyKind::rsa2048});
    const Result<PrivateIdentity> identity = open(test::export_pkcs12(client, "secret"), "secret");
    REQUIRE(why(identity) == "");
    check_usable(*identity);
}

TEST_CASE("PKCS#12 that cannot be used says what is wrong with it", "[tls]") {
    constexpr std::string_view kPassword = "cannot be opened with this password, or is damaged";
    CHECK(why(open(files::decode(files::kModern), "hunter")) == kPassword);
    CHECK(why(open(files::decode(files::kModern), "")) == kPassword);
    CHECK(why(open(files::decode(files::kLegacyChain), "hunter22")) == kPassword);
    CHECK(why(open(files::decode(files::kModern), "h\xc3\xbcnter2")) ==
          "needs a password of ASCII characters alone");
    CHECK(why(open(files::decode(files::kModern), std::string(128, 'x'))) ==
          "has a password of more than 127 characters");
    CHECK(why(open(files::decode(files::kWithoutKey))) ==
          "holds no private key; export the certificate with its key");
    CHECK(why(open(files::decode(files::kWithoutCertificate))) ==
          "holds no certificate that belongs to its private key");
    CHECK(why(open(files::decode(files::kUnknownEncryption))).starts_with("cannot be decrypted"));
    CHECK(why(open(files::decode(files::kWithoutMac), "wrong")).starts_with("cannot be decrypted"));
    CHECK(why(open("")) == "is no PKCS#12 file, or is damaged or cut short");
    CHECK(why(open("nothing of the kind")) == "is no PKCS#12 file, or is damaged or cut short");
    CHECK(why(open(std::string(kPkcs12Max + 1, '0'))) == "is larger than 256 KiB");
}

TEST_CASE("PEM is told from PKCS#12", "[tls]") {
    CHECK(holds_pem(test::make_authority().certificate_pem));
    CHECK(holds_pem("Bag Attributes\n    friendlyName: push\n-----BEGIN CERTIFICATE-----\n"));
    CHECK_FALSE(holds_pem(files::decode(files::kModern)));
    CHECK_FALSE(holds_pem(""));
}

TEST_CASE("PKCS#12 that is cut or damaged is refused, or opened as what it is", "[tls]") {
    // Without MAC or encryption what is damaged gets as far as it can.
    for (const char* example : {files::kUnencrypted, files::kWithoutMac, files::kLegacyChain}) {
        const std::string whole = files::decode(example);
        for (size_t size = 0; size < whole.size(); size += 1 + size % 3)
            CHECK_FALSE(open(whole.substr(0, size)));
    }
    // Stretching makes the others slow; what is decrypted is the same afterwards.
    const std::string whole = files::decode(files::kWithoutMac);
    for (size_t i = 0; i < whole.size(); ++i) {
        std::string damaged = whole;
        damaged[i] = static_cast<char>(damaged[i] ^ (1 << i % 8));
        static_cast<void>(open(damaged));
    }
    const std::string plain = files::decode(files::kUnencrypted);
    for (size_t i = 0; i < plain.size(); ++i) {
        std::string damaged = plain;
        damaged[i] = static_cast<char>(damaged[i] ^ (1 << i % 8));
        static_cast<void>(open(damaged));
    }
}

}  // namespace
}  // namespace knuckle::tls
