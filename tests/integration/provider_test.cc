// SPDX-License-Identifier: GPL-3.0-or-later
// Providers that cannot be reached, cannot be trusted, go away or say nothing: what the operator is
// told, and what becomes of the knocks.
#include <csignal>
#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/integration/world.h"
#include "tests/support/json_fields.h"
#include "tests/support/knock_load.h"

namespace knuckle::test {

namespace {

constexpr std::string_view kMessages = "/api/v1/messages/";

bool has_arrived(ApnsProcess& apns, size_t number) {
    return eventually([&] { return count_numbers(apns.arrivals()).contains(number); });
}

}  // namespace

TEST_CASE("a provider that is not there yet costs no knock", "[provider]") {
    World world;
    const uint16_t port = free_port();
    world.config.endpoint = "127.0.0.1:" + std::to_string(port);
    Gateway& gateway = world.serve();

    REQUIRE(eventually([&] { return gateway.count_in_log("event=provider_unavailable") == 1; }));
    CHECK(gateway.log().find("endpoint=127.0.0.1:" + std::to_string(port)) != std::string::npos);
    CHECK(gateway.log().find("cannot connect: Connection refused") != std::string::npos);
    CHECK(gateway.readiness().status == 503);
    CHECK(gateway.readiness().body.find("app chat") != std::string::npos);
    CHECK(gateway.admin("/healthz").status == 200);
    CHECK(gateway.metric("knuckle_ready") == 0);

    HttpClient client(gateway.port());
    std::vector<Phone> phones;
    for (size_t i = 0; i < 20; ++i) {
        phones.push_back(register_phone(client, "phone-" + std::to_string(i), i));
        CHECK(client.post(kMessages, knock_json(phones.back(), std::to_string(i))).status == 202);
    }
    CHECK(gateway.metric("knuckle_knocks_total{result=\"stored\"}") == 20);
    CHECK(gateway.metric("knuckle_jobs_pending") == 20);
    // A second failure says nothing new.
    CHECK(eventually([&] { return gateway.metric("knuckle_upstream_failures_total") >= 2; }));
    CHECK(gateway.count_in_log("event=provider_unavailable") == 1);

    ApnsProcess apns = make_apns(world.dir / "apns", port);
    gateway.wait_until_ready();
    CHECK(eventually([&] { return apns.count("/accepted") == 20; }));
    for (size_t i = 0; i < 20; ++i) CHECK(has_arrived(apns, i));
    CHECK(apns.count("/duplicates") == 0);
    CHECK(eventually([&] { return gateway.metric("knuckle_jobs_pending") == 0; }));
    CHECK(gateway.count_in_log("event=provider_ready") == 1);
    CHECK(client.post(kMessages, knock_json(phones.front(), "100")).status == 202);
    CHECK(gateway.metric("knuckle_knocks_total{result=\"delivered\"}") == 1);

    // It goes and comes back: one line for each.
    CHECK(apns.stop() == 0);
    CHECK(eventually([&] { return gateway.count_in_log("event=provider_unavailable") == 2; }));
    CHECK(gateway.readiness().status == 503);
    ApnsProcess again = make_apns(world.dir / "apns", port);
    gateway.wait_until_ready();
    CHECK(eventually([&] { return gateway.count_in_log("event=provider_ready") == 2; }));
    CHECK(gateway.count_in_log("event=provider_unavailable") == 2);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("a killed gateway delivers what it had stored when it comes back", "[provider]") {
    World world;
    const uint16_t port = free_port();
    world.config.endpoint = "127.0.0.1:" + std::to_string(port);
    world.config.workers = GENERATE(1, 2);
    Gateway& gateway = world.serve();
    REQUIRE(eventually([&] { return gateway.count_in_log("event=provider_unavailable") == 1; }));
    {
        HttpClient client(gateway.port());
        for (size_t i = 0; i < 20; ++i) {
            const Phone phone = register_phone(client, "phone-" + std::to_string(i), i);
            CHECK(client.post(kMessages, knock_json(phone, std::to_string(i))).status == 202);
        }
        // One push waits for each phone, the newest.
        const Phone twice = register_phone(client, "phone-twice", 1'000);
        CHECK(client.post(kMessages, knock_json(twice, "1000")).status == 202);
        CHECK(client.post(kMessages, knock_json(twice, "1001")).status == 202);
    }
    gateway.process().signal(SIGKILL);
    REQUIRE(gateway.process().wait(kPatience) == 128 + SIGKILL);

    ApnsProcess apns = make_apns(world.dir / "apns", port);
    Gateway& again = world.start();
    CHECK(eventually([&] { return apns.count("/accepted") == 21; }));
    const auto arrived = count_numbers(apns.arrivals());
    for (size_t i = 0; i < 20; ++i) CHECK(arrived.contains(i));
    CHECK(arrived.contains(1'001));
    CHECK(eventually([&] { return again.metric("knuckle_pending_pushes") == 0; }));
    CHECK(again.metric("knuckle_jobs_pending") == 0);
    CHECK(again.stop() == 0);

    // And only once.
    world.start();
    HttpClient client(world.gateway->port());
    const Phone phone = register_phone(client, "late", 2'000);
    CHECK(client.post(kMessages, knock_json(phone, "2000")).status == 202);
    CHECK(apns.count("/accepted") == 22);
    CHECK(apns.count("/duplicates") == 0);
}

TEST_CASE("after a start what was left of one app arrives, though another's provider is away",
          "[provider]") {
    constexpr size_t kPhones = 12;
    World world;
    const std::string chat_endpoint = world.config.endpoint;
    const uint16_t zom_port = free_port();
    world.config.endpoint = "127.0.0.1:" + std::to_string(zom_port);
    world.config.app = "hosts = [\"push.example.org\"]\n";
    world.config.apns =
        "[apps.zom]\nhosts = [\"zom.example.org\"]\n[apps.zom.apns]\n" + world.config.apns_keys();
    // Both are away.
    Gateway& gateway = world.serve();
    REQUIRE(eventually([&] { return gateway.count_in_log("event=provider_unavailable") == 2; }));
    for (const std::string_view host : {"zom.example.org", "push.example.org"}) {
        HttpClient client(gateway.port());
        client.set_host(host);
        const std::string anna = register_account(client, "anna");
        Phone phone;
        for (size_t i = 0; i < kPhones; ++i)
            phone = register_phone(client, anna, registration_of(i));
        CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    }
    gateway.process().signal(SIGKILL);
    REQUIRE(gateway.process().wait(kPatience) == 128 + SIGKILL);

    // Zom's still is, and its pushes are the older ones, and more than we can hold.
    world.config.endpoint = chat_endpoint;
    world.config.limits += "jobs_max = 8\n";
    Gateway& again = world.serve();
    CHECK(eventually([&] { return world.apns.count("/accepted") == kPhones; }));
    CHECK(eventually([&] { return again.metric("knuckle_pending_pushes") == kPhones; }));

    ApnsProcess zom = make_apns(world.apns.directory(), zom_port);
    CHECK(eventually([&] { return zom.count("/accepted") == kPhones; }));
    CHECK(eventually([&] { return again.metric("knuckle_pending_pushes") == 0; }));
    CHECK(world.apns.count("/accepted") == kPhones);
    CHECK(zom.count("/duplicates") + world.apns.count("/duplicates") == 0);
    CHECK(again.stop() == 0);
}

TEST_CASE("while a provider is away, the disk takes so many pushes, and the others are 503",
          "[provider]") {
    World world;
    const uint16_t port = free_port();
    world.config.endpoint = "127.0.0.1:" + std::to_string(port);
    world.config.limits += "pending_max = 3\n";
    world.config.tables = "[knocks]\nresend_rate = \"20 per second\"\n";
    world.serve();
    REQUIRE(eventually([&] { return world.gateway->count_in_log("provider_unavailable") == 1; }));
    std::vector<Phone> phones;
    const auto knock_for_all = [&] {
        HttpClient client(world.gateway->port());
        std::vector<int> statuses;
        for (size_t i = 0; i < 4; ++i) {
            if (phones.size() == i) phones.push_back(register_phone(client, std::to_string(i), i));
            const auto answer = client.post(kMessages, knock_json(phones[i], std::to_string(i)));
            statuses.push_back(answer.status);
            if (answer.status == 503) CHECK(answer.field("retry-after") == "5");
        }
        return statuses;
    };
    CHECK(knock_for_all() == std::vector{202, 202, 202, 503});
    CHECK(world.gateway->metric("knuckle_pending_pushes") == 3);
    CHECK(world.gateway->metric("knuckle_pending_bytes") > 300);
    CHECK(world.gateway->metric("knuckle_knocks_total{result=\"overloaded\"}") == 1);

    // A process that was killed counts in the next one.
    world.gateway->process().signal(SIGKILL);
    REQUIRE(world.gateway->process().wait(kPatience) == 128 + SIGKILL);
    world.serve();
    REQUIRE(eventually([&] { return world.gateway->count_in_log("provider_unavailable") == 1; }));
    CHECK(world.gateway->metric("knuckle_pending_pushes") == 3);
    CHECK(knock_for_all() == std::vector{202, 202, 202, 503});

    ApnsProcess apns = make_apns(world.dir / "apns", port);
    world.gateway->wait_until_ready();
    CHECK(eventually([&] { return world.gateway->metric("knuckle_pending_pushes") == 0; }));
    CHECK(world.gateway->metric("knuckle_pending_bytes") == 0);
    CHECK(world.gateway->metric("knuckle_pending_oldest_seconds") == 0);
    for (size_t i = 0; i < 3; ++i) CHECK(has_arrived(apns, i));
    CHECK(knock_for_all() == std::vector{202, 202, 202, 202});
}

TEST_CASE("a resolver that hangs for some names has threads left for others", "[provider]") {
    World world;
    Gateway& gateway = world.start();
    const std::string tasks = "/proc/" + std::to_string(gateway.process().pid()) + "/task";
    size_t resolving = 0;
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
        if (read_whole_file(task.path().string() + "/comm") == "libuv-worker\n") ++resolving;
    }
    CHECK(resolving == 16);
}

TEST_CASE("a provider that is not who it should be gets nothing", "[provider]") {
    struct Impostor {
        std::string what;
        std::vector<std::string> arguments;
        bool has_other_authority;
        std::string words;
    };
    const auto impostor = GENERATE(values<Impostor>({
        {"a certificate of an authority that we do not trust", {}, true, "authority"},
        {"a certificate for another name", {"--name", "api.example.org"}, false, "name"},
        {"no agreement on a protocol", {"--alpn", "none"}, false, "ALPN"},
        {"another protocol", {"--alpn", "http/1.1"}, false, "protocol"},
    }));
    INFO(impostor.what);
    World world;
    ApnsProcess other = make_apns(world.dir / "impostor", 0, impostor.arguments);
    world.config.endpoint = "127.0.0.1:" + std::to_string(other.port());
    if (!impostor.has_other_authority) world.config.ca_file = other.file("ca.pem");
    Gateway& gateway = world.serve();
    REQUIRE(eventually([&] { return gateway.count_in_log("event=provider_unavailable") == 1; }));
    INFO(gateway.log());
    CHECK(gateway.log().find(impostor.words) != std::string::npos);
    CHECK(gateway.readiness().status == 503);

    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");
    CHECK(client.post(kMessages, knock_json(phone, "1")).status == 202);
    CHECK(gateway.metric("knuckle_knocks_total{result=\"stored\"}") == 1);
    CHECK(other.count("/requests") == 0);
    CHECK(gateway.count_in_log("event=provider_unavailable") == 1);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("what a provider leaves unanswered for long is stored", "[provider]") {
    World world;
    world.config.tables = "[knocks]\nack_wait = \"300ms\"\n";
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");
    world.apns.tell("/delay", R"({"ms":1500})");
    CHECK(client.post(kMessages, knock_json(phone, "1")).status == 202);
    CHECK(gateway.metric("knuckle_knocks_total{result=\"stored\"}") == 1);
    CHECK(gateway.metric("knuckle_jobs_pending") == 1);
    CHECK(eventually([&] { return gateway.metric("knuckle_jobs_pending") == 0; }));
    CHECK(world.apns.count("/accepted") == 1);
    CHECK(world.apns.count("/duplicates") == 0);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("a connection that goes dead is replaced", "[provider]") {
    World world;
    world.config.tables = "[knocks]\nack_wait = \"200ms\"\nrequest_timeout = \"500ms\"\n";
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");
    prove(gateway, client, phone);
    world.apns.tell("/stall", R"({"on":true})");
    CHECK(client.post(kMessages, knock_json(phone, "2")).status == 202);
    CHECK(eventually([&] { return gateway.readiness().status == 503; }));
    CHECK(gateway.log().find("stopped answering") != std::string::npos);
    world.apns.tell("/stall", R"({"on":false})");
    gateway.wait_until_ready();
    CHECK(has_arrived(world.apns, 2));
    CHECK(eventually([&] { return gateway.metric("knuckle_jobs_pending") == 0; }));
    CHECK(gateway.stop() == 0);
}

TEST_CASE("a provider that says goodbye is answered with a new connection", "[provider]") {
    World world;
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");
    world.apns.tell("/delay", R"({"ms":30})");
    KnockLoad load({.port = gateway.port(), .phone = phone, .connections = 16, .knocks = 600});
    bool is_told = false;
    REQUIRE(load.run(seconds(30), [&] {
        if (is_told || load.answered() < 100) return;
        world.apns.tell("/goaway");
        is_told = true;
    }));
    CHECK(load.answered(202) == 600);
    // All are for one phone: those that had to wait for the new connection may have become one.
    CHECK(eventually([&] {
        const auto superseded = gateway.metric("knuckle_pushes_superseded_total");
        return static_cast<double>(world.apns.count("/pushes_accepted")) + superseded == 600;
    }));
    CHECK(world.apns.count("/duplicates") == 0);
    CHECK(world.apns.count("/connections_made") >= 3);  // one was for the phone's first push
    CHECK(gateway.stop() == 0);
}

TEST_CASE("a provider token that the provider calls expired is no reason to lose a push",
          "[provider]") {
    World world;
    world.config.tables = "[knocks]\nack_wait = \"200ms\"\n";
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");
    CHECK(client.post(kMessages, knock_json(phone, "1")).status == 202);
    // Our clocks disagree. A new token would be no better, and replacing it so soon is punished.
    world.apns.tell("/clock", R"({"offset_s":3700})");
    CHECK(client.post(kMessages, knock_json(phone, "2")).status == 202);
    CHECK(eventually([&] { return world.apns.count("/reasons/ExpiredProviderToken") >= 1; }));
    world.apns.tell("/clock", R"({"offset_s":0})");
    CHECK(has_arrived(world.apns, 2));
    gateway.wait_until_ready();
    const std::vector<std::string> arrivals = world.apns.arrivals();
    for (const std::string& arrival : arrivals) {
        CHECK(json_string(arrival, "/fields/authorization") ==
              json_string(arrivals.front(), "/fields/authorization"));
        CHECK(json_string(arrival, "/reason") != "TooManyProviderTokenUpdates");
    }
    CHECK(world.apns.count("/duplicates") == 0);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("a gateway that is started again and again shows the same provider token", "[provider]") {
    World world;
    const bool is_killed = GENERATE(false, true);
    std::string first;
    for (int start = 0; start < 3; ++start) {
        Gateway& gateway = world.start();
        HttpClient client(gateway.port());
        const Phone phone = register_phone(client, "anna-" + std::to_string(start));
        CHECK(client.post(kMessages, knock_json(phone, std::to_string(start))).status == 202);
        const std::string last = world.apns.arrivals().back();
        const std::string shown = json_string(last, "/fields/authorization");
        CHECK(shown.starts_with("bearer "));
        if (start == 0) first = shown;
        CHECK(shown == first);
        if (is_killed) {
            gateway.process().signal(SIGKILL);
            REQUIRE(gateway.process().wait(kPatience) == 128 + SIGKILL);
        } else {
            CHECK(gateway.stop() == 0);
        }
        // A token minted now would be another one: it tells its second.
        const std::time_t ended = std::time(nullptr);
        REQUIRE(eventually([&] { return std::time(nullptr) > ended; }));
    }
}

TEST_CASE("an app may show a client certificate instead of provider tokens", "[provider]") {
    World world({"--tls", "demands_certificate"});
    SECTION("with one the pushes go out, without a token") {
        const bool is_pkcs12 = GENERATE(false, true);
        if (is_pkcs12) {
            world.config.certificate = world.apns.file("client.p12");
            world.config.certificate_password_file = world.dir.write("password", "knuckle\n");
        } else {
            world.config.certificate = world.apns.file("client.pem");
            world.config.certificate_key = world.apns.file("client.key");
        }
        Gateway& gateway = world.start();
        CHECK(gateway.readiness().body == "ready\n");
        CHECK(gateway.metric(
                  "knuckle_certificate_expiry_timestamp_seconds{certificate=\"app chat\"}") > 2e9);
        HttpClient client(gateway.port());
        const Phone phone = register_phone(client, "anna");
        CHECK(client.post(kMessages, knock_json(phone, "1")).status == 202);
        CHECK(world.apns.count("/accepted") == 1);
        REQUIRE(world.apns.arrivals().size() == 1);
        CHECK(world.apns.arrivals()[0].find("authorization") == std::string::npos);
        CHECK(gateway.stop() == 0);
    }
    SECTION("without one nothing gets there, and nothing is lost") {
        Gateway& gateway = world.serve();
        REQUIRE(
            eventually([&] { return gateway.count_in_log("event=provider_unavailable") == 1; }));
        HttpClient client(gateway.port());
        const Phone phone = register_phone(client, "anna");
        CHECK(client.post(kMessages, knock_json(phone, "1")).status == 202);
        CHECK(world.apns.count("/requests") == 0);
        world.apns.tell("/tls", R"({"mode":"good"})");
        CHECK(has_arrived(world.apns, 1));
    }
}

TEST_CASE("a failure of the provider's is tried again", "[provider]") {
    World world;
    world.config.tables = "[knocks]\nack_wait = \"100ms\"\n";
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");
    world.apns.tell("/fail", R"({"status":503,"reason":"ServiceUnavailable","for_requests":1})");
    CHECK(client.post(kMessages, knock_json(phone, "1")).status == 202);
    CHECK(gateway.metric("knuckle_knocks_total{result=\"stored\"}") == 1);
    CHECK(eventually([&] { return world.apns.count("/accepted") == 1; }));
    CHECK(world.apns.count("/pushes") == 1);  // under the same id
    CHECK(eventually([&] { return gateway.metric("knuckle_jobs_pending") == 0; }));
    CHECK(gateway.stop() == 0);
}

TEST_CASE("what the provider refuses for good is not repeated", "[provider]") {
    World world;
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");
    world.apns.tell("/fail", R"({"status":413,"reason":"PayloadTooLarge","for_requests":1})");
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    CHECK(gateway.metric("knuckle_knocks_total{result=\"undeliverable\"}") == 1);
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    CHECK(world.apns.count("/requests") == 2);
    CHECK(world.apns.count("/accepted") == 1);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("a wrong topic is the operator's fault and deletes nobody's phone", "[provider]") {
    World world;
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");
    world.apns.tell("/tokens",
                    R"({"token":")" + phone.registration + R"(","state":"wrong_topic"})");
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    world.apns.tell("/reset");
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    CHECK(world.apns.count("/accepted") == 1);
    CHECK(gateway.stop() == 0);
}

}  // namespace knuckle::test
