// SPDX-License-Identifier: GPL-3.0-or-later
// The connections to the provider: how they are made, replaced and given up, and that no push is
// lost or sent twice on the way.
#include <map>
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
using Statuses = std::vector<int>;

// A world whose connection is past its first answer, so that it takes many pushes at once, and
// lives long enough to count as stable.
struct Running : EngineWorld {
    explicit Running(const Setup& setup = Setup()) : EngineWorld(setup), anna(phone("anna")) {
        CHECK(ask(knock(anna.token)).status == 202);
        pass(engine::kStableTime);
        pushes.clear();
        is_answering = false;
    }

    // So many clients knock at once.
    void start_knocks(size_t count) {
        for (size_t i = 0; i < count; ++i) {
            senders.push_back(&connect());
            senders.back()->says(knock(anna.token));
        }
        run();
    }
    [[nodiscard]] size_t answered(int status) const {
        return static_cast<size_t>(std::ranges::count_if(senders, [status](const Client* sender) {
            return sender->statuses() == Statuses{status};
        }));
    }
    // How often each push came, by its apns-id.
    [[nodiscard]] std::map<std::string, int> arrivals() const {
        std::map<std::string, int> found;
        for (const ArrivedPush& push : pushes) ++found[push.id];
        return found;
    }

    Phone anna;
    std::vector<Client*> senders;
};

}  // namespace

TEST_CASE("one push goes out until the first answer, then as many as the provider allows",
          "[dialer]") {
    EngineWorld world;
    world.is_answering = false;
    world.streams_max = 7;
    world.providers[0]->http2.set_streams_max(7);
    const Phone anna = world.phone("anna");
    for (int i = 0; i < 10; ++i) world.connect().says(knock(anna.token));
    world.run();
    CHECK(world.pushes.size() == 1);
    CHECK(world.counters.jobs_waiting.get() == 9);
    world.answer_all();
    CHECK(world.pushes.size() == 8);
    CHECK(world.counters.jobs_in_flight.get() == 7);
    CHECK(world.provider().http2.counters().streams_open_peak == 7);
    world.answer_all();
    world.answer_all();
    CHECK(world.knocks(KnockResult::delivered) == 10);
    world.leave();
}

TEST_CASE("GOAWAY in mid-flight: what was answered is settled, the rest is sent again, once",
          "[dialer]") {
    Running world;
    world.start_knocks(6);
    REQUIRE(world.pushes.size() == 6);
    ProviderEnd& old = world.provider();
    // Two are answered, two more will be, the last two were never looked at.
    world.answer(world.pushes[0]);
    world.answer(world.pushes[1]);
    old.http2.goaway(world.pushes[3].stream, 0, "");
    world.run();
    CHECK(world.answered(202) == 2);
    REQUIRE(world.providers.size() == 2);
    REQUIRE(world.pushes.size() == 7);  // one stream on the new one
    CHECK(world.pushes[6].connection == 2);

    world.answer(world.pushes[2]);
    world.answer(world.pushes[3]);
    world.run();
    CHECK(world.answered(202) == 4);
    CHECK(old.wire.is_closed);
    world.pushes[4].is_answered = world.pushes[5].is_answered = true;
    world.answer_all();
    world.answer_all();
    CHECK(world.answered(202) == 6);
    const std::map<std::string, int> arrivals = world.arrivals();
    CHECK(arrivals.size() == 6);
    CHECK(arrivals.at(world.pushes[0].id) == 1);
    CHECK(arrivals.at(world.pushes[3].id) == 1);
    CHECK(arrivals.at(world.pushes[4].id) == 2);
    CHECK(arrivals.at(world.pushes[5].id) == 2);
    CHECK(world.outcomes(Outcome::delivered) == 7);
    world.leave();
}

TEST_CASE("a long-lived connection that ends with GOAWAY is replaced at once", "[dialer]") {
    Running world;
    world.provider().http2.goaway(0, 0, R"({"reason":"Shutdown"})");
    SECTION("and is closed by the provider in the same breath") { world.hang_up(world.provider()); }
    SECTION("and is closed by us") {}
    world.run();
    CHECK(world.providers.size() == 2);
    CHECK(world.providers[0]->wire.is_closed);
    world.is_answering = true;
    CHECK(world.ask(knock(world.anna.token)).status == 202);
    CHECK(world.knocks(KnockResult::stored) == 0);
    world.leave();
}

TEST_CASE("a connection lost in mid-flight: its pushes go out again on the next, as they were",
          "[dialer]") {
    Running world;
    world.start_knocks(3);
    world.hang_up(world.provider());
    world.is_answering = true;
    world.run();
    CHECK(world.answered(202) == 3);
    REQUIRE(world.pushes.size() == 6);
    for (const auto& [id, count] : world.arrivals()) CHECK(count == 2);
    CHECK(world.outcomes(Outcome::unknown) == 3);
    CHECK(world.knocks(KnockResult::delivered) == 4);
    world.leave();
}

TEST_CASE("a refused stream was not processed: the push is sent again as the same", "[dialer]") {
    Running world;
    world.start_knocks(1);
    world.refuse(world.pushes[0]);
    world.run();
    REQUIRE(world.pushes.size() == 2);
    CHECK(world.pushes[1].id == world.pushes[0].id);
    world.answer_all();
    CHECK(world.answered(202) == 1);
    CHECK(world.outcomes(Outcome::not_processed) == 1);
    world.leave();
}

TEST_CASE("a late answer does not make a lane ready that has no connection", "[dialer]") {
    Running world;
    world.start_knocks(2);
    REQUIRE(world.pushes.size() == 2);
    world.answer(world.pushes[0], {.status = 403, .reason = "InvalidProviderToken"});
    world.run();
    REQUIRE_FALSE(world.reports.back().is_ready);
    world.dials = Dials::refused;
    world.goaway(world.provider(), world.pushes[1].stream);
    world.run();
    // It shows that our credential is right, but comes by a connection that ends.
    world.answer(world.pushes[1]);
    world.run();
    CHECK_FALSE(world.reports.back().is_ready);
    world.dials = Dials::succeed;
    world.is_answering = true;
    world.pass(minutes(2));
    CHECK(world.reports.back().is_ready);
    world.leave();
}

TEST_CASE("a provider that refuses every stream is not hammered", "[dialer]") {
    Running world;
    world.on_push = [&](ArrivedPush& push) { world.refuse(push); };
    world.start_knocks(1);
    world.pass(minutes(10));
    CHECK(world.pushes.size() < 250);
    CHECK(world.answered(202) == 1);
    CHECK(world.shelf.pending().size() == 1);
    world.on_push = nullptr;
    world.is_answering = true;
    world.pass(push::kRetryRefusedMax);  // nor is it kept waiting
    CHECK(world.shelf.pending().empty());
    world.leave();
}

TEST_CASE(
    "an expired provider token: a new one is asked for, the connection replaced, the push sent",
    "[dialer]") {
    Running world;
    world.pass(minutes(30));
    world.start_knocks(3);
    const std::string before = world.pushes[0].authorization;
    for (ArrivedPush& push : world.pushes)
        world.answer(push, {.status = 403, .reason = "ExpiredProviderToken"});
    world.is_answering = true;
    world.run();
    CHECK(world.tokens_asked == 3);
    CHECK(world.published.size() == 1);
    CHECK(world.providers.size() == 2);
    world.pass(seconds(2));
    CHECK(world.answered(202) == 3);
    REQUIRE(world.pushes.size() == 6);
    for (size_t i = 3; i < 6; ++i) {
        CHECK(world.pushes[i].authorization != before);
        CHECK(world.pushes[i].connection == 2);
    }
    world.leave();
}

TEST_CASE("a provider token is renewed before it is too old, and never within twenty minutes",
          "[dialer]") {
    Running world;
    world.pass(minutes(49));
    CHECK(world.published.empty());
    world.pass(minutes(2));
    CHECK(world.published.size() == 1);
    // Whatever the provider says now, and however often.
    world.on_push = [&](ArrivedPush& push) {
        world.answer(push, {.status = 403, .reason = "ExpiredProviderToken"});
    };
    world.start_knocks(1);
    world.pass(minutes(18));
    CHECK(world.tokens_asked > 1);
    CHECK(world.published.size() == 1);
    world.pass(minutes(20));
    CHECK(world.published.size() == 2);
    world.leave();
}

TEST_CASE("a provider that shuts one push out answers the others: nothing is sent twice",
          "[dialer]") {
    Running world;
    world.start_knocks(4);
    REQUIRE(world.pushes.size() == 4);
    world.answer(world.pushes[0], {.status = 503, .reason = "Shutdown"});
    world.run();
    CHECK(world.providers.size() == 2);
    for (size_t i = 1; i < 4; ++i) world.answer(world.pushes[i]);
    world.is_answering = true;
    world.pass(seconds(2));
    CHECK(world.answered(202) == 4);
    CHECK(world.pushes.size() == 5);
    CHECK(world.pushes[4].id == world.pushes[0].id);
    CHECK(world.pushes[4].connection == 2);
    CHECK(world.providers[0]->wire.is_closed);
    world.leave();
}

TEST_CASE("an answer that is overdue is given up, and the push tried again", "[dialer]") {
    Running world;
    world.start_knocks(2);
    world.pass(seconds(5));
    world.provider().http2.ping();  // a sign of life
    world.pass(seconds(4));
    world.is_answering = true;
    world.pass(seconds(2));
    CHECK(world.pushes.size() == 3);  // both were for one phone
    CHECK(world.providers.size() == 1);
    CHECK(world.provider().http2.counters().resets == 2);
    CHECK(world.outcomes(Outcome::unknown) == 2);
    CHECK(world.shelf.pending().empty());
    world.leave();
}

TEST_CASE("a link that is dead and silent is replaced", "[dialer]") {
    Running world;
    world.provider().is_stalled = true;
    world.start_knocks(2);
    world.is_answering = true;
    world.pass(seconds(11));
    CHECK(world.providers.size() == 2);
    CHECK(world.providers[0]->wire.is_closed);
    CHECK(world.answered(202) == 2);
    CHECK(world.shelf.pending().empty());
    CHECK(world.pushes.size() == 1);  // both were for one phone
    world.leave();
}

TEST_CASE("dialing backs off, more and more slowly, and never for long", "[dialer]") {
    EngineWorld::Setup setup;
    setup.dials = Dials::refused;
    EngineWorld world(setup);
    CHECK(world.dials_failed == 1);
    world.pass(seconds(10));
    CHECK(world.dials_failed <= 6);
    world.pass(minutes(60));
    const size_t before = world.dials_failed;
    world.pass(minutes(60));
    CHECK(world.dials_failed - before >= 60);
    CHECK(world.dials_failed - before <= 121);
    REQUIRE(world.reports.size() == 1);
    CHECK_FALSE(world.reports[0].is_ready);

    world.dials = Dials::succeed;
    world.pass(engine::kBackoffMax);
    CHECK(world.reports.back().is_ready);
    world.leave();
}

TEST_CASE("a provider that takes connections and drops them is not stormed", "[dialer]") {
    EngineWorld world;
    enum class Way { hang_up, goaway, both } way = Way::hang_up;
    SECTION("it hangs up") { way = Way::hang_up; }
    SECTION("it says GOAWAY") { way = Way::goaway; }
    SECTION("it does both") { way = Way::both; }
    for (int second = 0; second < 600; ++second) {
        ProviderEnd& end = world.provider();
        if (!end.wire.is_stale) {
            if (way != Way::hang_up) end.http2.goaway(0, 0, "");
            if (way != Way::goaway) world.hang_up(end);
        }
        world.pass(seconds(1));
    }
    CHECK(world.providers.size() > 8);
    CHECK(world.providers.size() < 40);
    world.leave();
}

TEST_CASE("a dial that leads nowhere is given up in time", "[dialer]") {
    EngineWorld::Setup setup;
    setup.dials = Dials::hang;
    EngineWorld world(setup);
    CHECK(world.reports.empty());
    CHECK(world.wires_open() == 1);
    world.pass(engine::kDialTimeout);
    CHECK(world.wires_open() == 0);
    REQUIRE(world.reports.size() == 1);
    CHECK(std::string(world.reports[0].why.what) == "connecting took too long");
    world.dials = Dials::succeed;
    world.pass(seconds(2));
    CHECK(world.reports.back().is_ready);
    world.leave();
}

TEST_CASE("a handshake that leads nowhere is given up in time", "[dialer]") {
    EngineWorld::Setup setup;
    setup.is_started = false;
    EngineWorld world(setup);
    world.is_provider_stalled = true;
    world.start();
    CHECK(world.providers.size() == 1);
    world.is_provider_stalled = false;
    world.pass(engine::kDialTimeout);
    REQUIRE_FALSE(world.reports.empty());
    CHECK(std::string(world.reports[0].why.what) == "the TLS handshake took too long");
    world.pass(seconds(2));
    CHECK(world.reports.back().is_ready);
    world.leave();
}

TEST_CASE("a provider with another certificate is no provider", "[dialer]") {
    EngineWorld::Setup setup;
    setup.options.lanes[0].server_name = "api.push.apple.com";
    EngineWorld world(setup);
    REQUIRE(world.reports.size() == 1);
    CHECK_FALSE(world.reports[0].is_ready);
    CHECK(world.reports[0].why.code == Errc::tls);
    const Phone anna = world.phone("anna");
    CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.shelf.pending().size() == 1);
    world.leave();
}

TEST_CASE("when there is no connection to spare the lane is down until there is", "[dialer]") {
    Running world;
    world.may_dial = false;
    world.hang_up(world.provider());
    world.run();
    CHECK_FALSE(world.reports.back().is_ready);
    CHECK(world.reports.back().why.code == Errc::limit);
    world.may_dial = true;
    world.is_answering = true;
    world.pass(seconds(2));
    CHECK(world.reports.back().is_ready);
    CHECK(world.ask(knock(world.anna.token)).status == 202);
    world.leave();
}

TEST_CASE("a provider that lowers its limit is obeyed", "[dialer]") {
    Running world;
    world.provider().http2.set_streams_max(2);
    world.run();
    world.start_knocks(5);
    CHECK(world.pushes.size() == 2);
    world.provider().http2.set_streams_max(0);
    world.answer_all();
    CHECK(world.pushes.size() == 2);
    world.pass(seconds(2));
    CHECK(world.answered(202) == 5);  // three of them from the disk
    CHECK(world.shelf.pending().size() == 1);
    world.is_answering = true;
    world.provider().http2.set_streams_max(100);
    world.run();
    CHECK(world.shelf.pending().empty());
    CHECK(world.knocks(KnockResult::stored) == 3);
    world.leave();
}

TEST_CASE("pushes that the provider does not read wait, and go out when it does", "[dialer]") {
    EngineWorld::Setup setup;
    setup.options.connections_max = setup.options.jobs_max = 200;
    Running world(setup);
    world.provider().wire.reads = false;
    const std::string body =
        R"({"token":")" + world.anna.token.text + R"(","data":")" + std::string(1'000, 'x') + "\"}";
    for (int i = 0; i < 150; ++i) {
        world.senders.push_back(&world.connect());
        world.senders.back()->says(request("POST", "messages/", body));
    }
    world.run();
    // More than the window of the connection (RFC 9113 section 6.9.2).
    CHECK(world.provider().wire.unread.size() < 120'000);
    world.provider().wire.reads = true;
    world.is_answering = true;
    world.run();
    CHECK(world.pushes.size() == 150);
    CHECK(world.answered(202) == 150);
    world.leave();
}

TEST_CASE("everything may arrive byte by byte", "[dialer]") {
    EngineWorld::Setup setup;
    setup.is_started = false;
    EngineWorld world(setup);
    world.pieces = [] { return 1; };
    world.start();
    const Phone anna = world.phone("anna");
    Client& bob = world.connect(true);
    bob.says(knock(anna.token));
    world.run();
    CHECK(bob.statuses() == Statuses{202});
    CHECK(world.pushes_to(anna) == 1);
    world.leave();
}

}  // namespace knuckle::test
