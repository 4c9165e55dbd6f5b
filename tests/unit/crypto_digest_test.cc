// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/text.h"
#include "crypto/digest.h"

using namespace knuckle;
using namespace knuckle::crypto;

namespace {

std::vector<uint8_t> from_hex(std::string_view hex) {
    std::vector<uint8_t> bytes(hex.size() / 2);
    REQUIRE(decode_hex(hex, bytes));
    return bytes;
}

}  // namespace

TEST_CASE("SHA-256 gives the digests of FIPS 180-2", "[crypto][digest]") {
    CHECK(to_hex(sha256({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(to_hex(sha256(as_bytes("abc"))) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(to_hex(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))) ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST_CASE("HMAC-SHA-256 gives the digests of RFC 4231", "[crypto][digest]") {
    struct Case {
        std::vector<uint8_t> key;
        std::string message;
        std::string_view digest;
    };
    const std::vector<uint8_t> long_key(131, 0xaa);
    const Case cases[] = {
        {std::vector<uint8_t>(20, 0x0b),
         "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {{'J', 'e', 'f', 'e'},
         "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {std::vector<uint8_t>(20, 0xaa),
         std::string(50, '\xdd'),
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {long_key,
         "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {long_key,
         "This is a test using a larger than block-size key and a larger than block-size data. "
         "The key needs to be hashed before being used by the HMAC algorithm.",
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
    for (const Case& c : cases) {
        CHECK(to_hex(hmac_sha256(c.key, as_bytes(c.message))) == c.digest);
        KeyedHash hash(c.key);
        CHECK(to_hex(hash.of(c.message)) == c.digest);
        CHECK(to_hex(hash.of(c.message)) == c.digest);
    }
}

TEST_CASE("a keyed hash takes its message in up to three parts", "[crypto][digest]") {
    const std::vector<uint8_t> key = from_hex("000102030405060708090a0b0c0d0e0f");
    const std::string message(200, 'm');
    const std::string_view text = message;
    const Sha256Digest whole = hmac_sha256(key, as_bytes(text));
    KeyedHash hash(key);
    for (size_t i = 0; i <= text.size(); ++i) {
        REQUIRE(hash.of(text.substr(0, i), text.substr(i)) == whole);
        REQUIRE(hash.of(text.substr(0, i / 2), text.substr(i / 2, i - i / 2), text.substr(i)) ==
                whole);
    }
    CHECK(hash.of({}) == hmac_sha256(key, {}));
    CHECK(hash.of("", "", "") == hmac_sha256(key, {}));
}

TEST_CASE("a keyed hash keeps its key when it moves", "[crypto][digest]") {
    KeyedHash first(as_bytes("key one"));
    KeyedHash second(as_bytes("key two"));
    const Sha256Digest one = first.of("message");
    CHECK(one != second.of("message"));
    KeyedHash moved(std::move(first));
    CHECK(moved.of("message") == one);
    second = std::move(moved);
    CHECK(second.of("message") == one);
}

TEST_CASE("secrets are equal only when every byte is", "[crypto][digest]") {
    const std::string secret(40, 's');
    CHECK(equal_secret(as_bytes(secret), as_bytes(std::string(secret))));
    CHECK(equal_secret({}, {}));
    CHECK_FALSE(equal_secret(as_bytes(secret), {}));
    CHECK_FALSE(equal_secret(as_bytes(secret), as_bytes(secret).first(39)));
    for (size_t at = 0; at < secret.size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            std::string other = secret;
            other[at] = static_cast<char>(other[at] ^ 1 << bit);
            REQUIRE_FALSE(equal_secret(as_bytes(secret), as_bytes(other)));
        }
    }
}

TEST_CASE("a wiped secret is gone", "[crypto][digest]") {
    std::vector<uint8_t> secret(33, 0x5a);
    wipe(MutableBytes(secret).first(32));
    CHECK(std::vector<uint8_t>(32, 0) == std::vector<uint8_t>(secret.begin(), secret.end() - 1));
    CHECK(secret.back() == 0x5a);
    wipe({});
}

TEST_CASE("Base64 has the vectors of RFC 4648", "[crypto][base64]") {
    struct Case {
        std::string_view bytes, padded, url;
    };
    const Case cases[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/", "-_-_"},
        {"\xff\xff", "//8=", "__8"},
    };
    for (const Case& c : cases) {
        CHECK(encode_base64(as_bytes(c.bytes)) == c.padded);
        CHECK(encode_base64url(as_bytes(c.bytes)) == c.url);
        CHECK(decode_base64(c.padded) == c.bytes);
        CHECK(decode_base64url(c.url) == c.bytes);
    }
}

TEST_CASE("Base64 brings back every byte at every length", "[crypto][base64]") {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i * 167 + 13);
    for (size_t size = 0; size <= bytes.size(); ++size) {
        const std::string part = bytes.substr(0, size);
        REQUIRE(decode_base64(encode_base64(as_bytes(part))) == part);
        REQUIRE(decode_base64url(encode_base64url(as_bytes(part))) == part);
    }
}

TEST_CASE("Base64 that is not exact is refused", "[crypto][base64]") {
    for (const std::string_view text : {"Z",
                                        "Zg",
                                        "Zg=",
                                        "Zg===",
                                        "=",
                                        "==",
                                        "====",
                                        "Zm9v=",
                                        "Z===",
                                        "Zm9vZ",
                                        "Zm 9v",
                                        "Zm9v\n",
                                        "-_-_",
                                        "Zg==Zg==",
                                        "Zh==",
                                        "Zm9=",
                                        "Zm9vYmF*"}) {
        INFO(text);
        CHECK_FALSE(decode_base64(text).has_value());
    }
    for (const std::string_view text :
         {"Z", "Zg==", "Zm8=", "Zm9vZ", "+/+/", "Zh", "Zm9", "Zm9v\n", "Zm9v.", "Zm\x80v"}) {
        INFO(text);
        CHECK_FALSE(decode_base64url(text).has_value());
    }
}
