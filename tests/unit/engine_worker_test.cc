// SPDX-License-Identifier: GPL-3.0-or-later
// The end of a worker: who still gets an answer, and that nothing stays behind.
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "engine/worker.h"
#include "tests/support/engine_world.h"

namespace knuckle::test {

namespace {

using metrics::KnockResult;
using Statuses = std::vector<int>;

}  // namespace

TEST_CASE("a worker with nothing to do drains at once, and says so once", "[worker]") {
    EngineWorld world;
    Client& idle = world.connect();
    world.run();
    world.drain();
    CHECK(idle.is_cut_off());
    CHECK(idle.heard.empty());
    CHECK(world.drained_count == 1);
    world.drain();
    world.pass(minutes(5));
    CHECK(world.drained_count == 1);
    CHECK(world.connect().is_cut_off());
    world.end();
}

TEST_CASE("a drain answers the knocks in hand, with Connection: close, and waits for them",
          "[worker]") {
    EngineWorld world;
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& bob = world.connect();
    Client& carol = world.connect(true);
    bob.says(knock(anna.token) + request("GET", "pubsub/"));
    carol.says(knock(anna.token));
    world.run();
    world.drain();
    CHECK(world.drained_count == 0);
    CHECK_FALSE(bob.is_cut_off());
    world.answer_all();
    CHECK(bob.statuses() == Statuses{202});
    CHECK(bob.last().field("Connection") == "close");
    CHECK(bob.is_cut_off());
    CHECK(world.drained_count == 0);
    world.answer_all();
    CHECK(carol.statuses() == Statuses{202});
    CHECK(world.drained_count == 1);
    world.end();
}

TEST_CASE("a drain stores what the provider does not answer in time", "[worker]") {
    EngineWorld world;
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& bob = world.connect();
    bob.says(knock(anna.token));
    world.run();
    world.drain();
    world.pass(seconds(2));
    CHECK(bob.statuses() == Statuses{202});
    CHECK(world.drained_count == 1);
    world.end();
    CHECK(world.shelf.pending().size() == 1);
}

TEST_CASE("a drain does not wait longer than it may; what is left is stored at the end",
          "[worker]") {
    EngineWorld::Setup setup;
    setup.options.ack_wait = minutes(5);
    EngineWorld world(setup);
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& bob = world.connect();
    bob.says(knock(anna.token));
    world.run();
    world.drain();
    world.pass(setup.options.drain_timeout);
    CHECK(world.drained_count == 1);
    CHECK(bob.heard.empty());
    world.end();
    CHECK(bob.is_cut_off());
    world.commit();
    CHECK(world.shelf.pending().size() == 1);
}

TEST_CASE("a drain waits for registrations under way", "[worker]") {
    EngineWorld world;
    world.is_disk_slow = true;
    Client& client = world.connect();
    client.says(request("POST", "accounts/", R"({"username":"anna","password":"secret"})"));
    world.run();
    world.drain();
    CHECK(world.drained_count == 0);
    world.commit();
    world.run();
    CHECK(client.statuses() == Statuses{200});
    CHECK(client.last().field("Connection") == "close");
    CHECK(world.drained_count == 1);
    world.end();
}

TEST_CASE("the end says goodbye to the provider", "[worker]") {
    EngineWorld world;
    world.leave();
    CHECK(world.provider().http2.counters().has_goaway);
    CHECK(world.provider().wire.is_finished);
}

TEST_CASE("an end without a drain closes everything all the same", "[worker]") {
    EngineWorld world;
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& bob = world.connect();
    Client& carol = world.connect(true);
    Client& dave = world.connect();
    bob.says(knock(anna.token));
    carol.says(knock(anna.token));
    dave.says("POST /api");
    world.run();
    world.end();
    world.commit();
    CHECK(world.shelf.pending().size() == 1);
    CHECK(bob.is_cut_off());
    CHECK(carol.is_cut_off());
    CHECK(dave.is_cut_off());
}

TEST_CASE("GOAWAY during a drain: the pushes in hand still find their way", "[worker]") {
    EngineWorld world;
    world.pass(minutes(1));
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& bob = world.connect();
    bob.says(knock(anna.token));
    world.run();
    world.drain();
    world.is_answering = true;
    world.provider().http2.goaway(0, 0, "");
    world.run();
    CHECK(bob.statuses() == Statuses{202});
    CHECK(world.knocks(KnockResult::delivered) == 1);
    CHECK(world.drained_count == 1);
    world.end();
}

TEST_CASE("the civil clock may jump: nothing waits for it, and old provider tokens are replaced",
          "[worker]") {
    EngineWorld world;
    const Phone anna = world.phone("anna");
    world.is_answering = false;
    Client& bob = world.connect();
    bob.says(knock(anna.token));
    world.run();
    SECTION("back") { world.now.unix = world.now.unix + Duration{-hours(5).ns}; }
    SECTION("ahead") { world.now.unix = world.now.unix + hours(5); }
    world.pass(minutes(1));
    CHECK(bob.statuses() == Statuses{202});
    CHECK(world.published.size() == 1);
    world.is_answering = true;
    world.pass(minutes(1));
    CHECK(world.shelf.pending().empty());
    world.leave();
}

TEST_CASE("a crowd that leaves takes nobody along who stays", "[worker]") {
    EngineWorld::Setup setup;
    setup.options.connections_max = 1'000;
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    Client& bob = world.connect(true);
    bob.says(knock(anna.token));
    world.run();
    std::vector<Client*> crowd;
    for (int i = 0; i < 300; ++i) crowd.push_back(&world.connect(i % 10 == 0));
    world.run();
    for (Client* const each : crowd) each->hangs_up();
    world.pass(seconds(5));  // their memory goes back meanwhile
    bob.says(knock(anna.token));
    world.run();
    CHECK(bob.statuses() == Statuses{202, 202});
    world.leave();
}

}  // namespace knuckle::test
