// SPDX-License-Identifier: GPL-3.0-or-later
#include <set>
#include <string>
#include <vector>

#include <wolfssl/wolfcrypt/settings.h>
#include <catch_amalgamated.hpp>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/jwt.h"

using namespace knuckle;
using namespace knuckle::crypto;
using Catch::Matchers::ContainsSubstring;

namespace {

using Bytes = std::vector<uint8_t>;

constexpr std::string_view kKeyId = "ABC123DEFG";
constexpr std::string_view kTeamId = "DEF123GHIJ";
constexpr UnixTime kIssuedAt = from_unix_seconds(1'437'179'036);

// The P-256 key of RFC 6979 appendix A.2.5, as OpenSSL writes it: with both halves.
constexpr std::string_view kRfc6979Key =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgya+p2EW6dRZrXCFX\n"
    "Z7HWk05Qw9s26JsSe4piKxIPZyGhRANCAARg/tS6JVqdMclh63TGNW1owEm4kjth\n"
    "+mzmaWIuYPKftnkD/hAIuLyZpBrp6VYovGTy8bIMLX6fUXejwpTURiKZ\n"
    "-----END PRIVATE KEY-----\n";

std::string to_pem(std::string_view label, ByteView der) {
    const std::string base64 = encode_base64(der);
    std::string pem = "-----BEGIN " + std::string(label) + "-----\n";
    for (size_t at = 0; at < base64.size(); at += 64) pem += base64.substr(at, 64) + "\n";
    return pem + "-----END " + std::string(label) + "-----\n";
}

Bytes der_of(std::string_view pem) {
    const size_t begin = pem.find("-----\n") + 6;
    std::string base64(pem.substr(begin, pem.find("-----END") - begin));
    std::erase(base64, '\n');
    const auto bytes = decode_base64(base64);
    REQUIRE(bytes);
    return Bytes(bytes->begin(), bytes->end());
}

struct Generator {
    Generator() { REQUIRE(wc_InitRng(&rng) == 0); }
    ~Generator() { wc_FreeRng(&rng); }
    WC_RNG rng;
};

// A key that wolfCrypt generated, in all the forms it may come in.
struct EcKey {
    explicit EcKey(int curve) {
        REQUIRE(wc_ecc_init(&key) == 0);
        REQUIRE(wc_ecc_make_key_ex(&generator.rng, 0, &key, curve) == 0);
    }
    ~EcKey() { wc_ecc_free(&key); }

    template <typename Encode>
    Bytes encoded(Encode encode) {
        Bytes der(512);
        auto size = static_cast<word32>(der.size());
        const int result = encode(&key, der.data(), &size);
        REQUIRE(result >= 0);
        der.resize(result > 0 ? static_cast<size_t>(result) : size);
        return der;
    }
    std::string pkcs8() { return to_pem("PRIVATE KEY", encoded(wc_EccKeyToPKCS8)); }
    std::string pkcs8_without_public_half() {
        return to_pem("PRIVATE KEY", encoded(wc_EccPrivateKeyToPKCS8));
    }
    std::string sec1() {
        return to_pem("EC PRIVATE KEY", encoded([](ecc_key* k, byte* out, word32* size) {
                          return wc_EccKeyToDer(k, out, *size);
                      }));
    }
    std::string public_half() {
        return to_pem("PUBLIC KEY", encoded([](ecc_key* k, byte* out, word32* size) {
                          return wc_EccPublicKeyToDer(k, out, *size, 1);
                      }));
    }

    bool verify(std::string_view message, std::string_view signature) {
        const Sha256Digest digest = sha256(as_bytes(message));
        mp_int r, s;
        REQUIRE(mp_init_multi(&r, &s, nullptr, nullptr, nullptr, nullptr) == 0);
        REQUIRE(signature.size() == 64);
        REQUIRE(mp_read_unsigned_bin(&r, as_bytes(signature).data(), 32) == 0);
        REQUIRE(mp_read_unsigned_bin(&s, as_bytes(signature).data() + 32, 32) == 0);
        int is_good = 0;
        REQUIRE(wc_ecc_verify_hash_ex(&r, &s, digest.data(), 32, &is_good, &key) == 0);
        return is_good == 1;
    }

    Generator generator;
    ecc_key key;
};

struct Token {
    explicit Token(const std::string& text) {
        const size_t first = text.find('.');
        const size_t second = text.find('.', first + 1);
        REQUIRE(second != std::string::npos);
        REQUIRE(text.find('.', second + 1) == std::string::npos);
        header = decode_base64url(text.substr(0, first)).value();
        claims = decode_base64url(text.substr(first + 1, second - first - 1)).value();
        signature = decode_base64url(text.substr(second + 1)).value();
        message = text.substr(0, second);
    }
    std::string header, claims, signature, message;
};

// What load() complains about, or "(loaded)".
std::string complaint(std::string_view pem) {
    const auto signer = Es256Signer::load(pem);
    if (signer) return "(loaded)";
    CHECK(signer.error().code == Errc::invalid);
    return signer.error().what;
}

}  // namespace

TEST_CASE("tokens are those of another implementation of RFC 6979", "[crypto][jwt]") {
    auto signer = Es256Signer::load(kRfc6979Key);
    REQUIRE(signer);
    CHECK(*signer->sign(kKeyId, kTeamId, kIssuedAt) ==
          "eyJhbGciOiJFUzI1NiIsImtpZCI6IkFCQzEyM0RFRkcifQ."
          "eyJpc3MiOiJERUYxMjNHSElKIiwiaWF0IjoxNDM3MTc5MDM2fQ."
          "b4lLr9shLM-cGLtZv_sbcf3t0MZvu2F4_7oeucznx5OjvhsUitFqcSPyVMHDZY9QxMPPeuNEwNwObMMNSfaXzA");
    // R of this second's signature begins with a zero byte, S of that one's.
    CHECK(*signer->sign(kKeyId, kTeamId, from_unix_seconds(1'437'179'286)) ==
          "eyJhbGciOiJFUzI1NiIsImtpZCI6IkFCQzEyM0RFRkcifQ."
          "eyJpc3MiOiJERUYxMjNHSElKIiwiaWF0IjoxNDM3MTc5Mjg2fQ."
          "ACczfSJCKpXhT_a-IqsE93oo5WgdA4yJxq59Z-osJZk2Ld-z-3fHSAV1lhedRH7wIXt9vrDcwBPCETkeI57Ybw");
    CHECK(*signer->sign(kKeyId, kTeamId, from_unix_seconds(1'437'179'500)) ==
          "eyJhbGciOiJFUzI1NiIsImtpZCI6IkFCQzEyM0RFRkcifQ."
          "eyJpc3MiOiJERUYxMjNHSElKIiwiaWF0IjoxNDM3MTc5NTAwfQ."
          "wXy3cFu7N91QeR4J_WiSwKfhD0jeNp4oi7xgRiDYiEgADE8gepZZMRU-8tFOryybuc7khUTsFmiKHjzpo48I7A");
}

TEST_CASE("500 tokens verify with the public key, each 64 bytes of signature", "[crypto][jwt]") {
    EcKey key(ECC_SECP256R1);
    auto signer = Es256Signer::load(key.pkcs8());
    REQUIRE(signer);
    size_t short_numbers = 0;
    std::set<std::string> seen;
    for (int64_t i = 0; i < 500; ++i) {
        const int64_t second = 1'437'179'036 + i;
        const auto text = signer->sign(kKeyId, kTeamId, from_unix_seconds(second));
        REQUIRE(text);
        REQUIRE(text->find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                        "0123456789-_.") == std::string::npos);
        const Token token(*text);
        REQUIRE(token.header == R"({"alg":"ES256","kid":"ABC123DEFG"})");
        REQUIRE(token.claims == R"({"iss":"DEF123GHIJ","iat":)" + std::to_string(second) + "}");
        REQUIRE(token.signature.size() == 64);
        REQUIRE(key.verify(token.message, token.signature));
        REQUIRE_FALSE(key.verify(token.message + "x", token.signature));
        REQUIRE(seen.insert(token.signature).second);
        if (token.signature[0] == 0 || token.signature[32] == 0) ++short_numbers;
    }
    INFO(short_numbers << " of 500 signatures had an R or S of fewer than 32 bytes");
    SUCCEED();
}

TEST_CASE("the same second gives the same token, also after a move", "[crypto][jwt]") {
    auto signer = Es256Signer::load(kRfc6979Key);
    REQUIRE(signer);
    const std::string token = *signer->sign(kKeyId, kTeamId, kIssuedAt);
    CHECK(*signer->sign(kKeyId, kTeamId, kIssuedAt) == token);
    Es256Signer moved = std::move(*signer);
    CHECK(*moved.sign(kKeyId, kTeamId, kIssuedAt) == token);
    CHECK(*moved.sign(kKeyId, kTeamId, kIssuedAt + milliseconds(999)) == token);
    CHECK(*moved.sign(kKeyId, kTeamId, kIssuedAt + seconds(1)) != token);
}

TEST_CASE("a key loads in each form it may come in", "[crypto][jwt]") {
    EcKey key(ECC_SECP256R1);
    const std::string pem = key.pkcs8();
    const std::string token = *Es256Signer::load(pem)->sign(kKeyId, kTeamId, kIssuedAt);
    std::string with_crlf;
    for (const char c : pem) with_crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
    for (const std::string& form : {key.pkcs8_without_public_half(),
                                    key.sec1(),
                                    with_crlf,
                                    "\xef\xbb\xbf" + pem,
                                    "Apple sent this.\n\n" + pem + "\nThat was it.\n",
                                    pem.substr(0, pem.size() - 1)}) {
        INFO(form);
        auto signer = Es256Signer::load(form);
        REQUIRE(signer);
        CHECK(*signer->sign(kKeyId, kTeamId, kIssuedAt) == token);
    }
}

TEST_CASE("a file that is not the right key says what it is", "[crypto][jwt]") {
    EcKey p256(ECC_SECP256R1);
    EcKey p384(ECC_SECP384R1);
    const std::string pem = p256.pkcs8();

    CHECK_THAT(complaint(""), ContainsSubstring("not PEM"));
    CHECK_THAT(complaint("AuthKey_ABC123DEFG.p8"), ContainsSubstring("not PEM"));
    CHECK_THAT(complaint(as_text(der_of(pem))), ContainsSubstring("not PEM"));
    CHECK_THAT(complaint(p256.public_half()), ContainsSubstring("no private key"));
    CHECK_THAT(complaint("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
               ContainsSubstring("no private key"));
    CHECK_THAT(complaint(to_pem("ENCRYPTED PRIVATE KEY", der_of(pem))),
               ContainsSubstring("encrypted"));
    CHECK_THAT(complaint("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
                         "DEK-Info: AES-256-CBC,00\n\nMIIB\n-----END EC PRIVATE KEY-----\n"),
               ContainsSubstring("encrypted"));
    CHECK_THAT(complaint(p384.pkcs8()), ContainsSubstring("P-256"));
    CHECK_THAT(complaint(p384.sec1()), ContainsSubstring("P-256"));
    CHECK_THAT(complaint(std::string(kKeyFileSizeMax + 1, '-')), ContainsSubstring("too large"));

    // secp256k1, which the library is built without; with both halves and with one.
    CHECK_THAT(complaint("-----BEGIN PRIVATE KEY-----\n"
                         "MD4CAQAwEAYHKoZIzj0CAQYFK4EEAAoEJzAlAgEBBCDJr6nYRbp1FmtcIVdnsdaT\n"
                         "TlDD2zbomxJ7imIrEg9nIQ==\n"
                         "-----END PRIVATE KEY-----\n"),
               ContainsSubstring("P-256"));
    CHECK_THAT(complaint("-----BEGIN PRIVATE KEY-----\n"
                         "MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgya+p2EW6dRZrXCFXZ7HW\n"
                         "k05Qw9s26JsSe4piKxIPZyGhRANCAAQAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcY\n"
                         "GRobHB0eHyAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/\n"
                         "-----END PRIVATE KEY-----\n"),
               ContainsSubstring("P-256"));
    // Ed25519.
    CHECK_THAT(complaint("-----BEGIN PRIVATE KEY-----\n"
                         "MC4CAQAwBQYDK2VwBCIEIMmvqdhFunUWa1whV2ex1pNOUMPbNuibEnuKYisSD2ch\n"
                         "-----END PRIVATE KEY-----\n"),
               ContainsSubstring("no EC private key"));
}

TEST_CASE("an RSA key is called one", "[crypto][jwt]") {
    Generator generator;
    RsaKey key;
    REQUIRE(wc_InitRsaKey(&key, nullptr) == 0);
    REQUIRE(wc_MakeRsaKey(&key, 2048, WC_RSA_EXPONENT, &generator.rng) == 0);
    Bytes der(4096);
    const int size = wc_RsaKeyToDer(&key, der.data(), static_cast<word32>(der.size()));
    wc_FreeRsaKey(&key);
    REQUIRE(size > 0);
    der.resize(static_cast<size_t>(size));
    Bytes pkcs8(4096);
    auto pkcs8_size = static_cast<word32>(pkcs8.size());
    REQUIRE(wc_CreatePKCS8Key(pkcs8.data(),
                              &pkcs8_size,
                              der.data(),
                              static_cast<word32>(der.size()),
                              RSAk,
                              nullptr,
                              0) > 0);
    pkcs8.resize(pkcs8_size);
    CHECK_THAT(complaint(to_pem("PRIVATE KEY", pkcs8)), ContainsSubstring("RSA"));
    CHECK_THAT(complaint(to_pem("RSA PRIVATE KEY", der)), ContainsSubstring("RSA"));
}

TEST_CASE("a damaged key file never loads", "[crypto][jwt]") {
    const std::string_view pem = kRfc6979Key;
    for (size_t size = 0; size + 2 < pem.size(); ++size) {
        REQUIRE(complaint(pem.substr(0, size)) != "(loaded)");
    }
    const size_t body = pem.find('\n') + 1;
    const size_t body_end = pem.find("-----END");
    for (size_t at = body; at < body_end; ++at) {
        if (pem[at] == '\n') continue;
        std::string damaged(pem);
        damaged[at] = '*';
        INFO(damaged);
        REQUIRE(complaint(damaged) != "(loaded)");
    }
    CHECK_THAT(complaint(pem.substr(0, body_end)), ContainsSubstring("cut off"));

    const Bytes der = der_of(pem);
    for (size_t size = 0; size < der.size(); ++size) {
        REQUIRE(complaint(to_pem("PRIVATE KEY", ByteView(der).first(size))) != "(loaded)");
    }
}

TEST_CASE("the two halves of a key must belong together", "[crypto][jwt]") {
    Bytes der = der_of(kRfc6979Key);
    const size_t private_at = 36;
    REQUIRE(der[private_at - 1] == 32);
    REQUIRE(der[private_at] == 0xc9);
    Bytes other_private = der;
    other_private[private_at + 31] ^= 1;
    CHECK_THAT(complaint(to_pem("PRIVATE KEY", other_private)), ContainsSubstring("do not match"));
    Bytes other_public = der;
    other_public.back() ^= 1;
    CHECK(complaint(to_pem("PRIVATE KEY", other_public)) != "(loaded)");
}

TEST_CASE("a private key must be a number from 1 to n - 1", "[crypto][jwt]") {
    EcKey key(ECC_SECP256R1);
    const Bytes der = der_of(key.pkcs8_without_public_half());
    const auto with_private = [&](std::string_view hex) {
        Bytes changed = der;
        REQUIRE(decode_hex(hex, MutableBytes(changed).last(32)));
        return complaint(to_pem("PRIVATE KEY", changed));
    };
    CHECK(with_private("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721") ==
          "(loaded)");
    CHECK(with_private("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550") ==
          "(loaded)");
    CHECK(with_private(std::string(64, '0')) != "(loaded)");
    CHECK(with_private("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551") !=
          "(loaded)");
    CHECK(with_private(std::string(64, 'f')) != "(loaded)");
}

TEST_CASE("identifiers and times that make no token", "[crypto][jwt]") {
    auto signer = Es256Signer::load(kRfc6979Key);
    REQUIRE(signer);
    const std::string long_id(300, 'A');
    CHECK(signer->sign(long_id, kTeamId, kIssuedAt).error().code == Errc::invalid);
    CHECK(signer->sign(kKeyId, long_id, kIssuedAt).error().code == Errc::invalid);
    CHECK(signer->sign(kKeyId, kTeamId, UnixTime{-1}).error().code == Errc::invalid);
    const Token token(*signer->sign("a\"b", "c\\d", UnixTime{0}));
    CHECK(token.header == R"({"alg":"ES256","kid":"a\"b"})");
    CHECK(token.claims == R"({"iss":"c\\d","iat":0})");
}
