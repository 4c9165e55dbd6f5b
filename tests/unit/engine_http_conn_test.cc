// SPDX-License-Identifier: GPL-3.0-or-later
// The connections of those who knock: order, patience, limits, TLS.
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "engine/http_conn.h"
#include "tests/support/engine_world.h"

namespace knuckle::test {

namespace {

using Statuses = std::vector<int>;

EngineWorld::Setup with_pubsub() {
    EngineWorld::Setup setup;
    setup.options.pubsub_jid = "pubsub.example.org";
    return setup;
}

const std::string kPubsub = request("GET", "pubsub/");

}  // namespace

TEST_CASE("a connection serves one request after the other", "[http_conn]") {
    EngineWorld world(with_pubsub());
    Client& client = world.connect();
    for (int i = 0; i < 3; ++i) {
        client.says(kPubsub);
        world.run();
    }
    CHECK(client.statuses() == Statuses{200, 200, 200});
    CHECK(client.last().body == R"({"jid":"pubsub.example.org"})");
    CHECK(client.last().field("Connection").empty());
    CHECK_FALSE(client.is_cut_off());
    world.leave();
}

TEST_CASE("pipelined requests are answered in their order, also when the first one waits",
          "[http_conn]") {
    EngineWorld world(with_pubsub());
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& client = world.connect();
    client.says(knock(anna.token) + kPubsub + knock(anna.token) + kPubsub);
    world.run();
    CHECK(client.heard.empty());
    CHECK(world.pushes.size() == 1);
    world.answer_all();
    CHECK(client.statuses() == Statuses{202, 200});
    world.answer_all();
    CHECK(client.statuses() == Statuses{202, 200, 202, 200});
    world.leave();
}

TEST_CASE("what arrives in the turn of an answer is read after what arrived before it",
          "[http_conn]") {
    EngineWorld world(with_pubsub());
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& client = world.connect();
    const std::string second =
        request("POST", "accounts/", R"({"username":"carol","password":"pw"})");
    // The provider's connection is older, so its answer is delivered first in a turn.
    client.says(knock(anna.token) + second.substr(0, 30));
    world.run();
    world.answer(world.pushes[0]);
    world.turn();  // the answer is on its way
    client.says(second.substr(30));
    world.run();
    CHECK(client.statuses() == Statuses{202, 200});
    world.leave();
}

TEST_CASE("what was pipelined behind a push that expires is served in the same turn",
          "[http_conn]") {
    EngineWorld::Setup setup = with_pubsub();
    setup.options.lanes[0].service.expiration = seconds(1);
    setup.options.ack_wait = minutes(1);
    EngineWorld world(setup);
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    world.connect().says(knock(anna.token));  // takes the only stream
    Client& client = world.connect();
    world.run();
    client.says(knock(anna.token) + kPubsub);
    world.pass(seconds(2));
    CHECK(client.heard.empty());
    world.answer(world.pushes[0]);
    world.turn();
    world.turn();
    CHECK(client.statuses() == Statuses{202, 200});
    world.leave();
}

TEST_CASE("a client that pipelines too much is not read from until it is answered", "[http_conn]") {
    EngineWorld world(with_pubsub());
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& client = world.connect();
    std::string much = knock(anna.token);
    size_t count = 0;
    for (; much.size() < 300'000; ++count) much += kPubsub;
    client.says(much);
    world.run();
    CHECK(client.wire.is_paused);
    CHECK(client.wire.arriving.size() >= 300'000 - 2 * io::kReadBufferSize);

    world.answer_all();
    CHECK_FALSE(client.wire.is_paused);
    CHECK(client.wire.arriving.empty());
    CHECK(client.statuses().size() == count + 1);
    world.leave();
}

TEST_CASE("a request may arrive in any pieces, with pauses between them", "[http_conn]") {
    EngineWorld world;
    const Phone anna = world.phone("anna");
    Client& client = world.connect();
    for (const char byte : knock(anna.token)) {
        client.says({&byte, 1});
        world.pass(milliseconds(10));
    }
    CHECK(client.statuses() == Statuses{202});
    CHECK(world.pushes_to(anna) == 1);
    world.leave();
}

TEST_CASE("a request that takes too long to arrive is 408, whatever trickles in", "[http_conn]") {
    EngineWorld::Setup setup;
    setup.options.idle_timeout = seconds(75);
    EngineWorld world(setup);
    Client& client = world.connect();
    world.pass(seconds(20));  // idle before it: another matter
    client.says("POST /api/v1/messages/ HTTP/1.1\r\n");
    for (int i = 0; i < 29; ++i) {
        world.pass(seconds(1));
        client.says("X-Field: x\r\n");
    }
    CHECK(client.heard.empty());
    world.pass(seconds(1));
    CHECK(client.statuses() == Statuses{408});
    CHECK(client.last().field("Connection") == "close");
    CHECK(client.is_cut_off());
    world.leave();
}

TEST_CASE("an idle connection is closed, one that waits for its answer is not", "[http_conn]") {
    EngineWorld::Setup setup;
    setup.options.idle_timeout = seconds(20);
    setup.options.ack_wait = minutes(5);
    setup.options.request_timeout = minutes(5);
    EngineWorld world(setup);
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& silent = world.connect();
    Client& idle = world.connect();
    Client& waiting = world.connect();
    idle.says(kPubsub);
    waiting.says(knock(anna.token));
    world.pass(seconds(19));
    CHECK(world.clients_connected() == 3);
    world.pass(seconds(2));
    CHECK(silent.is_cut_off());
    CHECK(silent.heard.empty());
    CHECK(idle.is_cut_off());
    CHECK(idle.statuses().size() == 1);
    world.pass(minutes(1));
    CHECK_FALSE(waiting.is_cut_off());
    world.answer_all();
    CHECK(waiting.statuses() == Statuses{202});
    world.leave();
}

TEST_CASE("what is no HTTP gets one clear answer, and the end", "[http_conn]") {
    EngineWorld world;
    Client& client = world.connect();
    client.says("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + kPubsub);
    world.run();
    CHECK(client.statuses() == Statuses{400});
    CHECK(client.last().field("Connection") == "close");
    CHECK(client.is_cut_off());
    CHECK(world.counters.requests_malformed.get() == 1);
    world.leave();
}

TEST_CASE("a client that asks for the end gets it after its answer", "[http_conn]") {
    EngineWorld world(with_pubsub());
    Client& client = world.connect();
    client.says(request("GET", "pubsub/", {}, "Connection: close\r\n") + kPubsub);
    world.run();
    CHECK(client.statuses() == Statuses{200});
    CHECK(client.last().field("Connection") == "close");
    CHECK(client.is_cut_off());
    world.leave();
}

TEST_CASE("HEAD is GET without the body", "[http_conn]") {
    EngineWorld world(with_pubsub());
    Client& client = world.connect();
    client.is_asking_for_heads = true;
    client.says(request("HEAD", "pubsub/"));
    world.run();
    CHECK(client.statuses() == Statuses{200});
    CHECK(client.last().field("Content-Length") == "28");
    CHECK(client.heard.ends_with("\r\n\r\n"));
    world.leave();
}

TEST_CASE("a client that waits for 100 Continue gets it before it sends the body", "[http_conn]") {
    EngineWorld world;
    const Phone anna = world.phone("anna");
    const std::string text = knock(anna.token, "Expect: 100-continue\r\n");
    const size_t body = text.find("\r\n\r\n") + 4;
    Client& client = world.connect();
    client.says(text.substr(0, body));
    world.run();
    CHECK(client.heard == "HTTP/1.1 100 Continue\r\n\r\n");
    client.says(text.substr(body));
    world.run();
    CHECK(client.statuses() == Statuses{202});
    world.leave();
}

TEST_CASE("beyond connections_max nobody gets in, until somebody leaves", "[http_conn]") {
    EngineWorld::Setup setup = with_pubsub();
    setup.options.connections_max = 2;
    EngineWorld world(setup);
    Client& first = world.connect();
    world.connect();
    CHECK(world.connect().is_cut_off());
    CHECK(world.counters.connections_refused.get() == 1);
    CHECK(world.counters.connections_open.get() == 2);
    first.hangs_up();
    world.run();
    Client& next = world.connect();
    next.says(kPubsub);
    world.run();
    CHECK(next.statuses() == Statuses{200});
    world.leave();
}

TEST_CASE("a client that never reads is cut off before it costs much", "[http_conn]") {
    EngineWorld world(with_pubsub());
    Client& client = world.connect();
    client.stops_reading();
    std::string many;
    while (many.size() < 60'000) many += kPubsub;
    size_t rounds = 0;
    for (; !client.is_cut_off() && rounds < 1'000; ++rounds) {
        client.says(many);
        world.run();
    }
    CHECK(client.is_cut_off());
    CHECK(client.wire.unread.size() < engine::kUnsentMax + 1'000'000);
    world.leave();
}

TEST_CASE("over TLS everything is the same", "[http_conn]") {
    EngineWorld world(with_pubsub());
    world.is_answering = false;
    const Phone anna = world.phone("anna");
    Client& client = world.connect(true);
    client.says(knock(anna.token) + kPubsub);
    world.run();
    CHECK(client.heard.empty());
    world.answer_all();
    CHECK(client.statuses() == Statuses{202, 200});
    std::string many;
    for (int i = 0; i < 400; ++i) many += kPubsub;
    client.says(knock(anna.token) + many);
    world.run();
    world.answer_all();
    CHECK(client.statuses().size() == 403);
    world.leave();
    CHECK(client.is_cut_off());
}

TEST_CASE("plain HTTP on a TLS listener, and a handshake without end, go away", "[http_conn]") {
    EngineWorld world;
    Client& plain = world.connect();
    plain.hangs_up();
    world.run();
    Wire* wire = nullptr;
    SECTION("plain HTTP") {
        Client& client = world.connect(true);
        wire = &client.wire;
        wire->arriving = kPubsub;
        world.run();
        CHECK(world.counters.tls_failures.get() == 1);
    }
    SECTION("half a handshake") {
        Client& client = world.connect(true);
        wire = &client.wire;
        wire->arriving.resize(20);
        world.pass(engine::kRequestTimeMax - seconds(1));
        CHECK_FALSE(wire->is_closed);
        world.pass(seconds(1));
    }
    CHECK(wire->is_closed);
    world.leave();
}

TEST_CASE("a TLS client that says goodbye right behind its request still gets its answer",
          "[http_conn]") {
    EngineWorld world(with_pubsub());
    Client& client = world.connect(true);
    world.run();
    client.says(kPubsub);
    client.says_goodbye();
    world.run();
    CHECK(client.statuses() == Statuses{200});
    CHECK(client.is_cut_off());
    world.leave();
}

}  // namespace knuckle::test
