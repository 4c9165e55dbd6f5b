// SPDX-License-Identifier: GPL-3.0-or-later
#include <string_view>

#include <catch_amalgamated.hpp>

#include "base/log.h"
#include "store/chores.h"
#include "tests/support/full_disk.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

constexpr Instant kStart{5'000};

struct Kept {
    Shelf shelf;
    Resealer resealer{shelf.env(), shelf.random(), "no file"};
    Sweep sweep{shelf.env(), shelf.committer(), hours(24)};
    Chores chores{resealer, sweep, kStart};
    const Account anna = shelf.has(an_account("anna"));
    const Token token = shelf.has(a_token(shelf.has(a_device(anna, "phone")), "for bob"));

    // When all of the tests' people are idle and their tokens expired.
    void step(Instant instant) {
        chores.step({.instant = instant, .unix = kNoon + hours(24 * 60)});
    }
};

}  // namespace

TEST_CASE("The first round begins a minute after the start, the next ones each hour",
          "[store][chores]") {
    Kept kept;
    CHECK(kept.chores.due() == kStart + kFirstSweepAfter);
    const Instant begun = kStart + minutes(2);
    kept.step(begun);
    CHECK(kept.shelf.look_up(kept.token) == Lookup::absent);
    CHECK(kept.chores.due() == begun);  // there is more to do
    kept.step(begun + seconds(9));
    CHECK_FALSE(kept.shelf.account("anna"));
    kept.step(begun + seconds(18));
    CHECK(kept.chores.due() == begun + kSweepEvery);

    for (int table = 0; table < 3; ++table) kept.step(begun + kSweepEvery);
    CHECK(kept.chores.due() == begun + kSweepEvery * 2);
}

TEST_CASE("A key that is being retired comes before the sweep, from the start on",
          "[store][chores][reseal]") {
    Kept kept;
    const TempDirectory folder;
    kept.shelf.keys.retiring = kept.shelf.keys.current;
    kept.shelf.keys.current = {.id = 2, .key = {2}};
    kept.shelf.reopen();
    Resealer resealer(kept.shelf.env(), kept.shelf.random(), folder / "store.key");
    Sweep sweep(kept.shelf.env(), kept.shelf.committer(), hours(24));
    Chores chores(resealer, sweep, kStart);
    CHECK(chores.due() == kStart);
    const Now now{.instant = kStart + minutes(2), .unix = kNoon + hours(24 * 60)};
    chores.step(now);
    CHECK_FALSE(resealer.is_under_way());
    CHECK(kept.shelf.look_up(kept.token) == Lookup::found);
    chores.step(now);
    CHECK(kept.shelf.look_up(kept.token) == Lookup::absent);
}

TEST_CASE("A round that took longer than an hour is followed by the next at once",
          "[store][chores]") {
    Kept kept;
    kept.step(kStart);
    for (int table = 1; table < 3; ++table) kept.step(kStart + kSweepEvery * 2);
    CHECK(kept.chores.due() <= kStart + kSweepEvery * 2);
}

TEST_CASE("A step that failed is tried again after a while, in the same round",
          "[store][chores][failure]") {
    Kept kept;
    const Instant begun = kStart + minutes(1);
    const Instant again = begun + kChoreRetryAfter;
    static size_t complaints = 0;
    log::set_sink([](std::string_view line) {
        if (line.find("event=store_chore_failed") != std::string_view::npos) ++complaints;
    });
    {
        const test::FullDisk disk;
        kept.step(begun);
        kept.step(again);
    }
    log::set_sink([](std::string_view) {});
    CHECK(complaints == 1);
    CHECK(kept.shelf.look_up(kept.token) == Lookup::found);
    CHECK(kept.chores.due() == again + kChoreRetryAfter);
    kept.step(kept.chores.due());
    CHECK(kept.shelf.look_up(kept.token) == Lookup::absent);
    kept.step(kept.chores.due());
    kept.step(kept.chores.due());
    CHECK(kept.chores.due() == begun + kSweepEvery);
}

TEST_CASE("Fewer than one knock in a hundred meets a step", "[store][chores]") {
    for (const Duration step : {microseconds(1), milliseconds(1), milliseconds(5)}) {
        CHECK(Chores::rest(step).ns > 99 * step.ns);
    }
    CHECK(Chores::rest({}) == kRestMin);
}

TEST_CASE("Steps on a slow disk follow each other within a second, but take a fifth of the time",
          "[store][chores]") {
    CHECK(Chores::rest(milliseconds(40)) == seconds(1));
    CHECK(Chores::rest(milliseconds(250)) == seconds(1));
    CHECK(Chores::rest(seconds(3)) == seconds(12));
}
