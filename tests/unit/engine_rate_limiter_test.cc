// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "engine/rate_limiter.h"

namespace knuckle::engine {

namespace {

constexpr Instant kStart{1'000'000'000'000};
constexpr Rate kRate = rate_of(30, minutes(1));  // one each two seconds

// How many of `count` attempts at one instant are let through.
int attempts(RateLimiter& limiter, uint64_t key, int count, Instant now, Rate rate = kRate) {
    int taken = 0;
    for (int i = 0; i < count; ++i) {
        if (limiter.take_if_allowed(key, rate, now) == Duration{}) ++taken;
    }
    return taken;
}

}  // namespace

TEST_CASE("a burst is let through, then one for each interval", "[limits]") {
    RateLimiter limiter(64, 1);
    const uint64_t key = limiter.key(Limit::knocks_per_token, as_bytes("anna"));
    CHECK(attempts(limiter, key, 100, kStart) == 30);
    CHECK(limiter.take_if_allowed(key, kRate, kStart) == seconds(2));
    CHECK(limiter.take_if_allowed(key, kRate, kStart + milliseconds(500)) == milliseconds(1'500));
    CHECK(attempts(limiter, key, 100, kStart + milliseconds(1'999)) == 0);
    CHECK(attempts(limiter, key, 100, kStart + seconds(2)) == 1);
    CHECK(attempts(limiter, key, 100, kStart + seconds(20)) == 9);
}

TEST_CASE("after a pause the burst is there again, and no more than that", "[limits]") {
    RateLimiter limiter(64, 1);
    const uint64_t key = limiter.key(Limit::knocks_per_token, as_bytes("anna"));
    CHECK(attempts(limiter, key, 100, kStart) == 30);
    CHECK(attempts(limiter, key, 100, kStart + seconds(59)) == 29);
    CHECK(attempts(limiter, key, 100, kStart + hours(24)) == 30);
}

TEST_CASE("what is refused costs nothing: the time that was named holds", "[limits]") {
    RateLimiter limiter(64, 1);
    const uint64_t key = limiter.key(Limit::logins_per_account, as_bytes("anna"));
    attempts(limiter, key, 1'000, kStart);
    const Duration wait = limiter.take_if_allowed(key, kRate, kStart);
    CHECK(limiter.take_if_allowed(key, kRate, kStart + wait) == Duration{});
}

TEST_CASE("the first over the limit is deferred to the next place, the others are refused",
          "[limits]") {
    RateLimiter limiter(64, 1);
    const uint64_t key = limiter.key(Limit::knocks_per_token, as_bytes("anna"));
    attempts(limiter, key, 30, kStart);
    const Admission first = limiter.check(key, kRate, kStart);
    CHECK(first.pass == Pass::deferred);
    CHECK(first.at == kStart + seconds(2));
    // Until it has taken its place, it is the next one's as well.
    CHECK(limiter.check(key, kRate, kStart + seconds(1)).pass == Pass::deferred);
    limiter.take(key, kRate, kStart + seconds(1));
    CHECK(limiter.check(key, kRate, kStart + seconds(1)).pass == Pass::refused);
    CHECK(limiter.check(key, kRate, kStart + seconds(1)).at == kStart + seconds(4));
    CHECK(limiter.check(key, kRate, first.at + Duration{-1}).pass == Pass::refused);
    // Its time has come; the next place is free.
    CHECK(limiter.check(key, kRate, first.at).pass == Pass::deferred);
    CHECK(limiter.check(key, kRate, first.at).at == kStart + seconds(4));
}

TEST_CASE("of a limit of one the second is deferred", "[limits]") {
    RateLimiter limiter(64, 1);
    const Rate rate = rate_of(1, minutes(1));
    const uint64_t key = limiter.key(Limit::knocks_per_token, as_bytes("anna"));
    CHECK(attempts(limiter, key, 5, kStart, rate) == 1);
    CHECK(limiter.check(key, rate, kStart).pass == Pass::deferred);
    CHECK(limiter.check(key, rate, kStart).at == kStart + minutes(1));
    CHECK(attempts(limiter, key, 5, kStart + minutes(1), rate) == 1);
}

TEST_CASE("no limit is no limit, and a huge one nearly none", "[limits]") {
    RateLimiter limiter(64, 1);
    const uint64_t key = limiter.key(Limit::knocks_per_token, as_bytes("anna"));
    CHECK(attempts(limiter, key, 100'000, kStart, Rate{}) == 100'000);
    CHECK(attempts(limiter, key, 100'000, kStart, rate_of(0, seconds(1))) == 100'000);
    CHECK(attempts(limiter, key, 100'000, kStart, rate_of(1'000'000, seconds(1))) == 100'000);
    CHECK(attempts(limiter, key, 100'000, kStart, rate_of(UINT32_MAX, hours(24))) == 100'000);
    CHECK(attempts(limiter, key, 100, kStart + hours(24 * 365 * 100)) == 30);
}

TEST_CASE("names, limits and apps are counted apart", "[limits]") {
    RateLimiter limiter(1'024, 7);
    const std::string zero("anna\0", 5);
    const std::vector<uint64_t> keys = {
        limiter.key(Limit::knocks_per_token, as_bytes("anna")),
        limiter.key(Limit::knocks_per_account, as_bytes("anna")),
        limiter.key(Limit::knocks_per_token, as_bytes("anna"), 1),
        limiter.key(Limit::knocks_per_token, as_bytes("annb")),
        limiter.key(Limit::knocks_per_token, as_bytes(zero)),
        limiter.key(Limit::knocks_per_token, as_bytes("")),
        limiter.key(Limit::knocks_per_token, as_bytes("anna, in more than eight bytes")),
        limiter.key(Limit::knocks_per_token, as_bytes("anna, in more than eight bytez")),
    };
    for (const uint64_t key : keys) CHECK(attempts(limiter, key, 100, kStart) == 30);
    // And nobody who does not know the secret knows where they are.
    CHECK(RateLimiter(1'024, 8).key(Limit::knocks_per_token, as_bytes("anna")) != keys[0]);
}

TEST_CASE("a flood of subjects makes it lenient, not larger, and spares who is over the limit",
          "[limits]") {
    RateLimiter limiter(64, 1);
    const uint64_t bold = limiter.key(Limit::logins_per_account, as_bytes("anna"));
    attempts(limiter, bold, 30, kStart);
    for (uint32_t i = 0; i < 100'000; ++i) {
        const auto* const bytes = reinterpret_cast<const uint8_t*>(&i);
        const uint64_t key = limiter.key(Limit::logins_per_address, {bytes, sizeof i});
        CHECK(limiter.take_if_allowed(key, kRate, kStart) == Duration{});
    }
    CHECK(limiter.check(bold, kRate, kStart).pass == Pass::deferred);
}

TEST_CASE("a place that is given back is the next one's", "[limits]") {
    RateLimiter limiter(64, 1);
    const uint64_t key = limiter.key(Limit::knocks_per_token, as_bytes("anna"));
    attempts(limiter, key, 30, kStart);
    REQUIRE(limiter.check(key, kRate, kStart).pass == Pass::deferred);
    limiter.take(key, kRate, kStart);
    REQUIRE(limiter.check(key, kRate, kStart).pass == Pass::refused);
    limiter.give_back(key, kRate);
    CHECK(limiter.check(key, kRate, kStart).pass == Pass::deferred);
    limiter.give_back(limiter.key(Limit::knocks_per_token, as_bytes("nobody")), kRate);
    limiter.give_back(key, {});
    CHECK(limiter.check(key, kRate, kStart).pass == Pass::deferred);
}

TEST_CASE("a table without room for one set has one all the same", "[limits]") {
    RateLimiter limiter(0, 0);
    for (uint8_t i = 0; i < 100; ++i)
        CHECK(limiter.take_if_allowed(limiter.key(Limit::knocks_per_address, {&i, 1}), kRate, {}) ==
              Duration{});
}

}  // namespace knuckle::engine
