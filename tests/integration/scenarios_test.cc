// SPDX-License-Identifier: GPL-3.0-or-later
// What becomes of knocks when the provider behaves badly: the scenarios by which push gateways are
// compared, S2 to S11. KNUCKLE_LONG=1 runs them at the length that is claimed for them.
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/time.h"
#include "tests/integration/world.h"
#include "tests/support/json_fields.h"
#include "tests/support/knock_load.h"

namespace knuckle::test {

namespace {

constexpr std::string_view kMessages = "/api/v1/messages/";
constexpr size_t kPhones = 20;

bool is_long() { return std::getenv("KNUCKLE_LONG") != nullptr; }

std::vector<Phone> register_phones(const Gateway& gateway, size_t count = kPhones) {
    HttpClient client(gateway.port());
    std::vector<Phone> phones;
    while (phones.size() < count) {
        const size_t number = phones.size() + 1;
        phones.push_back(register_phone(client, "anna" + std::to_string(number), number));
    }
    return phones;
}

// All devices of one account, which a knock with the token of the one that is returned wakes.
Phone register_devices(const Gateway& gateway, std::string_view name, size_t first, size_t count) {
    constexpr size_t kAtOnce = 16;
    std::vector<std::unique_ptr<HttpClient>> clients;
    for (size_t i = 0; i < kAtOnce; ++i) {
        clients.push_back(std::make_unique<HttpClient>(gateway.port()));
    }
    const std::string auth = register_account(*clients.front(), name);
    for (size_t i = 1; i < count;) {
        const size_t begin = i;
        for (; i < count && i < begin + kAtOnce; ++i) {
            const std::string body =
                R"({"registration_id":")" + registration_of(first + i) + R"("})";
            clients[i - begin]->send(
                "POST /api/v1/device/apns/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token " + auth +
                "\r\nContent-Type: application/json\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
        }
        for (size_t sent = begin; sent < i; ++sent) {
            const auto response = clients[sent - begin]->receive();
            REQUIRE(response);
            REQUIRE(response->status == 201);
        }
    }
    return register_phone(*clients.front(), auth, registration_of(first));
}

// Each knock's push has arrived, or a newer one to the same phone took its place.
bool has_all(World& world, size_t pushes, Duration limit = seconds(30)) {
    return eventually(
        [&] {
            const double superseded = world.gateway->metric("knuckle_pushes_superseded_total");
            return static_cast<double>(world.apns.count("/pushes_accepted")) + superseded ==
                   static_cast<double>(pushes);
        },
        limit);
}

bool has_nothing_left(const Gateway& gateway) {
    const bool is_so = eventually([&] {
        return gateway.metric("knuckle_pending_pushes") == 0 &&
               gateway.metric("knuckle_jobs_waiting") == 0 &&
               gateway.metric("knuckle_jobs_in_flight") == 0;
    });
    if (!is_so) UNSCOPED_INFO(gateway.admin("/metrics").body);
    return is_so;
}

}  // namespace

TEST_CASE("S2: a provider that says goodbye at each hundredth push costs none", "[s2]") {
    World world;
    world.config.workers = 2;
    Gateway& gateway = world.start();
    const std::vector<Phone> phones = register_phones(gateway);
    // The push that it meets, and all that are behind it, are cut off unseen.
    world.apns.tell("/faults", R"({"fault":"goaway","every":100})");
    const int rate = kIsProduct ? 2'000 : 400;
    const size_t knocks = static_cast<size_t>(rate) * (is_long() ? 60 : 4);
    KnockLoad load({.port = gateway.port(),
                    .connections = 512,
                    .knocks = knocks,
                    .phones = phones,
                    .rate = rate});
    REQUIRE(load.run(seconds(120)));
    CHECK(load.answered(202) == knocks);
    CHECK(has_all(world, knocks));
    CHECK(world.apns.count("/unprocessed") >= static_cast<int64_t>(knocks / 200));
    CHECK(world.apns.count("/duplicates") == 0);
    CHECK(has_nothing_left(gateway));
    CHECK(gateway.stop() == 0);
}

TEST_CASE("S3: a link that goes silent harms no other, and is replaced", "[s3]") {
    World world;
    ApnsProcess other = make_apns(world.dir / "other", 0);
    GatewayConfig zom(world.dir);
    zom.point_to(other);
    world.config.tables = "[knocks]\nack_wait = \"300ms\"\nrequest_timeout = \"1s\"\n";
    world.config.app = "hosts = [\"push.example.org\"]\n";
    world.config.apns =
        "[apps.zom]\nhosts = [\"zom.example.org\"]\n[apps.zom.apns]\n" + zom.apns_keys();
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone anna = register_phone(client, "anna");
    HttpClient zoms(gateway.port());
    zoms.set_host("zom.example.org");
    const Phone zoe = register_phone(zoms, "zoe", 2);
    CHECK(client.post(kMessages, knock_json(anna, "0")).status == 202);
    CHECK(zoms.post(kMessages, knock_json(zoe)).status == 202);
    CHECK(gateway.metric("knuckle_knocks_total{result=\"delivered\"}") == 2);

    world.apns.tell("/freeze");
    const Instant begin = monotonic_now();
    CHECK(client.post(kMessages, knock_json(anna, "1")).status == 202);
    for (int i = 0; i < 20; ++i) CHECK(zoms.post(kMessages, knock_json(zoe)).status == 202);
    CHECK(gateway.metric("knuckle_knocks_total{result=\"delivered\"}") == 22);
    // A deadline of one second, and three to recover.
    CHECK(eventually([&] { return count_numbers(world.apns.arrivals()).contains(1); }));
    const Duration recovered = monotonic_now() - begin;
    if (kIsProduct) CHECK(recovered <= seconds(4));
    CHECK(client.post(kMessages, knock_json(anna, "2")).status == 202);
    CHECK(eventually([&] { return count_numbers(world.apns.arrivals()).contains(2); }));
    CHECK(has_nothing_left(gateway));
    CHECK(gateway.stop() == 0);
}

TEST_CASE("S4: an outage of the provider loses nothing, and is not made worse", "[s4]") {
    World world;
    world.config.tables = "[knocks]\nack_wait = \"100ms\"\n";
    Gateway& gateway = world.start();
    const std::vector<Phone> phones = register_phones(gateway);
    const int outage_ms = is_long() ? 30'000 : 2'000;
    world.apns.tell("/fail",
                    R"({"status":503,"reason":"ServiceUnavailable","for_ms":)" +
                        std::to_string(outage_ms) + "}");
    const auto knocks = static_cast<size_t>(outage_ms / 10);
    KnockLoad load({.port = gateway.port(), .knocks = knocks, .phones = phones, .rate = 100});
    REQUIRE(load.run(seconds(60)));
    CHECK(load.answered(202) == knocks);
    CHECK(has_all(world, knocks, minutes(3)));
    CHECK(world.apns.count("/duplicates") == 0);
    // Each phone's push is tried after two seconds, then ever more slowly; a knock that finds one
    // waiting takes its place and does not hurry it.
    CHECK(world.apns.count("/refused") <= static_cast<int64_t>(2 * knocks));
    CHECK(has_nothing_left(gateway));
    CHECK(gateway.stop() == 0);
}

TEST_CASE("S5: a phone that registered after it was found dead is kept", "[s5]") {
    World world;
    HttpClient client(world.start().port());
    const Phone phone = register_phone(client, "anna");
    const auto tell_dead = [&](std::string_view timestamp) {
        world.apns.tell("/tokens",
                        R"({"token":")" + phone.registration + R"(","state":"unregistered")" +
                            std::string(timestamp) + "}");
    };
    tell_dead(R"(,"timestamp":1000000000000)");
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    CHECK(world.apns.count("/reasons/Unregistered") == 1);
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    CHECK(world.apns.count("/reasons/Unregistered") == 2);
    tell_dead(R"(,"timestamp":4000000000000)");
    // It is marked in the next commit, which no knock waits for.
    CHECK(eventually([&] {
        const int64_t before = world.apns.count("/requests");
        CHECK(client.post(kMessages, knock_json(phone)).status == 202);
        return world.apns.count("/requests") == before;
    }));
    // Until its app says that it is there again.
    world.apns.tell("/tokens", R"({"token":")" + phone.registration + R"(","state":"good"})");
    CHECK(client
              .put("/api/v1/device/apns/" + phone.device + "/",
                   R"({"registration_id":")" + phone.registration + R"("})",
                   phone.auth)
              .status == 200);
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    CHECK(world.apns.count("/accepted") == 1);
}

TEST_CASE("S6: kill -9 with thousands of pushes pending loses none", "[s6]") {
    World world;
    const size_t devices_each = kIsProduct ? 500 : 100;
    const size_t accounts = is_long() ? 20 : 4;
    world.config.limits += "devices_max = 1000\n";
    world.start();
    std::vector<Phone> phones;
    for (size_t i = 0; i < accounts; ++i) {
        phones.push_back(register_devices(
            *world.gateway, "anna" + std::to_string(i), 1 + i * devices_each, devices_each));
    }
    const auto pushes = static_cast<int64_t>(accounts * devices_each);
    world.apns.tell("/stall", R"({"on":true})");
    {
        HttpClient client(world.gateway->port());
        for (const Phone& phone : phones)
            REQUIRE(client.post(kMessages, knock_json(phone)).status == 202);
    }
    CHECK(world.gateway->metric("knuckle_pending_pushes") == static_cast<double>(pushes));
    world.gateway->process().signal(SIGKILL);
    CHECK(world.gateway->process().wait(kPatience) == 128 + SIGKILL);
    // What was on its way is gone with the process; the provider has seen none of it.
    world.apns.tell("/cut");
    world.apns.tell("/stall", R"({"on":false})");
    world.start();
    CHECK(eventually([&] { return world.apns.count("/pushes_accepted") == pushes; }, seconds(60)));
    CHECK(world.apns.count("/devices") == pushes);
    CHECK(world.apns.count("/duplicates") == 0);
    CHECK(has_nothing_left(*world.gateway));
}

TEST_CASE("S7: a phone that is off gets the push for a day, counted from the knock", "[s7]") {
    World world;
    HttpClient client(world.start().port());
    const Phone phone = register_phone(client, "anna");
    const int64_t before = std::time(nullptr);
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    const int64_t after = std::time(nullptr);
    const std::vector<std::string> arrivals = world.apns.arrivals();
    REQUIRE(arrivals.size() == 1);
    const int64_t expires = std::stoll(json_string(arrivals[0], "/fields/apns-expiration"));
    CHECK(expires >= before + 24 * 3'600);
    CHECK(expires <= after + 24 * 3'600);
    CHECK(world.apns.count("/expired_on_arrival") == 0);
}

TEST_CASE("S8: a provider that says nothing fills neither memory nor disk", "[s8]") {
    World world;
    world.config.tables = "[knocks]\nack_wait = \"100ms\"\n";
    world.config.limits += "pending_max = 10\njobs_max = 5000\n";
    Gateway& gateway = world.start();
    const std::vector<Phone> phones = register_phones(gateway);
    world.apns.tell("/stall", R"({"on":true})");
    const size_t knocks = static_cast<size_t>(is_long() ? 60'000 : 3'000);
    KnockLoad load({.port = gateway.port(), .knocks = knocks, .phones = phones, .rate = 1'000});
    int64_t memory_kib = 0;
    REQUIRE(load.run(seconds(120), [&] {
        if (memory_kib == 0 && load.answered() > knocks / 3)
            memory_kib = anonymous_kib(gateway.process().pid());
    }));
    CHECK(load.answered(202) + load.answered(503) == knocks);
    CHECK(load.answered(503) > 0);
    if (kIsProduct) CHECK(anonymous_kib(gateway.process().pid()) < memory_kib + 4 * 1'024);
    CHECK(gateway.metric("knuckle_pending_pushes") <= 10);

    HttpClient client(gateway.port());
    bool was_refused = false;
    for (size_t i = 0; i < phones.size(); ++i) {
        const HttpResponse response = client.post(kMessages, knock_json(phones[i]));
        if (response.status != 503) continue;
        was_refused = true;
        CHECK(!response.field("retry-after").empty());
    }
    CHECK(was_refused);
    world.apns.tell("/stall", R"({"on":false})");
    CHECK(has_nothing_left(gateway));
    CHECK(client.post(kMessages, knock_json(phones[0])).status == 202);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("S9: a provider token that is called expired once is refreshed once", "[s9]") {
    World world({"--keep", "4000"});
    world.config.tables = "[knocks]\nack_wait = \"100ms\"\n";
    Gateway& gateway = world.start();
    const std::vector<Phone> phones = register_phones(gateway);
    world.apns.tell("/faults",
                    R"({"fault":"answer","status":403,"reason":"ExpiredProviderToken",)"
                    R"("skip":200,"for_requests":1})");
    KnockLoad load({.port = gateway.port(), .knocks = 600, .phones = phones, .rate = 600});
    REQUIRE(load.run(seconds(30)));
    CHECK(load.answered(202) == 600);
    CHECK(has_all(world, 600));
    CHECK(world.apns.count("/reasons/ExpiredProviderToken") == 1);
    CHECK(world.apns.count("/refused") == 1);
    CHECK(world.apns.count("/duplicates") == 0);
    // Apple wedges a connection that has seen an expired token.
    CHECK(gateway.metric("knuckle_upstream_dials_total") >= 2);
    CHECK(gateway.metric("knuckle_pushes_total{outcome=\"credential_expired\"}") == 1);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("S10: any number of senders and tokens is counted in the same memory", "[s10]") {
    World world;
    world.config.tables = "[http]\nclient_address_field = \"X-Real-IP\"\n";
    world.config.limits += "knocks_per_address = \"2 per hour\"\n";
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    constexpr size_t kAtOnce = 50;
    const size_t rounds = is_long() ? 20'000 : 400;
    int64_t memory_kib = 0;
    for (size_t round = 0; round < rounds; ++round) {
        if (round == rounds / 4) memory_kib = anonymous_kib(gateway.process().pid());
        std::string requests;
        for (size_t i = 0; i < kAtOnce; ++i) {
            const std::string number = registration_of(round * kAtOnce + i).substr(24);
            const std::string body = R"({"token":")" + number + R"("})";
            requests += "POST " + std::string(kMessages) +
                        " HTTP/1.1\r\nHost: x\r\nX-Real-IP: 2001:db8:" + number.substr(32, 4) +
                        ":" + number.substr(36, 4) +
                        "::1\r\nContent-Type: application/json\r\nContent-Length: " +
                        std::to_string(body.size()) + "\r\n\r\n" + body;
        }
        client.send(requests);
        for (size_t i = 0; i < kAtOnce; ++i) {
            const auto response = client.receive();
            REQUIRE(response);
            REQUIRE(response->status == 404);
        }
    }
    if (kIsProduct) CHECK(anonymous_kib(gateway.process().pid()) < memory_kib + 1'024);
    CHECK(gateway.metric("knuckle_knocks_total{result=\"unknown_token\"}") ==
          static_cast<double>(rounds * kAtOnce));
    CHECK(gateway.stop() == 0);
}

TEST_CASE("S11: one dead device among ten costs the others nothing", "[s11]") {
    World world;
    Gateway& gateway = world.start();
    const Phone phone = register_devices(gateway, "anna", 1, 10);
    const char* const state = GENERATE("unregistered", "bad", "wrong_topic", "expired");
    CAPTURE(state);
    world.apns.tell("/tokens",
                    R"({"token":")" + registration_of(7) + R"(","state":")" + state + R"("})");
    HttpClient client(gateway.port());
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    CHECK(eventually([&] { return world.apns.count("/requests") == 10; }));
    CHECK(world.apns.count("/accepted") == 9);
    CHECK(world.apns.count("/devices") == 10);
    CHECK(has_nothing_left(gateway));
    CHECK(gateway.metric("knuckle_knocks_total{result=\"delivered\"}") == 1);
    CHECK(world.apns.count("/requests") == 10);
    CHECK(gateway.stop() == 0);
}

}  // namespace knuckle::test
