// SPDX-License-Identifier: GPL-3.0-or-later
// Abuse: what becomes of those who knock, log in or make tokens too often, and that nobody else
// notices. Times are those of the clocks in the world, which stand still unless they are moved.
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/support/engine_world.h"

namespace knuckle::test {

namespace {

using engine::Limit;
using engine::rate_of;
using metrics::KnockResult;
using Statuses = std::vector<int>;

EngineWorld::Setup limited(Limit limit, uint32_t count, Duration period) {
    EngineWorld::Setup setup;
    setup.options.limits.set(limit, rate_of(count, period));
    return setup;
}
// Two knocks at once, then one in half a minute.
EngineWorld::Setup two_per_token() { return limited(Limit::knocks_per_token, 2, minutes(1)); }

store::Token another_token(EngineWorld& world, const Phone& phone) {
    return world.shelf.has(store::a_token(phone.device, "another"));
}

std::string log_in(std::string_view name, std::string_view fields = {}) {
    return request("POST",
                   "accounts/",
                   R"({"username":")" + std::string(name) + R"(","password":"secret"})",
                   fields);
}
std::string create_token(const Phone& phone) {
    return request("POST",
                   "tokens/",
                   R"({"apns_device":")" + phone.device.id.text() + R"("})",
                   authorized(phone.account.auth_token));
}
std::string real_ip(std::string_view address) {
    return "X-Real-IP: " + std::string(address) + "\r\n";
}
uint64_t over(const EngineWorld& world, Limit limit) {
    return world.counters.limited[static_cast<size_t>(limit)].get();
}

}  // namespace

// ---- knocks over the limit of a token or an account ----

TEST_CASE("of too many knocks the first is deferred and the others are made one with it",
          "[limits]") {
    EngineWorld world(two_per_token());
    const Phone anna = world.phone("anna");
    for (int i = 0; i < 20; ++i) CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.pushes_to(anna) == 2);
    CHECK(world.knocks(KnockResult::delivered) == 2);
    CHECK(world.knocks(KnockResult::stored) == 1);
    CHECK(world.knocks(KnockResult::coalesced) == 17);
    CHECK(over(world, Limit::knocks_per_token) == 18);
    CHECK(world.shelf.pending().size() == 1);

    world.pass(milliseconds(29'999));
    CHECK(world.pushes_to(anna) == 2);
    CHECK(world.ask(knock(anna.token)).status == 202);
    world.pass(milliseconds(1));
    CHECK(world.pushes_to(anna) == 3);
    CHECK(world.shelf.pending().empty());
    CHECK(world.counters.jobs_pending.get() == 0);

    // And so on, once each half minute, as long as it lasts.
    for (int i = 0; i < 60; ++i) {
        CHECK(world.ask(knock(anna.token)).status == 202);
        world.pass(seconds(1));
    }
    CHECK(world.pushes_to(anna) == 5);
    world.pass(minutes(5));
    for (int i = 0; i < 2; ++i) CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.knocks(KnockResult::delivered) == 4);
    world.leave();
}

TEST_CASE("others are not touched by the limit of one token", "[limits]") {
    EngineWorld world(two_per_token());
    const Phone anna = world.phone("anna");
    const Phone ben = world.phone("ben");
    const store::Token another = another_token(world, anna);
    for (int i = 0; i < 5; ++i) CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.ask(knock(another)).status == 202);
    CHECK(world.ask(knock(ben.token)).status == 202);
    CHECK(world.knocks(KnockResult::delivered) == 4);
    world.leave();
}

TEST_CASE("the limit of an account holds for all its tokens together", "[limits]") {
    EngineWorld world(limited(Limit::knocks_per_account, 2, minutes(1)));
    const Phone anna = world.phone("anna");
    const store::Token another = another_token(world, anna);
    for (int i = 0; i < 3; ++i) {
        CHECK(world.ask(knock(anna.token)).status == 202);
        CHECK(world.ask(knock(another)).status == 202);
    }
    CHECK(world.knocks(KnockResult::delivered) == 2);
    CHECK(world.knocks(KnockResult::coalesced) == 3);
    CHECK(over(world, Limit::knocks_per_account) == 4);
    world.pass(seconds(30));
    CHECK(world.pushes_to(anna) == 3);
    world.leave();
}

TEST_CASE("a knock that is to be seen is never made one with a push that is not", "[limits]") {
    EngineWorld::Setup setup = limited(Limit::knocks_per_token, 1, minutes(1));
    setup.options.limits.set(Limit::knocks_per_account, rate_of(1, minutes(1)));
    setup.options.apps[0].low_style = push::Style::background;
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    const std::string low = R"({"token":")" + anna.token.text + R"(","priority":"low"})";
    for (int i = 0; i < 3; ++i) CHECK(world.ask(request("POST", "messages/", low)).status == 202);
    CHECK(world.knocks(KnockResult::coalesced) == 1);
    CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.knocks(KnockResult::delivered) == 2);
    CHECK(world.pushes.back().payload.find("New Message!") != std::string::npos);
    world.leave();
}

TEST_CASE("over both limits a knock waits for the later one", "[limits]") {
    EngineWorld::Setup setup = limited(Limit::knocks_per_token, 1, seconds(10));
    setup.options.limits.set(Limit::knocks_per_account, rate_of(1, seconds(40)));
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    const store::Token another = another_token(world, anna);
    CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.ask(knock(anna.token)).status == 202);
    // Its own limit has room; what its account has deferred will do.
    CHECK(world.ask(knock(another)).status == 202);
    CHECK(world.knocks(KnockResult::coalesced) == 1);
    world.pass(milliseconds(39'999));
    CHECK(world.pushes_to(anna) == 1);
    world.pass(milliseconds(1));
    CHECK(world.pushes_to(anna) == 2);
    world.leave();
}

TEST_CASE("a push that was put off goes where its phone is by then", "[limits]") {
    EngineWorld world(two_per_token());
    const Phone anna = world.phone("anna");
    for (int i = 0; i < 3; ++i) CHECK(world.ask(knock(anna.token)).status == 202);
    REQUIRE(world.pushes.size() == 2);
    store::Device again = anna.device;
    again.registration_id = std::string(64, 'b');
    again.registered = again.registered + seconds(5);
    SECTION("under another registration") {
        REQUIRE(world.shelf.write(store::UpdateDevice{again}) == store::WriteStatus::done);
        world.pass(minutes(1));
        REQUIRE(world.pushes.size() == 3);
        CHECK(world.pushes.back().device == again.registration_id);
    }
    SECTION("switched off") {
        again.is_active = false;
        REQUIRE(world.shelf.write(store::UpdateDevice{again}) == store::WriteStatus::done);
        world.pass(minutes(1));
        CHECK(world.pushes.size() == 2);
    }
    SECTION("gone") {
        REQUIRE(world.shelf.write(store::DeleteDevice{anna.account.id, anna.device.id}) ==
                store::WriteStatus::done);
        world.pass(minutes(1));
        CHECK(world.pushes.size() == 2);
    }
    CHECK(world.shelf.pending().empty());
    CHECK(world.counters.jobs_pending.get() == 0);
    world.leave();
}

TEST_CASE("a quiet contact does not wait for what a noisy one has put off", "[limits]") {
    EngineWorld::Setup setup = two_per_token();
    const bool has_window = GENERATE(true, false);
    if (has_window) {
        setup.options.limits.set(Limit::alert_window, rate_of(1, seconds(1)));
    } else {
        setup.options.limits.set(Limit::knocks_per_account, rate_of(1, seconds(1)));
    }
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    const store::Token quiet = another_token(world, anna);
    for (int i = 0; i < 2; ++i) {
        CHECK(world.ask(knock(anna.token)).status == 202);
        world.pass(i == 0 ? seconds(2) : milliseconds(200));
    }
    REQUIRE(world.pushes_to(anna) == 2);
    // Its own limit makes it wait for half a minute, the account's for less than a second.
    CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.ask(knock(quiet)).status == 202);
    CHECK(world.ask(knock(quiet)).status == 202);
    CHECK(world.knocks(KnockResult::stored) == 2);
    CHECK(world.knocks(KnockResult::coalesced) == 1);
    world.pass(milliseconds(1'799));
    CHECK(world.pushes_to(anna) == 2);
    world.pass(milliseconds(1));
    CHECK(world.pushes_to(anna) == 3);
    // More noise is made one with the noise before.
    for (int i = 0; i < 5; ++i) CHECK(world.ask(knock(anna.token)).status == 202);
    world.pass(minutes(1));
    CHECK(world.pushes_to(anna) == 4);
    CHECK(world.shelf.pending().empty());
    world.leave();
}

TEST_CASE("a knock is made one only with a push that there is", "[limits]") {
    EngineWorld::Setup setup = limited(Limit::knocks_per_token, 1, minutes(1));
    setup.options.jobs_max = 1;
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    CHECK(world.ask(knock(anna.token)).status == 202);
    SECTION("not with one that found no room") {
        world.is_answering = false;
        world.connect().says(knock(world.phone("ben").token));
        world.run();
        CHECK(world.ask(knock(anna.token)).status == 503);
        world.answer_all();
        world.is_answering = true;
    }
    SECTION("not with one that had no device") {
        store::Device device = anna.device;
        device.is_active = false;
        REQUIRE(world.shelf.write(store::UpdateDevice{device}) == store::WriteStatus::done);
        CHECK(world.ask(knock(anna.token)).status == 202);
        CHECK(world.knocks(KnockResult::no_device) == 1);
        device.is_active = true;
        REQUIRE(world.shelf.write(store::UpdateDevice{device}) == store::WriteStatus::done);
    }
    CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.knocks(KnockResult::stored) == 1);
    world.pass(minutes(1));
    CHECK(world.pushes_to(anna) == 2);
    world.leave();
}

TEST_CASE("who is deferred or made one is answered when the disk has the push", "[limits]") {
    EngineWorld world(limited(Limit::knocks_per_token, 1, minutes(1)));
    const Phone anna = world.phone("anna");
    CHECK(world.ask(knock(anna.token)).status == 202);
    world.is_disk_slow = true;
    Client& bob = world.connect();
    Client& carol = world.connect();
    Client& dave = world.connect();
    bob.says(knock(anna.token));
    world.run();
    carol.says(knock(anna.token));
    dave.says(knock(anna.token));
    world.pass(seconds(5));
    CHECK(bob.heard.empty());
    CHECK(carol.heard.empty());
    CHECK(world.writes_waiting() == 1);  // a flood puts no load on the disk

    SECTION("it is on disk") {
        dave.hangs_up();
        world.run();
        world.commit();
        world.run();
        CHECK(bob.statuses() == Statuses{202});
        CHECK(carol.statuses() == Statuses{202});
        CHECK(world.knocks(KnockResult::stored) == 1);
        CHECK(world.knocks(KnockResult::coalesced) == 1);
        CHECK(world.knocks(KnockResult::abandoned) == 1);
    }
    SECTION("the disk is broken: nobody is told that it has it") {
        world.is_disk_broken = true;
        world.commit();
        world.run();
        world.is_disk_broken = false;
        CHECK(bob.statuses() == Statuses{503});
        CHECK(carol.statuses() == Statuses{503});
        CHECK(dave.statuses() == Statuses{503});
        CHECK(world.knocks(KnockResult::store_failed) == 3);
        // Who comes next does not rely on it, but tries the disk again.
        world.is_disk_slow = false;
        CHECK(world.ask(knock(anna.token)).status == 202);
        CHECK(world.knocks(KnockResult::stored) == 1);
        CHECK(world.ask(knock(anna.token)).status == 202);
        CHECK(world.knocks(KnockResult::coalesced) == 1);
    }
    world.is_disk_slow = false;
    world.pass(minutes(1));
    CHECK(world.pushes_to(anna) == 2);
    CHECK(world.ask(knock(anna.token)).status == 202);
    world.leave();
}

TEST_CASE("while the committer's queue is full, each knock that should be deferred is 503",
          "[limits]") {
    EngineWorld world(limited(Limit::knocks_per_token, 1, minutes(1)));
    const Phone anna = world.phone("anna");
    CHECK(world.ask(knock(anna.token)).status == 202);
    world.is_store_queue_full = true;
    CHECK(world.ask(knock(anna.token)).status == 503);
    CHECK(world.ask(knock(anna.token)).status == 503);
    world.is_store_queue_full = false;
    CHECK(world.ask(knock(anna.token)).status == 202);
    world.pass(minutes(1));
    CHECK(world.pushes_to(anna) == 2);
    CHECK(world.ask(knock(anna.token)).status == 202);
    world.leave();
}

TEST_CASE("a deferred push survives whatever ends the process, and then goes out at once",
          "[limits]") {
    EngineWorld world(limited(Limit::knocks_per_token, 1, minutes(1)));
    const Phone anna = world.phone("anna");
    for (int i = 0; i < 3; ++i) CHECK(world.ask(knock(anna.token)).status == 202);
    SECTION("in good order") {
        world.drain();
        CHECK(world.drained_count == 1);  // nobody waits for it
        world.end();
    }
    SECTION("after kill -9") { world.crash(); }
    CHECK(world.pushes_to(anna) == 1);
    world.start();
    CHECK(world.pushes_to(anna) == 2);
    CHECK(world.shelf.pending().empty());
    world.end();
}

TEST_CASE("what goes out before a deferred push does not take its place on disk", "[limits]") {
    EngineWorld world(limited(Limit::knocks_per_token, 1, minutes(1)));
    const Phone anna = world.phone("anna");
    const store::Token another = another_token(world, anna);
    for (int i = 0; i < 2; ++i) CHECK(world.ask(knock(anna.token)).status == 202);
    // For the same phone, stored because the provider is slow, then delivered and cleared.
    world.is_answering = false;
    Client& bob = world.connect();
    bob.says(knock(another));
    world.pass(seconds(2));
    CHECK(bob.statuses() == Statuses{202});
    world.answer_all();
    CHECK(world.pushes_to(anna) == 2);
    // Carol relies on what was deferred, and nothing rang since.
    CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.knocks(KnockResult::coalesced) == 1);
    world.crash();
    world.is_answering = true;
    world.start();
    CHECK(world.pushes_to(anna) == 3);
    world.leave();
}

TEST_CASE("a deferred push is worth as much when it goes out as any other", "[limits]") {
    EngineWorld::Setup setup = limited(Limit::knocks_per_token, 1, minutes(1));
    setup.options.lanes[0].service.expiration = minutes(1);
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    for (int i = 0; i < 2; ++i) CHECK(world.ask(knock(anna.token)).status == 202);
    world.pass(minutes(1));
    CHECK(world.outcomes(push::Outcome::delivered) == 2);
    world.leave();
}

TEST_CASE("two phones of one owner ring once for all that was deferred", "[limits]") {
    EngineWorld world(limited(Limit::knocks_per_token, 1, minutes(1)));
    const Phone anna = world.phone("anna");
    world.shelf.has(store::a_device(anna.account, "anna's other phone"));
    for (int i = 0; i < 5; ++i) CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.pushes.size() == 2);
    CHECK(world.shelf.pending().size() == 2);
    world.pass(minutes(1));
    CHECK(world.pushes.size() == 4);
    CHECK(world.shelf.pending().empty());
    world.leave();
}

TEST_CASE("a limit never makes a token look unknown, nor an unknown one known", "[limits]") {
    EngineWorld world(limited(Limit::knocks_per_token, 1, minutes(1)));
    const Phone anna = world.phone("anna");
    store::Token unknown = anna.token;
    unknown.text = store::secret_of("nobody's");
    for (int i = 0; i < 10; ++i) {
        CHECK(world.ask(knock(anna.token)).status == 202);
        CHECK(world.ask(knock(unknown)).status == 404);
    }
    world.leave();
}

TEST_CASE("deferred pushes leave room for those that may go out", "[limits]") {
    EngineWorld::Setup setup = limited(Limit::knocks_per_token, 1, minutes(1));
    setup.options.jobs_max = 4;
    EngineWorld world(setup);
    std::vector<Phone> phones;
    for (const char* name : {"anna", "ben", "carol"}) phones.push_back(world.phone(name));
    for (const Phone& phone : phones) CHECK(world.ask(knock(phone.token)).status == 202);
    CHECK(world.ask(knock(phones[0].token)).status == 202);
    CHECK(world.ask(knock(phones[1].token)).status == 202);
    CHECK(world.ask(knock(phones[2].token)).status == 503);
    CHECK(world.ask(knock(world.phone("dave").token)).status == 202);
    CHECK(world.knocks(KnockResult::delivered) == 4);
    world.pass(minutes(1));
    for (const Phone& phone : phones) CHECK(world.ask(knock(phone.token)).status == 202);
    world.pass(minutes(1));
    CHECK(world.shelf.pending().empty());
    world.leave();
}

// ---- windows: many knocks, one push ----

TEST_CASE("knocks in one window become one push at its end, besides the first at once",
          "[limits]") {
    EngineWorld world(limited(Limit::alert_window, 1, seconds(1)));
    const Phone anna = world.phone("anna");
    const Phone ben = world.phone("ben");
    const store::Token another = another_token(world, anna);
    CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.knocks(KnockResult::delivered) == 1);
    world.pass(milliseconds(300));
    CHECK(world.ask(knock(another)).status == 202);
    CHECK(world.shelf.pending().size() == 1);  // the phone may have fetched already
    world.pass(milliseconds(300));
    for (int i = 0; i < 5; ++i) CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.knocks(KnockResult::stored) == 1);
    CHECK(world.knocks(KnockResult::coalesced) == 5);
    CHECK(over(world, Limit::alert_window) == 6);
    CHECK(world.ask(knock(ben.token)).status == 202);
    CHECK(world.pushes_to(ben) == 1);

    world.pass(milliseconds(399));
    CHECK(world.pushes_to(anna) == 1);
    world.pass(milliseconds(1));
    CHECK(world.pushes_to(anna) == 2);
    CHECK(world.shelf.pending().empty());
    world.pass(seconds(2));
    CHECK(world.pushes_to(anna) == 2);
    CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.knocks(KnockResult::delivered) == 3);
    world.leave();
}

TEST_CASE("pushes that nobody sees have a window of their own", "[limits]") {
    EngineWorld::Setup setup = limited(Limit::background_window, 1, minutes(20));
    setup.options.apps[0].low_style = push::Style::background;
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    const std::string low = R"({"token":")" + anna.token.text + R"(","priority":"low"})";
    for (int i = 0; i < 4; ++i) CHECK(world.ask(request("POST", "messages/", low)).status == 202);
    CHECK(world.pushes_to(anna) == 1);
    for (int i = 0; i < 4; ++i) CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.pushes_to(anna) == 5);
    world.pass(minutes(20));
    CHECK(world.pushes_to(anna) == 6);
    CHECK(world.pushes.back().payload.find("content-available") != std::string::npos);
    CHECK(world.shelf.pending().empty());
    world.leave();
}

TEST_CASE("what a window has put off outlives the process", "[limits]") {
    EngineWorld world(limited(Limit::alert_window, 1, seconds(1)));
    const Phone anna = world.phone("anna");
    for (int i = 0; i < 3; ++i) CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.pushes_to(anna) == 1);
    world.crash();
    world.start();
    CHECK(world.pushes_to(anna) == 2);
    CHECK(world.shelf.pending().empty());
    world.end();
}

// ---- limits per address ----

TEST_CASE("over the limit of an address the answer is 429, and the time it names is true",
          "[limits]") {
    EngineWorld world(limited(Limit::knocks_per_address, 2, seconds(5)));
    const Phone anna = world.phone("anna");
    store::Token unknown = anna.token;
    unknown.text = store::secret_of("nobody's");
    // Guessing tokens costs as much as knocking.
    CHECK(world.ask(knock(unknown), "192.0.2.7").status == 404);
    CHECK(world.ask(knock(anna.token), "192.0.2.7").status == 202);
    for (const store::Token& token : {anna.token, unknown}) {
        const HttpAnswer answer = world.ask(knock(token), "192.0.2.7");
        CHECK(answer.status == 429);
        CHECK(answer.field("Retry-After") == "3");  // 2.5, rounded up
        CHECK(answer.member("detail") == "Request was throttled. Expected available in 3 seconds.");
    }
    CHECK(world.knocks(KnockResult::limited) == 2);
    CHECK(over(world, Limit::knocks_per_address) == 2);
    CHECK(world.ask(knock(anna.token), "192.0.2.8").status == 202);
    CHECK(world.ask(knock(anna.token), "2001:db8::1").status == 202);
    world.pass(seconds(3));
    CHECK(world.ask(knock(anna.token), "192.0.2.7").status == 202);
    world.leave();
}

TEST_CASE("a connection is kept after a 429", "[limits]") {
    EngineWorld world(limited(Limit::knocks_per_address, 1, seconds(10)));
    const Phone anna = world.phone("anna");
    Client& bob = world.connect(true, "192.0.2.7");
    bob.says(knock(anna.token) + knock(anna.token) + request("GET", "pubsub/"));
    world.run();
    CHECK(bob.statuses() == Statuses{202, 429, 404});
    world.pass(seconds(10));
    bob.says(knock(anna.token));
    world.run();
    CHECK(bob.last().status == 202);
    world.leave();
}

TEST_CASE("hosts of one IPv6 network share its limit", "[limits]") {
    EngineWorld world(limited(Limit::knocks_per_address, 2, minutes(1)));
    const Phone anna = world.phone("anna");
    CHECK(world.ask(knock(anna.token), "2001:db8:1:2::1").status == 202);
    CHECK(world.ask(knock(anna.token), "2001:db8:1:2:ffff::2").status == 202);
    CHECK(world.ask(knock(anna.token), "2001:db8:1:2::3").status == 429);
    CHECK(world.ask(knock(anna.token), "2001:db8:1:3::1").status == 202);
    world.leave();
}

TEST_CASE("this machine has no limit per address, nor has whom the operator exempts", "[limits]") {
    EngineWorld::Setup setup = limited(Limit::knocks_per_address, 1, minutes(1));
    for (const char* address : {"192.0.2.7", "2001:db8:1:2::25"}) {
        setup.options.limits.unlimited_networks.push_back(
            io::network_of(io::parse_peer_address(address).value()));
    }
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    for (const char* address : {"", "127.0.0.1", "::1", "192.0.2.7", "2001:db8:1:2::1"}) {
        for (int i = 0; i < 5; ++i) CHECK(world.ask(knock(anna.token), address).status == 202);
    }
    CHECK(world.ask(knock(anna.token), "192.0.2.8").status == 202);
    CHECK(world.ask(knock(anna.token), "192.0.2.8").status == 429);
    world.leave();
}

TEST_CASE("behind a trusted proxy the client has the limit, not the proxy", "[limits]") {
    EngineWorld::Setup setup = limited(Limit::knocks_per_address, 1, minutes(1));
    setup.options.client_address.field = "X-Real-IP";
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    Client& proxy = world.connect(false, "127.0.0.1");
    for (const char* client : {"192.0.2.7", "192.0.2.7", "192.0.2.8"})
        proxy.says(knock(anna.token, real_ip(client)));
    proxy.says(knock(anna.token));  // of a program on this machine
    world.run();
    CHECK(proxy.statuses() == Statuses{202, 429, 202, 202});
    // Whoever comes by another way cannot take another's name, or a new one each time.
    CHECK(world.ask(knock(anna.token, real_ip("203.0.113.1")), "198.51.100.1").status == 202);
    CHECK(world.ask(knock(anna.token, real_ip("203.0.113.2")), "198.51.100.1").status == 429);
    CHECK(world.ask(knock(anna.token, real_ip("127.0.0.1")), "198.51.100.1").status == 429);
    world.leave();
}

TEST_CASE("each kind of call has its own limit per address, and the others have none", "[limits]") {
    EngineWorld::Setup setup = limited(Limit::knocks_per_address, 1, minutes(1));
    setup.options.limits.set(Limit::logins_per_address, rate_of(1, minutes(1)));
    setup.options.limits.set(Limit::tokens_per_address, rate_of(1, minutes(1)));
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    const auto ask = [&](const std::string& text) { return world.ask(text, "192.0.2.7").status; };
    CHECK(ask(knock(anna.token)) == 202);
    CHECK(ask(log_in("ben")) == 200);
    CHECK(ask(create_token(anna)) == 201);
    CHECK(ask(knock(anna.token)) == 429);
    CHECK(ask(log_in("carol")) == 429);
    CHECK(ask(create_token(anna)) == 429);
    for (int i = 0; i < 10; ++i) {
        CHECK(ask(request("GET", "tokens/", {}, authorized(anna.account.auth_token))) == 200);
        CHECK(ask(request("GET", "accounts/")) == 401);
    }
    CHECK(over(world, Limit::logins_per_address) == 1);
    CHECK(over(world, Limit::tokens_per_address) == 1);
    CHECK_FALSE(world.shelf.account("carol"));
    world.leave();
}

// ---- limits per account ----

TEST_CASE("hammering one username from everywhere gets no further, and hurts no other",
          "[limits]") {
    EngineWorld world(limited(Limit::logins_per_account, 3, minutes(1)));
    std::string name;
    SECTION("of an account that exists") {
        name = "anna";
        world.phone("anna");
    }
    SECTION("of none: the answers are the same") { name = "nobody"; }
    const std::string wrong = R"({"username":")" + name + R"(","password":""})";
    CHECK(world.ask(request("POST", "accounts/", wrong)).status == 400);  // costs nothing
    for (int i = 0; i < 20; ++i) {
        const std::string address = "192.0.2." + std::to_string(i);
        const HttpAnswer answer = world.ask(log_in(name), address);
        CHECK((answer.status == 429) == (i >= 3));
        if (i >= 3) CHECK(answer.field("Retry-After") == "20");
    }
    CHECK(over(world, Limit::logins_per_account) == 17);
    CHECK(world.ask(log_in("ben"), "192.0.2.1").status == 200);
    world.pass(seconds(20));
    CHECK(world.ask(log_in(name), "192.0.2.1").status != 429);
    world.leave();
}

TEST_CASE("an account can make only so many tokens, whoever asks for them", "[limits]") {
    EngineWorld world(limited(Limit::tokens_per_account, 2, minutes(1)));
    const Phone anna = world.phone("anna");
    const Phone ben = world.phone("ben");
    CHECK(world.ask(create_token(anna), "192.0.2.1").status == 201);
    CHECK(world.ask(create_token(anna), "192.0.2.2").status == 201);
    const HttpAnswer answer = world.ask(create_token(anna));
    CHECK(answer.status == 429);
    CHECK(answer.field("Retry-After") == "30");
    CHECK(over(world, Limit::tokens_per_account) == 1);
    CHECK(world.ask(create_token(ben)).status == 201);
    world.pass(seconds(30));
    CHECK(world.ask(create_token(anna)).status == 201);
    world.leave();
}

TEST_CASE("the bursts of five parallel token requests that apps make meet no limit", "[limits]") {
    EngineWorld::Setup setup = limited(Limit::tokens_per_account, 2'000, hours(24));
    setup.options.limits.set(Limit::tokens_per_address, rate_of(6'000, hours(1)));
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    std::vector<Client*> clients;
    for (int i = 0; i < 5; ++i) clients.push_back(&world.connect(false, "192.0.2.7"));
    for (int burst = 0; burst < 100; ++burst) {
        for (Client* client : clients) client->says(create_token(anna));
        world.run();
    }
    for (const Client* client : clients) CHECK(client->statuses() == Statuses(100, 201));
    world.leave();
}

}  // namespace knuckle::test
