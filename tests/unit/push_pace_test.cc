// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "push/pace.h"

namespace knuckle::push {
namespace {

constexpr Instant kStart{hours(1).ns};

size_t taken(Pace& pace, Instant now, size_t most = 1'000) {
    size_t count = 0;
    while (count < most && pace.take(now)) ++count;
    return count;
}

TEST_CASE("a pace is kept, whatever has gathered", "[push]") {
    Pace pace(milliseconds(1));
    size_t count = 0;
    for (int64_t ms = 0; ms < 1'000; ++ms) count += taken(pace, kStart + milliseconds(ms));
    CHECK(count >= 1'000);
    CHECK(count <= 1'000 + 51);
    CHECK_FALSE(pace.take(kStart + milliseconds(999)));
    CHECK(pace.next() > kStart + seconds(1));
    // Quiet times are not saved up.
    CHECK(taken(pace, kStart + hours(1)) <= 51);
}

TEST_CASE("at the time that it names there is something to take", "[push]") {
    Pace pace(seconds(5));
    CHECK(pace.take(kStart));
    CHECK_FALSE(pace.take(kStart + seconds(1)));
    CHECK(pace.take(pace.next()));
}

TEST_CASE("no pace is no limit", "[push]") {
    Pace pace;
    CHECK(taken(pace, kStart, 100'000) == 100'000);
}

}  // namespace
}  // namespace knuckle::push
