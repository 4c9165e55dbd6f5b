// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/text.h"
#include "crypto/seal.h"

using namespace knuckle;
using namespace knuckle::crypto;

namespace {

using Bytes = std::vector<uint8_t>;

Bytes from_hex(std::string_view hex) {
    Bytes bytes(hex.size() / 2);
    REQUIRE(decode_hex(hex, bytes));
    return bytes;
}

Sealer::Key key_of(uint8_t filler) {
    Sealer::Key key;
    key.fill(filler);
    return key;
}

Bytes seal(Sealer& sealer, std::string_view plain, std::string_view context, SecureRandom& random) {
    Bytes sealed(plain.size() + Sealer::kOverhead);
    sealer.seal(as_bytes(plain), as_bytes(context), random, sealed);
    return sealed;
}

// The text, or "(refused)".
std::string open(Sealer& sealer, ByteView sealed, std::string_view context) {
    Bytes plain(sealed.size() - std::min(sealed.size(), Sealer::kOverhead), 0xcc);
    if (!sealer.open(sealed, as_bytes(context), plain)) {
        CHECK(plain == Bytes(plain.size(), 0));
        return "(refused)";
    }
    return std::string(as_text(plain));
}

}  // namespace

TEST_CASE("what another implementation of AES-256-GCM sealed can be opened", "[crypto][seal]") {
    // Test case 16 of the GCM specification (McGrew and Viega).
    Sealer::Key key;
    REQUIRE(decode_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", key));
    const Bytes context = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    const Bytes sealed = from_hex(
        "cafebabefacedbaddecaf888"
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b");
    Sealer sealer(key);
    Bytes plain(sealed.size() - Sealer::kOverhead);
    REQUIRE(sealer.open(sealed, context, plain));
    CHECK(to_hex(plain) ==
          "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
          "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
}

TEST_CASE("sealed bytes open again, whatever their size", "[crypto][seal]") {
    SecureRandom random(SecureRandom::Seed{1});
    Sealer sealer(key_of(7));
    for (size_t size = 0; size < 600; size += size < 70 ? 1 : 53) {
        const std::string plain(size, 'p');
        const Bytes sealed = seal(sealer, plain, "tokens/42", random);
        REQUIRE(open(sealer, sealed, "tokens/42") == plain);
    }
    CHECK(open(sealer, seal(sealer, "no context", "", random), "") == "no context");
}

TEST_CASE("sealing the same bytes twice gives different ones", "[crypto][seal]") {
    SecureRandom random(SecureRandom::Seed{1});
    Sealer sealer(key_of(7));
    const Bytes first = seal(sealer, "device token", "devices/1", random);
    const Bytes second = seal(sealer, "device token", "devices/1", random);
    CHECK(first != second);
    CHECK(open(sealer, first, "devices/1") == "device token");
    CHECK(open(sealer, second, "devices/1") == "device token");
}

TEST_CASE("a row that was moved, or sealed under another key, does not open", "[crypto][seal]") {
    SecureRandom random(SecureRandom::Seed{1});
    Sealer sealer(key_of(7));
    const Bytes sealed = seal(sealer, "device token", "devices/1", random);
    CHECK(open(sealer, sealed, "devices/2") == "(refused)");
    CHECK(open(sealer, sealed, "") == "(refused)");
    Sealer other(key_of(8));
    CHECK(open(other, sealed, "devices/1") == "(refused)");
}

TEST_CASE("one flipped bit anywhere, and nothing opens", "[crypto][seal]") {
    SecureRandom random(SecureRandom::Seed{1});
    Sealer sealer(key_of(7));
    const Bytes sealed = seal(sealer, "a device token of some length", "devices/1", random);
    for (size_t at = 0; at < sealed.size(); ++at) {
        Bytes damaged = sealed;
        damaged[at] ^= static_cast<uint8_t>(1 << at % 8);
        REQUIRE(open(sealer, damaged, "devices/1") == "(refused)");
    }
}

TEST_CASE("cut-off bytes do not open at any length", "[crypto][seal]") {
    SecureRandom random(SecureRandom::Seed{1});
    Sealer sealer(key_of(7));
    const Bytes sealed = seal(sealer, "device token", "devices/1", random);
    for (size_t size = 0; size < sealed.size(); ++size) {
        REQUIRE(open(sealer, ByteView(sealed).first(size), "devices/1") == "(refused)");
    }
}

TEST_CASE("a sealer keeps its key when it moves", "[crypto][seal]") {
    SecureRandom random(SecureRandom::Seed{1});
    Sealer sealer(key_of(7));
    const Bytes sealed = seal(sealer, "device token", "devices/1", random);
    Sealer moved(std::move(sealer));
    CHECK(open(moved, sealed, "devices/1") == "device token");
    Sealer other(key_of(8));
    other = std::move(moved);
    CHECK(open(other, sealed, "devices/1") == "device token");
}
