// SPDX-License-Identifier: GPL-3.0-or-later
// What an earlier process left on disk: in which order it is sent, how fast, and how much of it is
// in our hands at once.
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
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

// "chat" and "zom", each with a provider of its own. What was left of zom is older.
struct TwoApps {
    TwoApps() {
        setup.is_started = false;
        setup.options.jobs_max = 8;
        setup.options.apps.push_back({.name = "zom", .lane = 1});
        setup.options.routes.apps.push_back({"zom", {"push.zom.example"}});
        engine::LaneOptions lane = setup.options.lanes[0];
        lane.name = "zom";
        lane.endpoint.host = lane.service.authority = "zom";
        setup.options.lanes.push_back(std::move(lane));
        for (const std::string app : {"zom", "chat"}) {
            for (size_t i = 0; i < kRows; ++i) leave_row(app, app + " " + std::to_string(i));
        }
    }
    void leave_row(const std::string& app, const std::string& name) {
        const store::Account account = shelf.has(store::an_account(name, app));
        store::Device device = store::a_device(account, name);
        device.proven_in = store::ProvenIn::production;
        shelf.has(device);
        store::Pending row = store::a_pending(device, ++rows);
        row.app = app;
        row.expires = store::kNoon + hours(24);
        shelf.has(row);
        registrations[app].push_back(device.registration_id);
    }

    static constexpr size_t kRows = 20;
    store::Shelf shelf;
    EngineWorld::Setup setup;
    size_t rows = 0;
    std::map<std::string, std::vector<std::string>> registrations;  // by app, the oldest row first
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

TEST_CASE("an app whose provider takes nothing does not hold up what was left of another",
          "[pending]") {
    TwoApps left;
    EngineWorld world(left.setup, left.shelf);
    const auto refuse_zom = [&](std::optional<ProviderAnswer> with) {
        world.on_push = [&world, with](ArrivedPush& push) {
            if (push.authority != "zom") {
                world.answer(push);
            } else if (with) {
                world.answer(push, *with);
            }
        };
    };
    SECTION("nobody is there") { world.away = "zom"; }
    SECTION("it says nothing") { refuse_zom({}); }
    SECTION("it puts each of them off") {
        refuse_zom(ProviderAnswer{.status = 429, .reason = "TooManyRequests"});
    }

    world.start();
    for (int i = 0; i < 30; ++i) {
        world.pass(seconds(1));
        CHECK(world.counters.jobs_pending.get() <= 4);
    }
    std::vector<std::string> arrived;
    for (const ArrivedPush& push : world.pushes) {
        if (push.authority != "zom") arrived.push_back(push.device);
    }
    CHECK(arrived == left.registrations["chat"]);
    CHECK(left.shelf.pending().size() == TwoApps::kRows);

    // When it is well again, they go, too.
    world.away.clear();
    world.on_push = nullptr;
    world.pass(hours(1));
    CHECK(left.shelf.pending().empty());
    CHECK(world.outcomes(Outcome::delivered) == 2 * TwoApps::kRows);
    world.leave();
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
