// SPDX-License-Identifier: GPL-3.0-or-later
#include <deque>
#include <set>
#include <utility>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/random.h"
#include "base/timers.h"

using namespace knuckle;

namespace {

constexpr Instant at(int64_t n) { return Instant{n}; }

}  // namespace

TEST_CASE("timers come due in the order of their deadlines", "[base][timers]") {
    Timers timers;
    Timer a, b, c;
    a.kind = 1;
    b.kind = 2;
    c.kind = 3;
    timers.arm(b, at(20));
    timers.arm(c, at(30));
    timers.arm(a, at(10));
    CHECK(timers.count() == 3);
    CHECK(timers.next_deadline() == at(10));
    CHECK(timers.pop_due(at(9)) == nullptr);
    CHECK(timers.pop_due(at(10)) == &a);
    CHECK_FALSE(a.is_armed());
    CHECK(timers.pop_due(at(10)) == nullptr);
    CHECK(timers.pop_due(at(1000)) == &b);
    CHECK(timers.pop_due(at(1000)) == &c);
    CHECK(timers.pop_due(at(1000)) == nullptr);
    CHECK(c.kind == 3);
    CHECK(timers.next_deadline() == kNever);
}

TEST_CASE("arming an armed timer moves it, either way", "[base][timers]") {
    Timers timers;
    Timer a, b;
    timers.arm(a, at(10));
    timers.arm(b, at(20));
    timers.arm(a, at(30));
    CHECK(timers.count() == 2);
    CHECK(timers.next_deadline() == at(20));
    timers.arm(a, at(5));
    CHECK(timers.next_deadline() == at(5));
    timers.arm(a, at(5));
    CHECK(timers.pop_due(at(5)) == &a);
    timers.disarm(b);
}

TEST_CASE("a disarmed timer does not come due", "[base][timers]") {
    Timers timers;
    Timer a, b;
    timers.disarm(a);
    timers.arm(a, at(10));
    timers.arm(b, at(20));
    timers.disarm(a);
    timers.disarm(a);
    CHECK_FALSE(a.is_armed());
    CHECK(timers.count() == 1);
    CHECK(timers.pop_due(at(100)) == &b);
    CHECK(timers.pop_due(at(100)) == nullptr);
    timers.arm(a, at(1));
    CHECK(timers.pop_due(at(100)) == &a);
}

TEST_CASE("a timer may be armed again while due ones are popped", "[base][timers]") {
    Timers timers;
    Timer timer;
    timers.arm(timer, at(1));
    int turns = 0;
    while (Timer* due = timers.pop_due(at(10))) {
        ++turns;
        timers.arm(*due, due->deadline + Duration{3});
    }
    CHECK(turns == 4);
    CHECK(timers.next_deadline() == at(13));
    timers.disarm(timer);
}

TEST_CASE("timers agree with a sorted model over random operations", "[base][timers]") {
    for (const uint64_t seed : {1, 2, 3, 4}) {
        Random random(seed);
        Timers timers;
        std::deque<Timer> all(200);
        std::set<std::pair<int64_t, Timer*>> model;
        int64_t now = 0;
        for (int step = 0; step < 20'000; ++step) {
            Timer& timer = all[random.below(all.size())];
            switch (random.below(6)) {
                case 0:
                    model.erase({timer.deadline.ns, &timer});
                    timers.disarm(timer);
                    break;
                case 1: {
                    now += static_cast<int64_t>(random.below(20));
                    while (Timer* due = timers.pop_due(at(now))) {
                        REQUIRE_FALSE(due->is_armed());
                        REQUIRE(due->deadline.ns == model.begin()->first);
                        REQUIRE(model.erase({due->deadline.ns, due}) == 1);
                    }
                    REQUIRE((model.empty() || model.begin()->first > now));
                    break;
                }
                default: {
                    // Few different deadlines, so that many are equal.
                    const int64_t deadline = now + static_cast<int64_t>(random.below(100));
                    if (timer.is_armed()) model.erase({timer.deadline.ns, &timer});
                    timers.arm(timer, at(deadline));
                    model.insert({deadline, &timer});
                    break;
                }
            }
            REQUIRE(timers.count() == model.size());
            REQUIRE(timers.next_deadline() == (model.empty() ? kNever : at(model.begin()->first)));
        }
        for (Timer& timer : all) timers.disarm(timer);
        CHECK(timers.count() == 0);
    }
}
