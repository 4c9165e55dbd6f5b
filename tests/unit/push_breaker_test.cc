// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "push/breaker.h"

namespace knuckle::push {
namespace {

struct Bench {
    Breaker breaker;
    Random random{3};
    Now now{{hours(1).ns}, from_unix_seconds(1'800'000'000)};

    Duration tripped(Trouble trouble, bool was_probe = false) {
        breaker.trip(trouble, was_probe, now, random);
        return breaker.probe_at() - now.instant;
    }
    // Waits for the next probe, which fails; how long the wait after it is.
    Duration failed_probe(Trouble trouble) {
        now.instant = breaker.probe_at();
        REQUIRE(breaker.may_probe(now.instant));
        static_cast<void>(breaker.begin_probe());
        return tripped(trouble, true);
    }
};

TEST_CASE("an open breaker lets one push at a time through, after longer and longer waits",
          "[push]") {
    Bench bench;
    CHECK_FALSE(bench.breaker.is_open());
    const Duration first = bench.tripped(Trouble::provider);
    CHECK(first >= milliseconds(500));
    CHECK(first <= seconds(1));
    CHECK_FALSE(bench.breaker.may_probe(bench.now.instant));
    CHECK(bench.failed_probe(Trouble::provider) > first);
    for (int i = 0; i < 40; ++i) CHECK(bench.failed_probe(Trouble::provider) <= minutes(1));
    CHECK(bench.failed_probe(Trouble::provider) >= seconds(30));

    bench.now.instant = bench.breaker.probe_at();
    const uint32_t probe = bench.breaker.begin_probe();
    CHECK(bench.breaker.is_probe(probe));
    CHECK_FALSE(bench.breaker.is_probe(0));
    CHECK_FALSE(bench.breaker.may_probe(bench.now.instant));
    CHECK(bench.breaker.probe_at() == kNever);
    bench.breaker.close(bench.now);
    CHECK_FALSE(bench.breaker.is_open());
    CHECK_FALSE(bench.breaker.is_probe(probe));
}

TEST_CASE("answers to what was under way before do not make the wait longer", "[push]") {
    Bench bench;
    const Duration wait = bench.tripped(Trouble::configuration);
    CHECK(wait >= seconds(30));
    for (int i = 0; i < 1'000; ++i) CHECK(bench.tripped(Trouble::configuration) == wait);
    // Nor are they the probe's that is under way.
    bench.now.instant = bench.breaker.probe_at();
    static_cast<void>(bench.breaker.begin_probe());
    bench.tripped(Trouble::configuration);
    CHECK(bench.breaker.probe_at() == kNever);
}

TEST_CASE("what does not pass by itself is serious at once, the rest when it has not passed",
          "[push]") {
    CHECK(Bench().breaker.is_serious() == false);
    for (const Trouble trouble : {Trouble::configuration, Trouble::renewals}) {
        Bench bench;
        bench.tripped(trouble);
        CHECK(bench.breaker.is_serious());
    }
    for (const Trouble trouble : {Trouble::expiry, Trouble::provider}) {
        Bench bench;
        bench.tripped(trouble);
        CHECK_FALSE(bench.breaker.is_serious());
        bench.failed_probe(trouble);
        CHECK(bench.breaker.is_serious());
        bench.breaker.close(bench.now);
        CHECK_FALSE(bench.breaker.is_serious());
    }
}

TEST_CASE("trouble that returns soon is met with the patience it had come to", "[push]") {
    Bench bench;
    bench.tripped(Trouble::provider);
    for (int i = 0; i < 4; ++i) bench.failed_probe(Trouble::provider);
    bench.breaker.close(bench.now);
    SECTION("soon") {
        bench.now.instant = bench.now.instant + seconds(10);
        CHECK(bench.tripped(Trouble::provider) >= seconds(8));
    }
    SECTION("after a time of health") {
        bench.now.instant = bench.now.instant + minutes(2);
        CHECK(bench.tripped(Trouble::provider) <= seconds(1));
    }
}

}  // namespace
}  // namespace knuckle::push
