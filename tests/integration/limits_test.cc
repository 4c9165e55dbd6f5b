// SPDX-License-Identifier: GPL-3.0-or-later
// Limits against abuse on real sockets: whose address counts behind a proxy, and that what is put
// off is on disk. How they count is tested in tests/unit/engine_limits_test.cc.
#include <csignal>
#include <memory>
#include <string>
#include <string_view>

#include <catch_amalgamated.hpp>

#include "tests/integration/world.h"

namespace knuckle::test {

namespace {

constexpr std::string_view kMessages = "/api/v1/messages/";

// What a proxy on this machine passes on.
HttpResponse knock_for(HttpClient& proxy, const Phone& phone, std::string_view field) {
    const std::string body = knock_json(phone);
    proxy.send("POST " + std::string(kMessages) + " HTTP/1.1\r\nHost: push.example.org\r\n" +
               std::string(field) + "Content-Type: application/json\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n\r\n" + body);
    const auto response = proxy.receive();
    REQUIRE(response);
    return *response;
}

}  // namespace

TEST_CASE("behind a proxy each client has a limit of its own", "[limits]") {
    World world;
    const std::string socket = world.dir / "http.sock";
    world.config.listeners += "[[listen]]\naddress = \"unix:" + socket + "\"\n";
    world.config.tables = "[http]\nclient_address_field = \"X-Real-IP\"\n";
    world.config.limits += "knocks_per_address = \"2 per hour\"\n";
    Gateway& gateway = world.start();
    HttpClient setup(gateway.port());
    const Phone phone = register_phone(setup, "anna");
    const bool is_unix = GENERATE(false, true);
    const auto connection = is_unix ? std::make_unique<HttpClient>(socket)
                                    : std::make_unique<HttpClient>(gateway.port());
    HttpClient& proxy = *connection;

    for (int i = 0; i < 2; ++i)
        CHECK(knock_for(proxy, phone, "X-Real-IP: 192.0.2.7\r\n").status == 202);
    const HttpResponse refusal = knock_for(proxy, phone, "x-real-ip: 192.0.2.7\r\n");
    CHECK(refusal.status == 429);
    const int wait = std::stoi(refusal.field("retry-after"));
    CHECK(wait > 1'700);
    CHECK(wait <= 1'800);
    CHECK(refusal.body.starts_with(R"({"detail":"Request was throttled. Expected available in 1)"));

    for (const char* host : {"1", "2"}) {
        const std::string field = "X-Real-IP: 2001:db8:1:2::" + std::string(host) + "\r\n";
        CHECK(knock_for(proxy, phone, field).status == 202);
    }
    CHECK(knock_for(proxy, phone, "X-Real-IP: 2001:db8:1:2::3\r\n").status == 429);
    // Programs on this machine have none.
    for (int i = 0; i < 5; ++i) CHECK(knock_for(proxy, phone, "").status == 202);
    CHECK(gateway.metric("knuckle_knocks_total{result=\"limited\"}") == 2);
    CHECK(gateway.metric("knuckle_limited_requests_total{limit=\"knocks_per_address\"}") == 2);
}

TEST_CASE("a flood of knocks becomes one push, which outlives the process", "[limits]") {
    World world;
    world.config.limits = "knocks_per_token = \"1 per minute\"\n";
    world.start();
    Phone phone;
    {
        HttpClient client(world.gateway->port());
        phone = register_phone(client, "anna");
        for (int i = 0; i < 10; ++i) CHECK(client.post(kMessages, knock_json(phone)).status == 202);
        CHECK(world.gateway->metric("knuckle_knocks_total{result=\"delivered\"}") == 1);
        CHECK(world.gateway->metric("knuckle_knocks_total{result=\"stored\"}") == 1);
        CHECK(world.gateway->metric("knuckle_knocks_total{result=\"coalesced\"}") == 8);
        CHECK(world.gateway->metric("knuckle_jobs_pending") == 1);
        CHECK(world.apns.count("/requests") == 1);
    }
    CHECK(world.gateway->stop() == 0);
    world.start();
    CHECK(eventually([&] { return world.apns.count("/requests") == 2; }));
    CHECK(eventually([&] { return world.gateway->metric("knuckle_jobs_pending") == 0; }));
}

TEST_CASE("an account has as many devices and tokens as the operator says", "[limits]") {
    World world;
    world.config.limits += "devices_max = 1\ntokens_max = 2\n";
    HttpClient client(world.start().port());
    const Phone phone = register_phone(client, "anna");
    const std::string device = R"({"apns_device":")" + phone.device + R"("})";
    CHECK(client
              .post("/api/v1/device/apns/",
                    R"({"registration_id":")" + registration_of(2) + R"("})",
                    phone.auth)
              .status == 403);
    CHECK(client.post("/api/v1/tokens/", device, phone.auth).status == 201);
    CHECK(client.post("/api/v1/tokens/", device, phone.auth).status == 403);
}

TEST_CASE("the limits that an operator gets without asking let apps and people be", "[limits]") {
    World world;
    world.config.limits.clear();
    HttpClient client(world.start().port());
    const Phone phone = register_phone(client, "anna");
    // Five parallel requests, now and then, for a month's worth of contacts.
    const std::string device = R"({"apns_device":")" + phone.device + R"("})";
    for (int i = 0; i < 300; ++i)
        REQUIRE(client.post("/api/v1/tokens/", device, phone.auth).status == 201);
    for (int i = 0; i < 10; ++i) CHECK(register_account(client, "anna") == phone.auth);
    for (int i = 0; i < 30; ++i) CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    // Nobody's phone rings thirty times for that, and the last word is not lost.
    CHECK(eventually([&] { return world.gateway->metric("knuckle_jobs_pending") == 0; }));
    const auto pushes = world.apns.count("/requests");
    CHECK(pushes >= 2);
    CHECK(pushes < 30);
}

TEST_CASE("knocks in one window become one push, besides the first at once", "[limits]") {
    World world;
    world.config.limits += "background_window = \"0s\"\n";
    const size_t at = world.config.limits.find("alert_window");
    world.config.limits.replace(
        at, std::string("alert_window = \"0s\"").size(), "alert_window = \"30s\"");
    world.start();
    HttpClient client(world.gateway->port());
    const Phone phone = register_phone(client, "anna");
    const Phone other = register_phone(client, "ben", 2);
    for (int i = 0; i < 20; ++i) CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    CHECK(client.post(kMessages, knock_json(other)).status == 202);
    CHECK(world.apns.count("/requests") == 2);
    CHECK(world.gateway->metric("knuckle_knocks_total{result=\"delivered\"}") == 2);
    CHECK(world.gateway->metric("knuckle_knocks_total{result=\"stored\"}") == 1);
    CHECK(world.gateway->metric("knuckle_knocks_total{result=\"coalesced\"}") == 18);
    CHECK(world.gateway->metric("knuckle_limited_requests_total{limit=\"alert_window\"}") == 19);

    // The one that stands for nineteen outlives the process.
    world.gateway->process().signal(SIGKILL);
    CHECK(world.gateway->process().wait(kPatience));
    world.start();
    CHECK(eventually([&] { return world.apns.count("/requests") == 3; }));
    CHECK(eventually([&] { return world.gateway->metric("knuckle_jobs_pending") == 0; }));
}

}  // namespace knuckle::test
