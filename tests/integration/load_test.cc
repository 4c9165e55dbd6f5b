// SPDX-License-Identifier: GPL-3.0-or-later
// Many knocks at once, and what becomes of them when the gateway is told to stop in their midst.
#include <csignal>
#include <map>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/integration/world.h"
#include "tests/support/json_fields.h"
#include "tests/support/knock_load.h"

namespace knuckle::test {

namespace {

constexpr size_t kKnocks = 10'000;

bool is_each_there_once(const std::map<size_t, size_t>& counts, size_t knocks) {
    if (counts.size() != knocks) return false;
    for (const auto& [number, count] : counts) {
        if (number >= knocks || count != 1) return false;
    }
    return true;
}

}  // namespace

TEST_CASE("ten thousand knocks by 64 connections all arrive, each once", "[load]") {
    World world({"--keep", "20000"});
    const int workers = GENERATE(1, 2);
    CAPTURE(workers);
    world.config.workers = workers;
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");

    KnockLoad load({.port = gateway.port(), .phone = phone, .connections = 64, .knocks = kKnocks});
    REQUIRE(load.run(seconds(60)));
    CHECK(load.answered(202) == kKnocks);
    CHECK(load.cut_off().empty());
    CHECK(load.torn() == 0);

    CHECK(world.apns.count("/requests") == kKnocks);
    CHECK(world.apns.count("/accepted") == kKnocks);
    CHECK(world.apns.count("/pushes_accepted") == kKnocks);
    CHECK(world.apns.count("/duplicates") == 0);
    // Besides one for each worker, one for the phone's first pushes.
    CHECK(world.apns.count("/connections_made") > workers);
    CHECK(world.apns.count("/connections_made") <= 2 * workers);
    CHECK(is_each_there_once(count_numbers(world.apns.arrivals()), kKnocks));
    CHECK(gateway.metric("knuckle_knocks_total{result=\"delivered\"}") == kKnocks);
    CHECK(gateway.metric("knuckle_jobs_in_flight") == 0);
    CHECK(gateway.metric("knuckle_jobs_waiting") == 0);
    CHECK(gateway.stop() == 0);
    CHECK(world.apns.stop() == 0);
}

TEST_CASE("a slow provider slows nobody's knock down by more than itself", "[load]") {
    World world({"--keep", "5000", "--delay-ms", "50"});
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");
    KnockLoad load({.port = gateway.port(), .phone = phone, .connections = 64, .knocks = 2'000});
    REQUIRE(load.run(seconds(30)));
    CHECK(load.answered(202) == 2'000);
    CHECK(is_each_there_once(count_numbers(world.apns.arrivals()), 2'000));
    CHECK(gateway.metric("knuckle_knocks_total{result=\"delivered\"}") == 2'000);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("SIGTERM in the middle loses no knock that was accepted", "[load]") {
    // Slow enough that pushes are always in flight.
    World world({"--keep", "30000", "--delay-ms", "20"});
    world.config.workers = GENERATE(1, 2);
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");

    KnockLoad load({.port = gateway.port(), .phone = phone, .connections = 64, .knocks = 100'000});
    bool is_told = false;
    REQUIRE(load.run(seconds(30), [&] {
        if (is_told || load.answered() < 2'000) return;
        gateway.process().signal(SIGTERM);
        is_told = true;
    }));
    CHECK(is_told);
    CHECK(gateway.process().wait(seconds(20)) == 0);
    CHECK(load.torn() == 0);
    CHECK(load.answered() == load.answered(202));
    CHECK(load.answered() >= 2'000);

    // What was answered has arrived. What was cut off may have.
    const std::map<size_t, size_t> arrived = count_numbers(world.apns.arrivals());
    size_t lost = 0;
    for (const size_t number : load.numbers(202)) lost += arrived.contains(number) ? 0 : 1;
    CHECK(lost == 0);
    CHECK(world.apns.count("/duplicates") == 0);
    CHECK(gateway.count_in_log("event=stopped") == 1);
}

TEST_CASE("SIGTERM with nothing to do ends the gateway at once", "[load]") {
    World world;
    Gateway& gateway = world.start();
    HttpClient idle(gateway.port());
    gateway.process().signal(SIGTERM);
    CHECK(gateway.process().wait(seconds(2)) == 0);
    CHECK(idle.is_closed_by_peer());
    CHECK(eventually([&] { return world.apns.count("/connections") == 0; }));
}

TEST_CASE("SIGTERM while the provider says nothing stores what is in flight", "[load]") {
    World world;
    world.config.top = "drain_timeout = \"5s\"\n";
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");
    prove(gateway, client, phone);
    world.apns.tell("/stall", R"({"on":true})");
    const std::string body = knock_json(phone, "7");
    client.send(
        "POST /api/v1/messages/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
    REQUIRE(eventually([&] { return gateway.metric("knuckle_jobs_in_flight") == 1; }));
    gateway.process().signal(SIGTERM);
    const auto response = client.receive();
    REQUIRE(response);
    CHECK(response->status == 202);
    CHECK(gateway.process().wait(seconds(10)) == 0);
    world.apns.tell("/stall", R"({"on":false})");
    world.start();
    CHECK(eventually([&] { return count_numbers(world.apns.arrivals()).contains(7); }));
}

}  // namespace knuckle::test
