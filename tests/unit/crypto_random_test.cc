// SPDX-License-Identifier: GPL-3.0-or-later
#include <set>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/random.h"

using namespace knuckle;
using namespace knuckle::crypto;

namespace {

// 00 01 02 … 1f. The expected output was computed with another implementation of ChaCha20, run by
// run: 544 bytes each, of which the first 32 are the next key.
SecureRandom::Seed counting_seed() {
    SecureRandom::Seed seed;
    for (size_t i = 0; i < seed.size(); ++i) seed[i] = static_cast<uint8_t>(i);
    return seed;
}

std::vector<uint8_t> draw(SecureRandom& random, size_t size) {
    std::vector<uint8_t> bytes(size);
    random.fill(bytes);
    return bytes;
}

}  // namespace

TEST_CASE("a known seed gives the known stream of ChaCha20", "[crypto][random]") {
    // RFC 8439 appendix A.1, vector 1, from byte 32 on: what precedes is the next key.
    SecureRandom zero(SecureRandom::Seed{});
    CHECK(to_hex(draw(zero, 32)) ==
          "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");

    SecureRandom random(counting_seed());
    const std::vector<uint8_t> stream = draw(random, 2000);
    const ByteView view = stream;
    CHECK(to_hex(view.first(32)) ==
          "2b23cce7a26023ab3f0eef693ac87f64258235eab1f7a32dc22762a0485b410c");
    CHECK(to_hex(view.subspan(496, 32)) ==
          "d0ddc55580ff29b6fd4ec5a1b17574512d41a59c90e41a8e7a4dccaa1c460699");
    CHECK(to_hex(sha256(view)) ==
          "26b15508a9e4f519e5cf322d0de61b6f542955f66f182178e7691c610127df69");
}

TEST_CASE("the stream does not depend on the sizes drawn", "[crypto][random]") {
    SecureRandom reference(counting_seed());
    const std::vector<uint8_t> stream = draw(reference, 2000);
    for (size_t piece = 1; piece <= 700; piece += piece < 20 ? 1 : 61) {
        SecureRandom random(counting_seed());
        std::vector<uint8_t> pieced;
        while (pieced.size() < stream.size()) {
            const auto bytes = draw(random, std::min(piece, stream.size() - pieced.size()));
            pieced.insert(pieced.end(), bytes.begin(), bytes.end());
            draw(random, 0);
        }
        REQUIRE(pieced == stream);
    }
}

TEST_CASE("different seeds give different streams", "[crypto][random]") {
    SecureRandom one(counting_seed());
    SecureRandom::Seed seed = counting_seed();
    seed[31] ^= 1;
    SecureRandom other(seed);
    CHECK(draw(one, 32) != draw(other, 32));
}

TEST_CASE("random UUIDs are of version 4 and do not repeat", "[crypto][random]") {
    SecureRandom random(counting_seed());
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const std::string text = random.uuid().text();
        REQUIRE(text[14] == '4');
        REQUIRE(std::string_view("89ab").find(text[19]) != std::string_view::npos);
        REQUIRE(seen.insert(text).second);
    }
}

TEST_CASE("the kernel gives as many random bytes as asked for", "[crypto][random]") {
    // More than the 256 bytes that getrandom(2) promises in one call.
    std::vector<uint8_t> bytes(100'000);
    REQUIRE(os_random(bytes));
    const std::vector<uint8_t> tail(bytes.end() - 32, bytes.end());
    CHECK(tail != std::vector<uint8_t>(32, 0));
    CHECK(os_random({}));
}
