// SPDX-License-Identifier: GPL-3.0-or-later
// Sockets that were accepted: bytes both ways, slow and rude peers, ids.
#include <set>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/support/loop_thread.h"

namespace knuckle::test {

namespace {

// Bytes of which each piece is different, so that nothing can be lost or swapped unnoticed.
std::string pattern(size_t size) {
    std::string text(size, '\0');
    for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 7 + i / 251) % 256);
    return text;
}

}  // namespace

TEST_CASE("bytes go both ways, and who is there is known", "[net]") {
    LoopThread loop;
    const uint16_t port = loop.listen();
    Peer peer(port);
    REQUIRE(peer.says("hello"));
    loop.waits_for([](Events& events) { return events.received_size() == 5; });
    loop.tells([](net::Loop& io, Events& events) {
        REQUIRE(events.accepted.size() == 1);
        CHECK(io.connections_open() == 1);
        CHECK(events.text_of(events.accepted[0]) == "hello");
        const std::array<uint8_t, 16> mapped = {
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
        CHECK(events.peers[0].bytes == mapped);
        events.send(events.accepted[0], "well met");
        CHECK(io.unsent(events.accepted[0]) == 0);
    });
    CHECK(peer.hears(8) == "well met");
    peer.hangs_up();
    loop.waits_for([](Events& events) { return events.closed.size() == 1; });
    loop.tells([](net::Loop& io, Events& events) {
        CHECK(events.closed == events.accepted);
        CHECK(events.reasons[0].code == Errc::unavailable);
        CHECK(io.connections_open() == 0);
        CHECK(events.has_one_now_per_turn);
    });
}

TEST_CASE("listeners are told apart by their order", "[net]") {
    LoopThread loop;
    const uint16_t first = loop.listen();
    const uint16_t second = loop.listen();
    Peer one(second);
    loop.waits_for([](Events& events) { return events.accepted.size() == 1; });
    Peer other(first);
    loop.waits_for([](Events& events) { return events.accepted.size() == 2; });
    loop.tells(
        [](net::Loop&, Events& events) { CHECK(events.accepted_by == std::vector<size_t>{1, 0}); });
}

TEST_CASE("many come and go, and no id is ever given twice", "[net]") {
    LoopThread loop({.connections_max = 300});
    const uint16_t port = loop.listen();
    size_t expected = 0;
    for (int round = 0; round < 4; ++round) {
        std::vector<Peer> peers;
        for (int i = 0; i < 250; ++i) {
            peers.emplace_back(port);
            REQUIRE(peers.back().says("x"));
        }
        expected += 250;
        loop.waits_for([=](Events& events) { return events.received_size() == expected; });
        if (round % 2 == 0) {
            loop.tells([](net::Loop& io, Events& events) {
                for (const io::ConnId id : events.accepted) io.close(id);
                for (const io::ConnId id : events.accepted) io.close(id);
                CHECK(io.connections_open() == 0);
            });
            for (Peer& peer : peers) CHECK(peer.hears(1).empty());
        } else {
            peers.clear();
            loop.waits_for([](Events& events) { return events.loop.connections_open() == 0; });
        }
    }
    loop.tells([](net::Loop& io, Events& events) {
        std::set<std::pair<uint32_t, uint32_t>> ids;
        for (const io::ConnId id : events.accepted) {
            ids.insert({id.index, id.generation});
            // Long stale: nothing happens to whoever has the slot now.
            events.send(id, "for somebody else");
            io.pause(id);
            io.resume(id);
            io.finish(id);
            io.close(id);
            CHECK(io.unsent(id) == 0);
        }
        CHECK(ids.size() == 1'000);
    });
}

TEST_CASE("who finds no slot is turned away, and the next one gets in when there is one", "[net]") {
    LoopThread loop({.connections_max = 2});
    const uint16_t port = loop.listen();
    Peer first(port);
    Peer second(port);
    loop.waits_for([](Events& events) { return events.accepted.size() == 2; });
    Peer third(port);
    CHECK(third.hears(1).empty());
    first.hangs_up();
    loop.waits_for([](Events& events) { return events.closed.size() == 1; });
    Peer fourth(port);
    REQUIRE(fourth.says("x"));
    loop.waits_for([](Events& events) { return events.received_size() == 1; });
}

TEST_CASE("a peer that reads slowly gets everything in order, and costs memory until then",
          "[net]") {
    LoopThread loop;
    const uint16_t port = loop.listen();
    Peer peer(port);
    loop.waits_for([](Events& events) { return events.accepted.size() == 1; });
    const std::string much = pattern(16'000'000);
    loop.tells([&](net::Loop& io, Events& events) {
        events.send(events.accepted[0], std::string_view(much).substr(0, 8'000'000));
        CHECK(io.unsent(events.accepted[0]) > 0);
        const size_t before = io.unsent(events.accepted[0]);
        events.send(events.accepted[0], std::string_view(much).substr(8'000'000));
        CHECK(io.unsent(events.accepted[0]) == before + 8'000'000);
    });
    CHECK(peer.hears(much.size()) == much);
    loop.waits_for([](Events& events) { return events.loop.unsent(events.accepted[0]) == 0; });
    loop.tells([](net::Loop&, Events& events) { events.send(events.accepted[0], "."); });
    CHECK(peer.hears(1) == ".");
}

TEST_CASE("a peer that does not read at all can be got rid of", "[net]") {
    LoopThread loop;
    const uint16_t port = loop.listen();
    Peer peer(port);
    loop.waits_for([](Events& events) { return events.accepted.size() == 1; });
    loop.tells([&](net::Loop& io, Events& events) {
        events.send(events.accepted[0], pattern(8'000'000));
        CHECK(io.unsent(events.accepted[0]) > 0);
        io.close(events.accepted[0]);
        CHECK(io.unsent(events.accepted[0]) == 0);
        CHECK(io.connections_open() == 0);
        CHECK(io.chunks().taken() > 0);  // until the kernel lets go of them
    });
    loop.waits_for([](Events& events) { return events.loop.chunks().taken() == 0; });
}

TEST_CASE("a paused peer is not read from, and nothing is lost", "[net]") {
    LoopThread loop;
    const uint16_t port = loop.listen();
    Peer peer(port);
    loop.tells([](net::Loop& io, Events& events) {
        events.receiving = [&](io::ConnId id) { io.pause(id); };
    });
    const std::string much = pattern(500'000);
    std::thread writer([&] { peer.says(much); });
    size_t seen = 0;
    while (seen < much.size()) {
        loop.waits_for([=](Events& events) { return events.received_size() > seen; });
        loop.tells([&](net::Loop& io, Events& events) {
            CHECK(events.received_size() <= seen + io::kReadBufferSize);
            seen = events.received_size();
            io.resume(events.accepted[0]);
        });
    }
    writer.join();
    loop.tells(
        [&](net::Loop&, Events& events) { CHECK(events.text_of(events.accepted[0]) == much); });
}

TEST_CASE("last words reach a peer that is still sending", "[net]") {
    LoopThread loop;
    const uint16_t port = loop.listen();
    std::string words = "bye";
    bool is_gone = false;
    SECTION("few") {}
    SECTION("many") { words = pattern(3'000'000); }
    loop.tells([&](net::Loop& io, Events& events) {
        events.receiving = [&](io::ConnId id) {
            events.send(id, words);
            io.finish(id);
            is_gone = io.connections_open() == 0 && io.unsent(id) == 0;
        };
    });
    Peer peer(port);
    std::thread writer([&] { peer.says(pattern(5'000'000)); });
    const bool has_heard = peer.hears(words.size()) == words;
    CHECK(has_heard);
    CHECK(peer.hears(1).empty());
    CHECK(peer.last_error == 0);  // an orderly end, no reset
    peer.says_no_more();
    writer.join();
    loop.tells([&](net::Loop&, Events& events) {
        CHECK(is_gone);
        CHECK(events.closed.empty());
        CHECK(events.received.size() == 1);
    });
}

TEST_CASE("a peer that will not end is closed after a moment", "[net]") {
    LoopThread loop;
    const uint16_t port = loop.listen();
    Peer peer(port);
    loop.waits_for([](Events& events) { return events.accepted.size() == 1; });
    loop.tells([](net::Loop& io, Events& events) {
        events.send(events.accepted[0], "bye");
        io.finish(events.accepted[0]);
    });
    CHECK(peer.hears_all() == "bye");
    // It keeps its side open; writing fails once ours is closed.
    while (peer.says("x")) std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

TEST_CASE("a peer that has said all it will is gone", "[net]") {
    LoopThread loop;
    const uint16_t port = loop.listen();
    Peer peer(port);
    REQUIRE(peer.says("last"));
    peer.says_no_more();
    loop.waits_for([](Events& events) { return events.closed.size() == 1; });
    loop.tells(
        [](net::Loop&, Events& events) { CHECK(events.text_of(events.accepted[0]) == "last"); });
    CHECK(peer.hears(1).empty());
}

TEST_CASE("a connection that breaks is reported once", "[net]") {
    LoopThread loop;
    const uint16_t port = loop.listen();
    Peer peer(port);
    loop.waits_for([](Events& events) { return events.accepted.size() == 1; });
    loop.tells(
        [](net::Loop&, Events& events) { events.send(events.accepted[0], pattern(8'000'000)); });
    peer.resets();
    loop.waits_for([](Events& events) { return events.closed.size() == 1; });
    loop.tells([](net::Loop&, Events& events) {
        events.send(events.accepted[0], "to nobody");
        CHECK(events.loop.connections_open() == 0);
    });
    loop.waits_for([](Events& events) { return events.loop.chunks().taken() == 0; });
    loop.tells([](net::Loop&, Events& events) { CHECK(events.closed.size() == 1); });
}

TEST_CASE("a handler may close a connection in any of its events", "[net]") {
    LoopThread loop;
    const uint16_t port = loop.listen();
    bool is_polite = false;
    SECTION("at once") {}
    SECTION("with a goodbye") { is_polite = true; }
    const auto end = [is_polite](net::Loop& io, io::ConnId id) {
        is_polite ? io.finish(id) : io.close(id);
        is_polite ? io.finish(id) : io.close(id);
    };
    loop.tells([&](net::Loop& io, Events& events) {
        events.accepting = [&io, end](io::ConnId id) { end(io, id); };
    });
    CHECK(Peer(port).hears_all().empty());
    loop.tells([&](net::Loop& io, Events& events) {
        events.accepting = nullptr;
        events.receiving = [&io, end](io::ConnId id) { end(io, id); };
    });
    Peer speaker(port);
    speaker.says("x");
    CHECK(speaker.hears_all().empty());
    loop.tells([&](net::Loop& io, Events& events) {
        events.receiving = nullptr;
        events.closing = [&io, &events, end](io::ConnId id) {
            events.send(id, "to nobody");
            end(io, id);
        };
    });
    Peer(port).hangs_up();
    loop.waits_for([](Events& events) { return events.closed.size() == 1; });
    Peer(port).resets();
    loop.waits_for([](Events& events) { return events.closed.size() == 2; });
    loop.tells([](net::Loop& io, Events&) { CHECK(io.connections_open() == 0); });
}

TEST_CASE("no more than so many peers linger", "[net]") {
    LoopThread loop({.connections_max = net::kLingeringMax + 100});
    const uint16_t port = loop.listen();
    std::vector<Peer> peers;
    for (size_t i = 0; i < net::kLingeringMax + 50; ++i) peers.emplace_back(port);
    loop.waits_for(
        [](Events& events) { return events.accepted.size() == net::kLingeringMax + 50; });
    loop.tells([](net::Loop& io, Events& events) {
        for (const io::ConnId id : events.accepted) {
            events.send(id, "bye");
            io.finish(id);
        }
    });
    for (Peer& peer : peers) CHECK(peer.hears_all() == "bye");
}

}  // namespace knuckle::test
