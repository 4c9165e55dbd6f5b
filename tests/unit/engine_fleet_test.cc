// SPDX-License-Identifier: GPL-3.0-or-later
// How many connections a lane has, and which of them gets a push.
#include <set>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "engine/dialer.h"
#include "tests/support/engine_world.h"

namespace knuckle::test {

namespace {

using metrics::KnockResult;
using push::Outcome;

EngineWorld::Setup may_grow(uint32_t upstreams_max) {
    EngineWorld::Setup setup;
    setup.options.upstreams_max = upstreams_max;
    setup.options.connections_max = 1'000;
    return setup;
}

// A world that has delivered and takes up to four pushes on each connection.
struct Busy : EngineWorld {
    explicit Busy(uint32_t upstreams = 3) : EngineWorld(may_grow(upstreams)) {
        streams_max = 4;
        provider().http2.set_streams_max(4);
        CHECK(ask(knock(phone("anna").token)).status == 202);
        pass(engine::kStableTime);
        pushes.clear();
        is_answering = false;
    }
    // So many knocks, each for a phone of its own.
    void start_knocks(size_t count) {
        for (size_t i = 0; i < count; ++i) {
            const Phone phone = this->phone("phone" + std::to_string(++phones));
            connect().says(knock(phone.token));
        }
        run();
    }
    [[nodiscard]] size_t in_flight_on(size_t connection) const {
        return static_cast<size_t>(std::ranges::count_if(pushes, [&](const ArrivedPush& push) {
            return push.connection == connection && !push.is_answered;
        }));
    }
    [[nodiscard]] std::set<std::string> ids() const {
        std::set<std::string> found;
        for (const ArrivedPush& push : pushes) found.insert(push.id);
        return found;
    }

    size_t phones = 0;
};

}  // namespace

TEST_CASE("one connection is enough while its streams are", "[fleet]") {
    Busy world;
    world.start_knocks(2);
    world.pass(seconds(1));
    CHECK(world.providers.size() == 1);
    world.answer_all();
    CHECK(world.counters.upstreams_ready.get() == 1);
    world.leave();
}

TEST_CASE("pushes that wait get another connection, one dial at a time, up to the limit",
          "[fleet]") {
    Busy world;
    world.start_knocks(20);
    // Seven tenths of the streams are in use, so a second one was made at once; it is on trial.
    CHECK(world.providers.size() == 2);
    CHECK(world.in_flight_on(1) == 4);
    CHECK(world.in_flight_on(2) == 1);
    world.pass(seconds(1));
    CHECK(world.providers.size() == 2);
    for (ArrivedPush& push : world.pushes) {
        if (push.connection == 2) world.answer(push);
    }
    world.run();
    CHECK(world.in_flight_on(2) == 4);
    world.pass(engine::kQueueAgeMax);
    CHECK(world.providers.size() == 3);
    world.is_answering = true;
    world.answer_all();
    world.pass(seconds(1));
    CHECK(world.providers.size() == 3);
    CHECK(world.ids().size() == 20);
    CHECK(world.outcomes(Outcome::delivered) == 21);
    world.leave();
}

TEST_CASE("a push goes where the fewest are in flight", "[fleet]") {
    Busy world(2);
    world.start_knocks(6);
    REQUIRE(world.providers.size() == 2);
    // The second has shown itself; the first is slow.
    for (ArrivedPush& push : world.pushes) {
        if (push.connection == 2) world.answer(push);
    }
    world.run();
    for (ArrivedPush& push : world.pushes) {
        if (push.connection == 2 && !push.is_answered) world.answer(push);
    }
    world.run();
    REQUIRE(world.in_flight_on(1) == 4);
    world.start_knocks(3);
    CHECK(world.in_flight_on(2) == 3);
    world.answer_all();
    world.leave();
}

TEST_CASE("what one connection fails goes out again over another", "[fleet]") {
    Busy world;
    world.start_knocks(1);
    REQUIRE(world.pushes.size() == 1);
    world.answer(world.pushes[0], {.status = 503, .reason = "ServiceUnavailable"});
    world.pass(seconds(3));
    REQUIRE(world.pushes.size() == 2);
    CHECK(world.pushes[1].id == world.pushes[0].id);
    CHECK(world.pushes[1].connection != world.pushes[0].connection);
    world.answer_all();
    world.leave();
}

TEST_CASE("a connection that nobody needs any more goes, the last one stays", "[fleet]") {
    Busy world;
    world.start_knocks(6);
    world.is_answering = true;
    world.answer_all();
    REQUIRE(world.counters.upstreams_ready.get() == 2);
    world.pass(minutes(20));
    CHECK(world.counters.upstreams_ready.get() == 2);
    world.pass(hours(5));
    CHECK(world.counters.upstreams_ready.get() == 1);
    CHECK(world.providers.size() == 2);
    CHECK(world.ask(knock(world.phone("late").token)).status == 202);
    CHECK(world.knocks(KnockResult::stored) == 0);
    world.leave();
}

TEST_CASE("when one of several connections breaks the others carry on, and it is replaced",
          "[fleet]") {
    Busy world(2);
    world.start_knocks(6);
    world.is_answering = true;
    world.answer_all();
    world.pass(engine::kStableTime);
    REQUIRE(world.counters.upstreams_ready.get() == 2);
    world.is_answering = false;
    world.start_knocks(2);
    world.hang_up(world.provider(1));
    world.dials = Dials::refused;
    world.is_answering = true;
    world.run();
    CHECK(world.reports.back().is_ready);
    for (ArrivedPush& push : world.pushes) {
        if (push.connection == 2 && !push.is_answered) world.answer(push);
    }
    world.run();
    CHECK(world.knocks(KnockResult::delivered) == 9);
    CHECK(world.knocks(KnockResult::stored) == 0);
    world.leave();
}

TEST_CASE("a second connection that cannot be had is not asked for again and again", "[fleet]") {
    Busy world;
    world.dials = Dials::refused;
    world.start_knocks(4);
    world.pass(seconds(9));
    CHECK(world.reports.back().is_ready);
    CHECK(world.dials_failed >= 1);
    CHECK(world.dials_failed <= 5);
    world.is_answering = true;
    world.answer_all();
    world.pass(hours(1));
    world.leave();
}

TEST_CASE("a connection that is sent away after much work is followed at once, however young",
          "[fleet]") {
    Busy world(1);
    world.is_answering = true;
    for (int round = 0; round < 10; ++round) {
        world.start_knocks(engine::kStableAnswers);
        world.provider().http2.goaway(INT32_MAX, 0, "");
        world.run();
    }
    CHECK(world.providers.size() == 11);
    CHECK(world.knocks(KnockResult::delivered) == 1 + 10 * engine::kStableAnswers);
    world.leave();
}

TEST_CASE("a silent link with pushes on it is asked, and replaced when it says nothing",
          "[fleet]") {
    Busy world(1);
    world.provider().is_stalled = true;
    world.start_knocks(3);
    world.is_answering = true;
    world.pass(engine::kPingAfter);
    CHECK(world.counters.upstream_pings.get() == 1);
    CHECK(world.providers.size() == 1);
    world.pass(engine::kPingTimeout);
    CHECK(world.providers.size() == 2);
    world.pass(seconds(2));
    CHECK(world.outcomes(Outcome::unknown) == 3);
    CHECK(world.outcomes(Outcome::delivered) == 4);
    CHECK(world.shelf.pending().empty());
    world.leave();
}

TEST_CASE("a slow provider that answers PINGs is left in peace", "[fleet]") {
    Busy world(1);
    world.start_knocks(1);
    world.pass(seconds(9));
    CHECK(world.counters.upstream_pings.get() >= 3);
    CHECK(world.providers.size() == 1);
    world.answer_all();
    CHECK(world.outcomes(Outcome::unknown) == 0);
    world.leave();
}

TEST_CASE("a provider that answers PINGs and nothing else loses its connection", "[fleet]") {
    Busy world(1);
    world.start_knocks(1);
    world.pass(seconds(10));
    CHECK(world.providers.size() == 1);
    world.pass(seconds(12));
    CHECK(world.providers.size() == 2);
    world.is_answering = true;
    world.pass(seconds(20));
    CHECK(world.outcomes(Outcome::delivered) == 2);
    world.leave();
}

TEST_CASE("a connection that was idle is asked with the first push, in one write", "[fleet]") {
    Busy world(1);
    world.pass(engine::kPingBeforeUse);
    const uint64_t before = world.counters.upstream_pings.get();
    world.is_answering = true;
    SECTION("and carries it") {
        CHECK(world.ask(knock(world.phone("bob").token)).status == 202);
        CHECK(world.providers.size() == 1);
    }
    SECTION("and if it is dead the next one carries it, soon") {
        world.provider().is_stalled = true;
        world.start_knocks(1);
        world.pass(engine::kPingTimeout);
        CHECK(world.providers.size() == 2);
        CHECK(world.outcomes(Outcome::delivered) == 2);
    }
    CHECK(world.counters.upstream_pings.get() == before + 1);
    world.leave();
}

TEST_CASE("an idle connection is asked once an hour", "[fleet]") {
    Busy world(1);
    world.pass(hours(5));
    CHECK(world.counters.upstream_pings.get() >= 4);
    CHECK(world.counters.upstream_pings.get() <= 6);
    CHECK(world.providers.size() == 1);
    world.provider().is_stalled = true;
    world.pass(hours(1) + seconds(5));
    CHECK(world.providers.size() == 2);
    world.leave();
}

TEST_CASE("after a 403 a connection stays on trial", "[fleet]") {
    EngineWorld world;
    world.is_answering = false;
    for (int i = 0; i < 4; ++i)
        world.connect().says(knock(world.phone("phone" + std::to_string(i)).token));
    world.run();
    REQUIRE(world.pushes.size() == 1);
    world.answer(world.pushes[0], {.status = 403, .reason = "SomethingNew"});
    world.run();
    CHECK(world.provider().http2.counters().streams_open_peak == 1);
    world.is_answering = true;
    world.answer_all();
    world.pass(minutes(30));
    CHECK(world.outcomes(Outcome::delivered) == 4);
    world.leave();
}

}  // namespace knuckle::test
