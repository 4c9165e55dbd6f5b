// SPDX-License-Identifier: GPL-3.0-or-later
// What an earlier process left on disk: in which order it is sent, how fast, and how much of it is
// in our hands at once.
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/support/engine_world.h"

namespace knuckle::test {

namespace {

using push::Outcome;

// A process that could not reach the provider has ended, and left a row for each phone; the first
// phone's is the oldest.
struct Left {
    explicit Left(size_t count) {
        EngineWorld::Setup before;
        before.dials = Dials::refused;
        EngineWorld world(before, shelf);
        for (size_t i = 0; i < count; ++i) {
            phones.push_back(world.phone("phone " + std::to_string(i)));
            CHECK(world.ask(knock(phones.back().token)).status == 202);
            world.advance_to(world.now.instant + seconds(1));
        }
        world.crash();
        end = world.now;
        REQUIRE(shelf.pending().size() == count);
    }
    // The next process.
    std::unique_ptr<EngineWorld> begin(EngineWorld::Setup setup) {
        setup.is_started = false;
        setup.seed = 2;
        auto world = std::make_unique<EngineWorld>(setup, shelf);
        world->now = end;
        world->start();
        return world;
    }

    store::Shelf shelf;
    std::vector<Phone> phones;
    Now end{};
};

}  // namespace

TEST_CASE("what was left is sent oldest first, at the pace that is set", "[pending]") {
    Left left(10);
    EngineWorld::Setup setup;
    setup.options.resend_interval = milliseconds(100);
    const auto world = left.begin(setup);
    CHECK(world->pushes.size() == 1);
    world->pass(milliseconds(450));
    CHECK(world->pushes.size() >= 4);
    CHECK(world->pushes.size() <= 6);
    CHECK(left.shelf.pending().size() == 10 - world->pushes.size());
    world->pass(seconds(1));
    REQUIRE(world->pushes.size() == 10);
    for (size_t i = 0; i < 10; ++i)
        CHECK(world->pushes[i].device == left.phones[i].device.registration_id);
    CHECK(left.shelf.pending().empty());
    CHECK(world->counters.jobs_pending.get() == 0);
    world->leave();
}

TEST_CASE("more than we can hold is sent over time, and leaves room for what is new", "[pending]") {
    Left left(20);
    EngineWorld::Setup setup;
    setup.options.jobs_max = 4;
    const auto world = left.begin(setup);
    world->is_answering = false;
    const auto held = world->counters.jobs_pending.get();
    CHECK(held <= 2);
    world->is_answering = true;
    CHECK(world->ask(knock(world->phone("anna").token)).status == 202);
    for (ArrivedPush& push : world->pushes) {
        if (!push.is_answered) world->answer(push);
    }
    world->pass(seconds(30));
    for (const Phone& phone : left.phones) CHECK(world->pushes_to(phone) == 1);
    CHECK(left.shelf.pending().empty());
    world->leave();
}

TEST_CASE("while the provider is away, what was left stays on disk until it expires", "[pending]") {
    Left left(3);
    EngineWorld::Setup setup;
    setup.dials = Dials::refused;
    setup.options.resend_interval = seconds(10);
    const auto world = left.begin(setup);
    world->pass(minutes(1));
    CHECK(left.shelf.pending().size() == 3);

    SECTION("it comes back") {
        world->dials = Dials::succeed;
        world->pass(minutes(3));
        for (const Phone& phone : left.phones) CHECK(world->pushes_to(phone) == 1);
    }
    SECTION("it does not") {
        world->pass(hours(24));
        CHECK(world->outcomes(Outcome::expired) == 3);
        CHECK(world->pushes.empty());
    }
    CHECK(left.shelf.pending().empty());
    world->leave();
}

TEST_CASE("a process that is told to stop leaves what it has not read to the next", "[pending]") {
    Left left(5);
    EngineWorld::Setup setup;
    setup.dials = Dials::refused;
    auto world = left.begin(setup);
    world->drain();
    world->pass(minutes(3));
    CHECK(world->drained_count == 1);
    world->end();
    CHECK(left.shelf.pending().size() == 5);
    world->dials = Dials::succeed;
    world->start();
    world->pass(minutes(1));
    CHECK(world->pushes.size() == 5);
    CHECK(left.shelf.pending().empty());
    world->end();
}

TEST_CASE("a knock that comes before its phone's row is sent takes the place of it", "[pending]") {
    Left left(2);
    EngineWorld::Setup setup;
    setup.options.resend_interval = seconds(10);
    const auto world = left.begin(setup);
    CHECK(world->pushes_to(left.phones[0]) == 1);
    world->is_answering = false;
    Client& bob = world->connect();
    bob.says(knock(left.phones[1].token));
    world->pass(seconds(2));
    CHECK(bob.statuses() == std::vector{202});
    world->pass(seconds(20));
    world->is_answering = true;
    world->answer_all();
    world->pass(minutes(1));
    CHECK(world->outcomes(Outcome::delivered) == 2);
    CHECK(left.shelf.pending().empty());
    world->leave();
}

TEST_CASE("what is worth nothing is cleared as soon as the disk takes it", "[pending]") {
    Left left(3);
    EngineWorld::Setup setup;
    setup.options.apps[0].name = "another";
    setup.options.routes.apps[0].name = "another";
    setup.is_started = false;
    EngineWorld world(setup, left.shelf);
    world.now = left.end;
    world.is_store_queue_full = true;
    world.start();
    CHECK(left.shelf.pending().size() == 3);
    world.is_store_queue_full = false;
    world.pass(seconds(2));
    CHECK(left.shelf.pending().empty());
    CHECK(world.pushes.empty());
    world.leave();
}

}  // namespace knuckle::test
