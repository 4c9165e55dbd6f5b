// SPDX-License-Identifier: GPL-3.0-or-later
// What a knock's sender is told, when, and what becomes of its pushes.
#include <map>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "engine/knock.h"
#include "tests/support/engine_world.h"

namespace knuckle::test {

namespace {

using metrics::KnockResult;
using push::Outcome;
using Statuses = std::vector<int>;

store::Device second_phone(EngineWorld& world, const Phone& first, const std::string& name) {
    store::Device phone = store::a_device(first.account, name);
    phone.proven_in = store::ProvenIn::production;
    return world.shelf.has(phone);
}

}  // namespace

TEST_CASE("a knock is answered when the provider has answered, not before", "[knock]") {
    EngineWorld world;
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& bob = world.connect();
    bob.says(knock(anna.token));
    world.run();
    REQUIRE(world.pushes.size() == 1);
    CHECK(world.pushes[0].device == anna.device.registration_id);
    CHECK(world.pushes[0].payload.find(anna.token.text) != std::string::npos);
    CHECK(bob.heard.empty());

    world.answer_all();
    CHECK(bob.statuses() == Statuses{202});
    CHECK(bob.last().body ==
          R"({"token":")" + anna.token.text + R"(","data":null,"priority":null})");
    CHECK(world.knocks(KnockResult::delivered) == 1);
    CHECK(world.shelf.pending().empty());
    world.leave();
}

TEST_CASE("an unknown token is 404 without a body, and so is an expired one", "[knock]") {
    EngineWorld world;
    const Phone anna = world.phone("anna");
    store::Token unknown = anna.token;
    unknown.text = store::secret_of("nobody's");
    const HttpAnswer refusal = world.ask(knock(unknown));
    CHECK(refusal.status == 404);
    CHECK(refusal.body.empty());

    world.pass(hours(24) * 31);
    CHECK(world.ask(knock(anna.token)).status == 404);
    CHECK(world.knocks(KnockResult::unknown_token) == 2);
    CHECK(world.pushes.empty());
    world.leave();
}

TEST_CASE("two phones ring for one knock, which is answered after both", "[knock]") {
    EngineWorld world;
    const Phone anna = world.phone("anna");
    second_phone(world, anna, "anna's other phone");
    CHECK(world.ask(knock(anna.token)).status == 202);  // past the first stream
    world.pushes.clear();

    world.is_answering = false;
    Client& bob = world.connect();
    bob.says(knock(anna.token));
    world.run();
    REQUIRE(world.pushes.size() == 2);
    CHECK(world.pushes[0].device != world.pushes[1].device);
    CHECK(world.pushes[0].id != world.pushes[1].id);
    world.answer(world.pushes[1]);
    world.run();
    CHECK(bob.heard.empty());
    world.answer(world.pushes[0]);
    world.run();
    CHECK(bob.statuses() == Statuses{202});
    world.leave();
}

TEST_CASE(
    "pushes to a phone that the provider may not know take a connection of their own, until "
    "it has taken one",
    "[knock]") {
    EngineWorld world;
    const Phone anna = world.phone("anna");
    const Phone bob = world.new_phone("bob");
    const auto rings = [&](const Phone& phone) {
        CHECK(world.ask(knock(phone.token)).status == 202);
        REQUIRE_FALSE(world.pushes.empty());
        CHECK(world.pushes.back().device == phone.device.registration_id);
        return world.pushes.back().connection;
    };
    const auto fleet = rings(anna);
    CHECK(rings(bob) != fleet);
    CHECK(world.shelf.devices_of(bob.account).front().proven_in == store::ProvenIn::production);
    CHECK(rings(bob) == fleet);
    CHECK(rings(anna) == fleet);
    const size_t writes = world.writes_count;
    CHECK(rings(bob) == fleet);
    CHECK(world.writes_count == writes);
    world.leave();
}

TEST_CASE("a refusal proves nothing", "[knock]") {
    EngineWorld world;
    const Phone anna = world.phone("anna");
    const Phone bob = world.new_phone("bob");
    CHECK(world.ask(knock(anna.token)).status == 202);
    world.is_answering = false;
    Client& carol = world.connect();
    carol.says(knock(bob.token));
    world.run();
    world.answer(world.pushes.back(), {.status = 400, .reason = "DeviceTokenNotForTopic"});
    world.run();
    CHECK(carol.statuses() == Statuses{202});
    CHECK(world.shelf.devices_of(bob.account).front().proven_in == store::ProvenIn::nowhere);
    world.leave();
}

namespace {

// An app in both environments, and what the provider there says to a phone of one of them.
struct TwinWorld : EngineWorld {
    static Setup setup(bool is_started = true) {
        Setup setup;
        setup.is_started = is_started;
        setup.add_twin();
        return setup;
    }
    TwinWorld() : EngineWorld(setup()) { obey(); }
    // Not started yet.
    explicit TwinWorld(store::Shelf& others) : EngineWorld(setup(false), others) { obey(); }

    void obey() {
        on_push = [this](ArrivedPush& push) {
            const auto home = homes.find(push.device);
            const bool is_home = home == homes.end() || home->second == push.authority;
            answer(push,
                   is_home ? ProviderAnswer{}
                           : ProviderAnswer{.status = 400, .reason = "BadDeviceToken"});
        };
    }
    // Knocks, and says by which ways that was tried.
    std::vector<std::string> ways(const Phone& phone) {
        pushes.clear();
        CHECK(ask(knock(phone.token)).status == 202);
        std::vector<std::string> tried;
        for (const ArrivedPush& push : pushes) tried.push_back(push.authority);
        return tried;
    }
    store::Device device(const Phone& phone) { return shelf.devices_of(phone.account).front(); }

    std::map<std::string, std::string> homes;  // of device tokens; any other is good in both
};

using Ways = std::vector<std::string>;

}  // namespace

TEST_CASE("a phone of an unknown environment is tried in both, and the right one is remembered",
          "[knock]") {
    TwinWorld world;
    const Phone anna = world.new_phone("anna");
    const Phone bob = world.new_phone("bob");
    world.homes = {{anna.device.registration_id, "localhost"},
                   {bob.device.registration_id, "sandbox"}};
    CHECK(world.ways(anna) == Ways{"localhost"});
    CHECK(world.ways(bob) == Ways{"localhost", "sandbox"});
    CHECK(world.pushes[0].id == world.pushes[1].id);
    CHECK(world.device(bob).proven_in == store::ProvenIn::sandbox);
    const size_t writes = world.writes_count;
    CHECK(world.ways(bob) == Ways{"sandbox"});
    CHECK(world.ways(anna) == Ways{"localhost"});
    CHECK(world.writes_count == writes);
    CHECK(world.knocks(metrics::KnockResult::delivered) == 4);
    world.leave();
}

TEST_CASE("a phone that changes its environment is found again", "[knock]") {
    TwinWorld world;
    const Phone anna = world.phone("anna", store::ProvenIn::sandbox);
    world.homes = {{anna.device.registration_id, "localhost"}};
    CHECK(world.ways(anna) == Ways{"sandbox", "localhost"});
    CHECK(world.device(anna).proven_in == store::ProvenIn::production);
    CHECK(world.ways(anna) == Ways{"localhost"});
    world.leave();
}

TEST_CASE("a phone that both environments refuse is kept until both are known to work", "[knock]") {
    TwinWorld world;
    const Phone anna = world.phone("anna");
    const Phone bob = world.phone("bob", store::ProvenIn::sandbox);
    const Phone carol = world.new_phone("carol");
    world.homes = {{carol.device.registration_id, "nowhere"}};
    const Ways both{"localhost", "sandbox"};
    CHECK(world.ways(carol) == both);
    CHECK(world.ways(anna) == Ways{"localhost"});
    CHECK(world.ways(carol) == both);
    CHECK_FALSE(world.device(carol).is_dead);
    CHECK(world.ways(bob) == Ways{"sandbox"});
    CHECK(world.ways(carol) == both);
    CHECK(world.device(carol).is_dead);
    CHECK(world.ways(carol).empty());
    world.leave();
}

TEST_CASE("a push whose environment was being looked for survives kill -9", "[knock]") {
    const auto shelf = make_shelf();
    std::optional<Phone> anna;
    {
        TwinWorld world(*shelf);
        world.start();
        anna = world.new_phone("anna");
        world.on_push = [&](ArrivedPush& push) {
            if (push.authority == "localhost")
                world.answer(push, {.status = 400, .reason = "BadDeviceToken"});
        };
        Client& bob = world.connect();
        bob.says(knock(anna->token));
        world.pass(seconds(3));
        CHECK(bob.statuses() == Statuses{202});
        world.crash();
    }
    TwinWorld world(*shelf);
    world.homes = {{anna->device.registration_id, "sandbox"}};
    world.start();
    world.pass(seconds(5));
    REQUIRE(world.pushes.size() == 2);
    CHECK(world.pushes[1].authority == "sandbox");
    CHECK(world.device(*anna).proven_in == store::ProvenIn::sandbox);
    CHECK(world.counters.jobs_pending.get() == 0);
    world.leave();
}

TEST_CASE("a knock that wakes nobody is accepted and goes nowhere", "[knock]") {
    EngineWorld world;
    const Phone anna = world.phone("anna");
    const std::string low = R"({"token":")" + anna.token.text + R"(","priority":"low"})";
    CHECK(world.ask(request("POST", "messages/", low)).status == 202);

    store::Device odd = anna.device;
    odd.registration_id = "not what Apple gives out";
    REQUIRE(world.shelf.write(store::UpdateDevice{odd}) == store::WriteStatus::done);
    CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.knocks(KnockResult::no_device) == 2);
    CHECK(world.pushes.empty());
    world.leave();
}

TEST_CASE("a sender that hangs up before the answer harms nobody", "[knock]") {
    EngineWorld world;
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& bob = world.connect();
    bob.says(knock(anna.token));
    world.run();
    bob.hangs_up();
    world.run();
    // The next one gets bob's place, and must not get his answer.
    Client& carol = world.connect();
    CHECK(carol.wire.id.index == bob.wire.id.index);
    carol.says(knock(anna.token));
    world.run();
    world.answer(world.pushes[0]);
    world.run();
    CHECK(carol.heard.empty());
    CHECK(world.knocks(KnockResult::abandoned) == 1);

    REQUIRE(world.pushes.size() == 2);
    world.answer_all();
    CHECK(carol.statuses() == Statuses{202});
    world.leave();
}

TEST_CASE("when the provider is silent, the knock is stored and answered after the commit",
          "[knock]") {
    EngineWorld world;
    world.is_answering = false;
    world.is_disk_slow = true;
    const Phone anna = world.phone("anna");
    Client& bob = world.connect();
    bob.says(knock(anna.token));
    world.pass(milliseconds(1'999));
    CHECK(world.writes_waiting() == 0);
    world.pass(milliseconds(1));
    CHECK(world.writes_waiting() == 1);
    world.pass(seconds(1));
    CHECK(bob.heard.empty());

    world.commit();
    world.run();
    CHECK(bob.statuses() == Statuses{202});
    CHECK(world.knocks(KnockResult::stored) == 1);
    REQUIRE(world.shelf.pending().size() == 1);
    CHECK(world.shelf.pending()[0].payload == world.pushes[0].payload);
    CHECK(Uuid::parse(world.pushes[0].id) == world.shelf.pending()[0].push);
    CHECK(world.counters.jobs_pending.get() == 1);

    world.answer_all();
    world.commit();
    CHECK(world.shelf.pending().empty());
    CHECK(world.counters.jobs_pending.get() == 0);
    world.is_disk_slow = false;
    world.leave();
}

TEST_CASE("the provider's answer comes first: the commit still under way is nobody's any more",
          "[knock]") {
    EngineWorld world;
    world.is_answering = false;
    world.is_disk_slow = true;
    const Phone anna = world.phone("anna");
    Client& bob = world.connect();
    bob.says(knock(anna.token));
    world.pass(seconds(2));
    world.answer_all();
    CHECK(bob.statuses() == Statuses{202});
    CHECK(world.knocks(KnockResult::delivered) == 1);
    world.commit();
    world.run();
    CHECK(bob.statuses() == Statuses{202});
    CHECK(world.shelf.pending().empty());
    world.is_disk_slow = false;
    world.leave();
}

TEST_CASE("a push that can neither be sent nor stored is 503, and goes on being tried", "[knock]") {
    EngineWorld world;
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& bob = world.connect();
    bob.says(knock(anna.token));
    SECTION("the disk is broken") { world.is_disk_broken = true; }
    SECTION("the committer's queue is full") { world.is_store_queue_full = true; }
    world.pass(seconds(2));
    CHECK(bob.statuses() == Statuses{503});
    CHECK(bob.last().field("Retry-After") == std::to_string(engine::kRetryAfterSeconds));
    CHECK(world.knocks(KnockResult::store_failed) == 1);

    world.is_disk_broken = world.is_store_queue_full = false;
    world.answer_all();
    CHECK(world.outcomes(Outcome::delivered) == 1);
    CHECK(world.counters.jobs_pending.get() == 0);
    world.leave();
}

TEST_CASE("when our hands are full a knock is 503, until they are free again", "[knock]") {
    EngineWorld::Setup setup;
    setup.options.jobs_max = 2;
    EngineWorld world(setup);
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& bob = world.connect();
    Client& carol = world.connect();
    bob.says(knock(anna.token));
    carol.says(knock(anna.token));
    world.run();
    const HttpAnswer refusal = world.ask(knock(anna.token));
    CHECK(refusal.status == 503);
    CHECK(refusal.field("Retry-After") == std::to_string(engine::kRetryAfterSeconds));
    CHECK(world.knocks(KnockResult::overloaded) == 1);

    world.answer_all();  // one stream until the first answer
    world.answer_all();
    world.is_answering = true;
    CHECK(world.ask(knock(anna.token)).status == 202);
    world.leave();
}

TEST_CASE("a knock that finds room for only one of two pushes leaves nothing behind", "[knock]") {
    EngineWorld::Setup setup;
    setup.options.jobs_max = 1;
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    const Phone ben = world.phone("ben");
    second_phone(world, anna, "anna's other phone");
    CHECK(world.ask(knock(anna.token)).status == 503);
    CHECK(world.pushes.empty());
    CHECK(world.ask(knock(ben.token)).status == 202);
    world.leave();
}

TEST_CASE("while the provider cannot be reached, knocks go to the disk without waiting",
          "[knock]") {
    EngineWorld::Setup setup;
    setup.dials = Dials::refused;
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.knocks(KnockResult::stored) == 1);
    CHECK(world.shelf.pending().size() == 1);

    world.dials = Dials::succeed;
    world.pass(minutes(1));
    CHECK(world.pushes_to(anna) == 1);
    CHECK(world.shelf.pending().empty());
    world.leave();
}

TEST_CASE("of the knocks for one phone that wait, the newest is kept, on disk and in memory",
          "[knock]") {
    EngineWorld::Setup setup;
    setup.dials = Dials::refused;
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    CHECK(world.ask(knock(anna.token)).status == 202);
    const Uuid first = world.shelf.pending()[0].push;
    CHECK(world.ask(knock(anna.token)).status == 202);
    REQUIRE(world.shelf.pending().size() == 1);
    CHECK(world.shelf.pending()[0].push != first);
    CHECK(world.counters.jobs_pending.get() == 1);

    world.dials = Dials::succeed;
    world.pass(minutes(1));
    CHECK(world.pushes_to(anna) == 1);
    CHECK(world.shelf.pending().empty());
    CHECK(world.counters.jobs_pending.get() == 0);
    world.leave();
}

// Found by the simulator.
TEST_CASE("an older knock that is stored later leaves the newer one's row alone", "[knock]") {
    EngineWorld world;
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& older = world.connect();
    older.says(knock(anna.token));
    world.run();
    world.dials = Dials::refused;
    world.hang_up(world.provider());
    world.run();
    CHECK(world.ask(knock(anna.token)).status == 202);
    const Uuid newer = world.shelf.pending()[0].push;
    world.pass(seconds(2));
    CHECK(older.statuses() == std::vector{202});
    REQUIRE(world.shelf.pending().size() == 1);
    CHECK(world.shelf.pending()[0].push == newer);
    world.leave();
}

// Found by the simulator.
TEST_CASE("a clock that is set back makes no knock older than it is", "[knock]") {
    const bool is_restarted = GENERATE(false, true);
    EngineWorld::Setup setup;
    setup.dials = Dials::refused;
    const auto shelf = make_shelf();
    auto world = std::make_unique<EngineWorld>(setup, *shelf);
    const Phone anna = world->phone("anna");
    CHECK(world->ask(knock(anna.token)).status == 202);
    const Uuid first = shelf->pending()[0].push;
    if (is_restarted) {
        world->crash();
        setup.is_started = false;
        setup.seed = 2;
        world = std::make_unique<EngineWorld>(setup, *shelf);
        world->now.unix = world->now.unix + hours(-1);
        world->start();
    } else {
        world->now.unix = world->now.unix + hours(-1);
    }
    CHECK(world->ask(knock(anna.token)).status == 202);
    REQUIRE(shelf->pending().size() == 1);
    CHECK(shelf->pending()[0].push != first);
    world->leave();
}

TEST_CASE("when the disk has as many pushes as it may have, a knock for one more phone is 503",
          "[knock]") {
    store::Shelf shelf;
    shelf.pending_limits.rows_max = 1;
    shelf.reopen();
    EngineWorld::Setup setup;
    setup.dials = Dials::refused;
    EngineWorld world(setup, shelf);
    const Phone anna = world.phone("anna");
    const Phone ben = world.phone("ben");
    CHECK(world.ask(knock(anna.token)).status == 202);
    const HttpAnswer refusal = world.ask(knock(ben.token));
    CHECK(refusal.status == 503);
    CHECK(refusal.field("Retry-After") == std::to_string(engine::kRetryAfterSeconds));
    CHECK(world.knocks(KnockResult::overloaded) == 1);
    CHECK(world.ask(knock(anna.token)).status == 202);
    world.dials = Dials::succeed;
    world.pass(minutes(1));
    CHECK(world.pushes_to(anna) == 1);
    CHECK(shelf.pending().empty());
    CHECK(world.ask(knock(ben.token)).status == 202);
    world.leave();
}

TEST_CASE("hours without a provider cost as many pushes as there are phones", "[knock]") {
    EngineWorld::Setup setup;
    setup.dials = Dials::refused;
    setup.options.jobs_max = 4;
    setup.options.limits.set(engine::Limit::alert_window, engine::rate_of(1, seconds(1)));
    EngineWorld world(setup);
    const std::vector<Phone> phones = {world.phone("anna"), world.phone("ben")};
    for (int i = 0; i < 500; ++i) {
        for (const Phone& phone : phones) CHECK(world.ask(knock(phone.token)).status == 202);
        world.pass(seconds(i % 10 == 0 ? 60 : 1));
    }
    CHECK(world.shelf.pending().size() == 2);
    CHECK(world.counters.jobs_pending.get() == 2);
    CHECK(world.counters.pushes_superseded.get() == 998);

    world.dials = Dials::succeed;
    world.pass(minutes(2));
    for (const Phone& phone : phones) CHECK(world.pushes_to(phone) == 1);
    CHECK(world.shelf.pending().empty());
    world.leave();
}

TEST_CASE("a knock is answered at once where the operator wants it, and stored all the same",
          "[knock]") {
    EngineWorld::Setup setup;
    setup.options.acks_at_once = true;
    setup.options.limits.set(engine::Limit::knocks_per_token, engine::rate_of(2, minutes(1)));
    EngineWorld world(setup);
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.shelf.pending().empty());
    world.pass(seconds(2));
    CHECK(world.shelf.pending().size() == 1);

    SECTION("its pushes go on") {
        world.answer_all();
        CHECK(world.outcomes(Outcome::delivered) == 1);
        CHECK(world.shelf.pending().empty());
        CHECK(world.knocks(KnockResult::accepted) == 1);
    }
    SECTION("and it outlives the process") {
        world.crash();
        world.is_answering = true;
        world.start();
        CHECK(world.pushes_to(anna) == 2);
    }
    SECTION("whoever is over a limit does not wait for the disk either") {
        world.answer_all();
        world.is_disk_slow = true;
        for (int i = 0; i < 3; ++i) CHECK(world.ask(knock(anna.token)).status == 202);
        CHECK(world.knocks(KnockResult::accepted) == 3);
        CHECK(world.knocks(KnockResult::coalesced) == 1);
        world.is_disk_slow = false;
        world.is_answering = true;
        world.answer_all();
        world.pass(minutes(1));
        CHECK(world.pushes_to(anna) == 3);
    }
    world.leave();
}

TEST_CASE("what was stored is sent after a restart, as the same push", "[knock]") {
    EngineWorld world;
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& bob = world.connect();
    bob.says(knock(anna.token));
    world.pass(seconds(2));
    CHECK(bob.statuses() == Statuses{202});
    SECTION("in good order") { world.end(); }
    SECTION("after kill -9") { world.crash(); }
    world.is_answering = true;
    world.start();
    REQUIRE(world.pushes.size() == 2);
    CHECK(world.pushes[1].id == world.pushes[0].id);
    CHECK(world.pushes[1].payload == world.pushes[0].payload);
    CHECK(world.pushes[1].connection == 2);
    CHECK(world.shelf.pending().empty());
    CHECK(world.counters.jobs_pending.get() == 0);
    world.leave();
}

TEST_CASE("what is worth nothing any more after a restart is not sent", "[knock]") {
    EngineWorld world;
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    world.connect().says(knock(anna.token));
    world.pass(seconds(2));
    world.end();
    REQUIRE(world.shelf.pending().size() == 1);
    world.pushes.clear();
    store::Device device = anna.device;
    SECTION("it expired") { world.advance_to(world.now.instant + hours(25)); }
    SECTION("the owner switched the phone off") {
        device.is_active = false;
        REQUIRE(world.shelf.write(store::UpdateDevice{device}) == store::WriteStatus::done);
    }
    SECTION("the provider said that the phone is gone") {
        device.is_dead = true;
        REQUIRE(world.shelf.write(store::UpdateDevice{device}) == store::WriteStatus::done);
    }
    world.is_answering = true;
    world.start();
    CHECK(world.pushes.empty());
    CHECK(world.shelf.pending().empty());
    world.leave();
}

TEST_CASE("two workers share what an earlier process left, and each row is sent once", "[knock]") {
    store::Shelf shelf;
    EngineWorld::Setup setup;
    setup.dials = Dials::refused;
    std::vector<Phone> phones;
    {
        EngineWorld before(setup, shelf);
        for (int i = 0; i < 20; ++i) {
            phones.push_back(before.phone("phone " + std::to_string(i)));
            CHECK(before.ask(knock(phones.back().token)).status == 202);
        }
    }
    REQUIRE(shelf.pending().size() == 20);
    setup.dials = Dials::succeed;
    setup.options.workers = 2;
    EngineWorld first(setup, shelf);
    CHECK(!first.pushes.empty());
    CHECK(first.pushes.size() < 20);
    // The second one comes up when the first has already sent and cleared its share.
    setup.worker = 1;
    EngineWorld second(setup, shelf);
    CHECK(shelf.pending().empty());
    for (const Phone& phone : phones) CHECK(first.pushes_to(phone) + second.pushes_to(phone) == 1);
    first.leave();
    second.leave();
}

TEST_CASE("a phone that the provider calls gone is not rung again", "[knock]") {
    EngineWorld world;
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& bob = world.connect();
    bob.says(knock(anna.token));
    world.run();
    world.answer_all({.status = 410, .reason = "Unregistered"});
    CHECK(bob.statuses() == Statuses{202});
    CHECK(world.knocks(KnockResult::undeliverable) == 1);
    CHECK(world.shelf.devices_of(anna.account)[0].is_dead);
    CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.pushes_to(anna) == 1);
    world.leave();
}

TEST_CASE("what the provider says of an earlier registration does not hurt a later one",
          "[knock]") {
    EngineWorld world;
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    world.connect().says(knock(anna.token));
    world.run();
    SECTION("the provider says since when, and the app registered after that") {
        world.answer_all(
            {.status = 410, .reason = "Unregistered", .timestamp_ms = store::kNoon.us / 1'000 - 5});
    }
    SECTION("the app registered again while the push was under way, which goes there then") {
        store::Device again = anna.device;
        again.registered = store::kNoon + seconds(1);
        again.registration_id = std::string(64, 'b');
        REQUIRE(world.shelf.write(store::UpdateDevice{again}) == store::WriteStatus::done);
        world.answer_all({.status = 410, .reason = "Unregistered"});
        REQUIRE(world.pushes.size() == 2);
        CHECK(world.pushes[1].device == again.registration_id);
        CHECK(world.pushes[1].id == world.pushes[0].id);
        world.answer_all();
        CHECK(world.knocks(KnockResult::delivered) == 1);
    }
    CHECK_FALSE(world.shelf.devices_of(anna.account)[0].is_dead);
    world.leave();
}

TEST_CASE("a provider in trouble is asked again, more and more slowly", "[knock]") {
    EngineWorld world;
    std::vector<Instant> tries;
    world.on_push = [&](ArrivedPush& push) {
        tries.push_back(world.now.instant);
        world.answer(push, {.status = 503, .reason = "ServiceUnavailable"});
    };
    const Phone anna = world.phone("anna");
    Client& bob = world.connect();
    bob.says(knock(anna.token));
    world.pass(minutes(30));
    CHECK(bob.statuses() == Statuses{202});
    REQUIRE(tries.size() >= 5);
    CHECK(tries.size() < 15);
    CHECK(tries[1] - tries[0] >= seconds(1));
    CHECK(tries[4] - tries[3] > tries[1] - tries[0]);
    for (const ArrivedPush& push : world.pushes) CHECK(push.id == world.pushes[0].id);

    world.on_push = nullptr;
    world.pass(minutes(15));
    CHECK(world.outcomes(Outcome::delivered) == 1);
    CHECK(world.shelf.pending().empty());
    world.leave();
}

TEST_CASE("a provider that names a time is not asked before it", "[knock]") {
    EngineWorld world;
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    world.connect().says(knock(anna.token));
    world.run();
    world.answer_all({.status = 429, .reason = "TooManyRequests", .retry_after = "600"});
    world.is_answering = true;
    world.pass(seconds(599));
    CHECK(world.pushes_to(anna) == 1);
    world.pass(seconds(1));
    CHECK(world.pushes_to(anna) == 2);
    world.leave();
}

TEST_CASE("a push that expires while it waits is dropped, and its row with it", "[knock]") {
    EngineWorld::Setup setup;
    setup.dials = Dials::refused;
    setup.options.lanes[0].service.expiration = minutes(5);
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    CHECK(world.ask(knock(anna.token)).status == 202);
    world.pass(minutes(5));
    world.dials = Dials::succeed;
    world.pass(minutes(2));
    CHECK(world.pushes.empty());
    CHECK(world.outcomes(Outcome::expired) == 1);
    CHECK(world.shelf.pending().empty());
    world.leave();
}

}  // namespace knuckle::test
