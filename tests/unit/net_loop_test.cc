// SPDX-License-Identifier: GPL-3.0-or-later
// Turns, deadlines, and the end of a loop, whatever is under way then: run() asserts that nothing
// is left.
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/support/loop_thread.h"

namespace knuckle::test {

TEST_CASE("a loop that never ran closes what it has", "[net]") {
    LoopThread loop;
    loop.listen();
}

TEST_CASE("a loop that is stopped before it runs ends at once", "[net]") {
    net::Loop loop({});
    REQUIRE(loop.listen(*net::bind_listener({"127.0.0.1", 0, {}}), false));
    Events events(loop);
    loop.stop();
    loop.run(events);
    CHECK(events.accepted.empty());
}

TEST_CASE("a loop with nothing to do waits for its end", "[net]") {
    LoopThread loop;
    loop.tells([](net::Loop& io, Events&) { CHECK(io.connections_open() == 0); });
}

TEST_CASE("a deadline comes, and never too early", "[net]") {
    LoopThread loop;
    for (size_t i = 1; i <= 20; ++i) {
        loop.tells([=](net::Loop& io, Events& events) {
            events.deadline = io.now().instant + microseconds(static_cast<int64_t>(i * 317));
        });
        loop.waits_for([=](Events& events) { return events.deadlines == i; });
    }
    loop.tells([](net::Loop&, Events& events) { CHECK(events.deadlines_early == 0); });
}

TEST_CASE("a deadline may be moved, and taken back", "[net]") {
    LoopThread loop;
    loop.tells(
        [](net::Loop& io, Events& events) { events.deadline = io.now().instant + hours(1); });
    loop.tells([](net::Loop& io, Events& events) {
        events.deadline = io.now().instant + milliseconds(1);
    });
    loop.waits_for([](Events& events) { return events.deadlines == 1; });
    loop.tells([](net::Loop& io, Events& events) {
        events.deadline = io.now().instant + milliseconds(1);
    });
    loop.tells([](net::Loop& io, Events& events) {
        events.deadline = io.now().instant + milliseconds(20);
    });
    loop.waits_for([](Events& events) { return events.deadlines == 2; });
    loop.tells([](net::Loop& io, Events& events) {
        events.deadline = {io.now().instant.ns - 1};  // in the past: at once
    });
    loop.waits_for([](Events& events) { return events.deadlines == 3; });
    loop.tells([](net::Loop&, Events& events) {
        CHECK(events.deadlines_early == 0);
        CHECK(events.has_one_now_per_turn);
    });
}

TEST_CASE("who is connected stays when no more are accepted", "[net]") {
    LoopThread loop;
    const uint16_t port = loop.listen();
    Peer peer(port);
    loop.waits_for([](Events& events) { return events.accepted.size() == 1; });
    loop.tells([](net::Loop& io, Events&) { io.stop_accepting(); });
    CHECK_FALSE(Peer(port).is_up);
    REQUIRE(peer.says("still here"));
    loop.waits_for([](Events& events) { return events.received_size() == 10; });
}

TEST_CASE("a loop may be stopped with everything in flight", "[net]") {
    LoopThread server;
    const uint16_t server_port = server.listen();
    LoopThread loop;
    const uint16_t port = loop.listen();
    std::vector<Peer> peers;
    for (int i = 0; i < 5; ++i) {
        peers.emplace_back(port);
        REQUIRE(peers.back().says("x"));
    }
    loop.waits_for([](Events& events) { return events.received_size() == 5; });
    loop.tells([&](net::Loop& io, Events& events) {
        const std::string much(8'000'000, 'x');
        events.send(events.accepted[0], much);
        events.send(events.accepted[0], much);
        events.send(events.accepted[1], much);
        io.finish(events.accepted[1]);
        io.finish(events.accepted[2]);
        io.pause(events.accepted[3]);
        static_cast<void>(io.connect({"127.0.0.1", server_port, {}}));
        static_cast<void>(io.connect({"localhost", server_port, {}}));
        static_cast<void>(io.connect({"no name at all", 443, {}}));
        static_cast<void>(io.connect({{}, 0, "/nonexistent/socket"}));
        io.close(io.connect({"127.0.0.1", server_port, {}}));
        events.deadline = io.now().instant + milliseconds(1);
        // And within a turn, after which nothing is told any more.
        io.stop();
        io.stop();
        CHECK(io.connections_open() == 0);
        CHECK(io.connect({"127.0.0.1", server_port, {}}).is_null());
    });
    loop.stop();
}

}  // namespace knuckle::test
