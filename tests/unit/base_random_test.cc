// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>
#include <set>

#include <catch_amalgamated.hpp>

#include "base/random.h"

using namespace knuckle;

TEST_CASE("a seed gives the sequence of xoshiro256**", "[base][random]") {
    // Computed with another implementation, seeded through splitmix64.
    struct Case {
        uint64_t seed;
        std::array<uint64_t, 4> first;
        uint64_t thousandth;
    };
    const Case cases[] = {
        {0,
         {0x99ec5f36cb75f2b4, 0xbf6e1f784956452a, 0x1a5f849d4933e6e0, 0x6aa594f1262d2d2c},
         0x7aac8c483a2edd2f},
        {42,
         {0x15780b2e0c2ec716, 0x6104d9866d113a7e, 0xae17533239e499a1, 0xecb8ad4703b360a1},
         0x8de5848c61ab8968},
    };
    for (const Case& c : cases) {
        Random random(c.seed);
        for (const uint64_t expected : c.first) CHECK(random.next() == expected);
        for (int i = 4; i < 999; ++i) random.next();
        CHECK(random.next() == c.thousandth);
    }
}

TEST_CASE("a draw below a bound reaches every number below it and no other", "[base][random]") {
    Random random(1);
    for (const uint64_t bound : {1, 2, 3, 10, 100}) {
        std::set<uint64_t> seen;
        for (int i = 0; i < 5'000; ++i) seen.insert(random.below(bound));
        CHECK(seen.size() == bound);
        CHECK(*seen.rbegin() == bound - 1);
    }
}

TEST_CASE("jitter lies between half and all of a span", "[base][random]") {
    Random random(1);
    for (const Duration span : {Duration{2}, Duration{3}, milliseconds(1), seconds(30)}) {
        Duration least = span;
        Duration most{};
        for (int i = 0; i < 5'000; ++i) {
            const Duration jittered = random.jitter(span);
            REQUIRE(jittered.ns >= span.ns / 2);
            REQUIRE(jittered <= span);
            least = std::min(least, jittered);
            most = std::max(most, jittered);
        }
        // Both ends are reached, or nearly.
        CHECK(least.ns <= span.ns / 2 + span.ns / 100);
        CHECK(most.ns >= span.ns - span.ns / 100 - 1);
    }
    CHECK(random.jitter(Duration{0}) == Duration{0});
    CHECK(random.jitter(Duration{1}) == Duration{1});
}
