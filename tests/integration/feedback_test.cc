// SPDX-License-Identifier: GPL-3.0-or-later
// A device dies at the provider, and comes back: what the operator gets to know of it, and how.
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/text.h"
#include "crypto/digest.h"
#include "tests/integration/world.h"
#include "tests/support/json_fields.h"
#include "tests/support/knock_load.h"
#include "tests/support/loop_thread.h"

namespace knuckle::test {

namespace {

constexpr std::string_view kMessages = "/api/v1/messages/";
constexpr std::string_view kDevices = "/api/v1/device/apns/";
constexpr std::string_view kSecret = "a secret of the operator's own";

// The phone's app was deleted from it, says Apple from now on; and that it knows so since the year
// 2100, when no app has registered it again.
void die(World& world, HttpClient& client, const Phone& phone) {
    world.apns.tell("/tokens",
                    R"({"token":")" + phone.registration +
                        R"(","state":"unregistered","timestamp":4102444800000})");
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
}

void come_back(HttpClient& client, const Phone& phone) {
    CHECK(client
              .put(std::string(kDevices) + phone.device + "/",
                   R"({"registration_id":")" + phone.registration + R"("})",
                   phone.auth)
              .status == 200);
}

std::vector<std::string> events_of(Gateway& gateway, const std::string& query = "") {
    const HttpResponse response = gateway.admin("/feedback" + query);
    REQUIRE(response.status == 200);
    CHECK(response.field("content-type") == "application/json");
    return json_elements(response.body, "/events");
}

bool has_events(Gateway& gateway, size_t count) {
    return eventually([&] { return events_of(gateway).size() == count; });
}

// Takes what a webhook posts, one request on each connection, and answers each with `status`.
class Receiver {
public:
    explicit Receiver(const std::string& status, uint16_t port = 0)
        : answer_("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n"),
          port_(loop_.listen("127.0.0.1", port)) {
        loop_.tells([this](net::Loop&, Events& events) {
            events.receiving = [this, &events](io::ConnId id) {
                const std::string text = events.text_of(id);
                if (!is_complete(text)) return;
                requests_.push_back(text);
                events.send(id, answer_);
                events.loop.finish(id);
            };
        });
    }

    [[nodiscard]] uint16_t port() const { return port_; }
    void wait_for(size_t count) {
        loop_.waits_for([this, count](Events&) { return requests_.size() >= count; });
    }
    [[nodiscard]] std::vector<std::string> requests() {
        std::vector<std::string> copy;
        loop_.tells([&](net::Loop&, Events&) { copy = requests_; });
        return copy;
    }

private:
    static bool is_complete(const std::string& text) {
        const size_t end = text.find("\r\n\r\n");
        const size_t at = text.find("Content-Length: ");
        if (end == std::string::npos || at == std::string::npos) return false;
        return text.size() - end - 4 == std::stoul(text.substr(at + 16));
    }

    const std::string answer_;
    std::vector<std::string> requests_;  // touched on the loop's thread only
    LoopThread loop_;
    const uint16_t port_;
};

std::string body_of(const std::string& request) {
    return request.substr(request.find("\r\n\r\n") + 4);
}

bool is_signed(const std::string& request) {
    const size_t at = request.find("Knuckle-Signature: t=");
    if (at == std::string::npos) return false;
    const std::string line = request.substr(at + 21, request.find("\r\n", at) - at - 21);
    const std::string time = line.substr(0, line.find(','));
    const std::string signed_text = time + "." + body_of(request);
    return line ==
           time + ",v1=" + to_hex(crypto::hmac_sha256(as_bytes(kSecret), as_bytes(signed_text)));
}

void send_feedback_to(World& world, uint16_t port) {
    const std::string file = world.dir / "webhook.secret";
    std::ofstream(file) << kSecret << "\n";
    world.config.tables = "[feedback]\nwebhook_url = \"http://127.0.0.1:" + std::to_string(port) +
                          "/hook\"\nwebhook_secret_file = \"" + file + "\"\n";
}

}  // namespace

TEST_CASE("the operator reads which devices died and which came back", "[feedback]") {
    World world;
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    CHECK(events_of(gateway).empty());

    std::vector<Phone> phones;
    for (uint64_t i = 0; i < 3; ++i)
        phones.push_back(register_phone(client, "phone-" + std::to_string(i), i + 1));
    for (size_t i = 0; i < phones.size(); ++i) {
        die(world, client, phones[i]);
        REQUIRE(has_events(gateway, i + 1));
    }
    const std::string first = events_of(gateway).front();
    CHECK(json_number(first, "/cursor") == 1);
    CHECK(json_string(first, "/event") == "dead");
    CHECK(json_string(first, "/app") == "chat");
    CHECK(json_string(first, "/device") == phones[0].device);
    CHECK(json_string(first, "/kind") == "apns");
    CHECK(json_string(first, "/reason") == "Unregistered");
    CHECK(json_string(first, "/dead_since") == "2100-01-01T00:00:00.000000Z");
    CHECK(json_string(first, "/noticed").size() == kDateTextSize);
    CHECK(first.find(phones[0].registration) == std::string::npos);
    CHECK(first.find("phone-0") == std::string::npos);
    CHECK(gateway.metric("knuckle_feedback_events_total") == 3);

    // By pages, again and again alike.
    for (int i = 0; i < 2; ++i) {
        const std::string page = gateway.admin("/feedback?limit=2").body;
        CHECK(json_elements(page, "/events").size() == 2);
        CHECK(json_number(page, "/next") == 2);
        CHECK(page.find(R"("more":true,"trimmed":false)") != std::string::npos);
        CHECK(events_of(gateway, "?after=2&limit=2").size() == 1);
        CHECK(events_of(gateway, "?after=3").empty());
    }
    CHECK(gateway.admin("/feedback?after=4").status == 400);
    CHECK(gateway.admin("/feedback?limit=0").body.starts_with(R"({"limit":[)"));
    CHECK(gateway.admin("/feedback?after=x").body.starts_with(R"({"after":[)"));

    // A dead device is not pushed to, until its app comes back.
    const int64_t requests = world.apns.count("/requests");
    CHECK(client.post(kMessages, knock_json(phones[0])).status == 202);
    CHECK(world.apns.count("/requests") == requests);
    world.apns.tell("/tokens", R"({"token":")" + phones[0].registration + R"(","state":"good"})");
    come_back(client, phones[0]);
    CHECK(client.post(kMessages, knock_json(phones[0])).status == 202);
    CHECK(eventually([&] { return world.apns.count("/requests") == requests + 1; }));
    const std::string back = events_of(gateway, "?after=3").at(0);
    CHECK(json_string(back, "/event") == "revived");
    CHECK(json_string(back, "/device") == phones[0].device);
    CHECK(is_json_null(back, "/reason"));
    CHECK(events_of(gateway).size() == 3);

    // The log outlives the process.
    CHECK(gateway.stop() == 0);
    CHECK(events_of(world.serve(), "?after=3").at(0) == back);
}

TEST_CASE("a device that was registered again after Apple's word stays alive", "[feedback]") {
    World world;
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");
    // Dead in the first hour of 1970: that was an earlier life.
    world.apns.tell(
        "/tokens",
        R"({"token":")" + phone.registration + R"(","state":"unregistered","timestamp":3600000})");
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    CHECK(eventually(
        [&] { return gateway.metric("knuckle_pushes_total{outcome=\"unregistered\"}") == 1; }));
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    CHECK(eventually(
        [&] { return gateway.metric("knuckle_pushes_total{outcome=\"unregistered\"}") == 2; }));
    CHECK(events_of(gateway).empty());
}

TEST_CASE("the webhook gets every event, signed, and none twice", "[feedback][webhook]") {
    World world;
    Receiver receiver("204 No Content");
    send_feedback_to(world, receiver.port());
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");
    die(world, client, phone);
    receiver.wait_for(1);
    const std::string request = receiver.requests().front();
    CHECK(request.starts_with("POST /hook HTTP/1.1\r\nHost: 127.0.0.1:"));
    CHECK(is_signed(request));
    CHECK(json_string(body_of(request), "/events/0/device") == phone.device);
    CHECK(eventually([&] {
        return gateway.metric("knuckle_webhook_deliveries_total{result=\"delivered\"}") == 1;
    }));

    come_back(client, phone);
    receiver.wait_for(2);
    CHECK(json_string(body_of(receiver.requests()[1]), "/events/0/event") == "revived");
    // So that the second cursor is on disk: what is written later is there.
    CHECK(eventually([&] {
        return gateway.metric("knuckle_webhook_deliveries_total{result=\"delivered\"}") == 2;
    }));
    CHECK_FALSE(register_account(client, "bob").empty());
    CHECK(gateway.stop() == 0);

    Gateway& again = world.start();
    HttpClient other(again.port());
    die(world, other, phone);
    receiver.wait_for(3);
    CHECK(json_number(body_of(receiver.requests()[2]), "/events/0/cursor") == 3);
    CHECK(receiver.requests().size() == 3);
}

TEST_CASE("a receiver that is down gets the same events after a restart", "[feedback][webhook]") {
    World world;
    const uint16_t port = free_port();
    send_feedback_to(world, port);
    std::string event;
    {
        Gateway& gateway = world.start();
        HttpClient client(gateway.port());
        die(world, client, register_phone(client, "anna"));
        REQUIRE(eventually([&] {
            return gateway.metric("knuckle_webhook_deliveries_total{result=\"failed\"}") >= 1;
        }));
        CHECK(gateway.count_in_log("event=webhook_failed") == 1);
        CHECK(gateway.metric("knuckle_webhook_unsent_events") == 1);
        CHECK(gateway.readiness().status == 200);
        event = events_of(gateway).at(0);
        CHECK(gateway.stop() == 0);
    }
    Receiver receiver("200 OK", port);
    Gateway& gateway = world.start();
    receiver.wait_for(1);
    CHECK(json_elements(body_of(receiver.requests().front()), "/events").at(0) == event);
    CHECK(eventually([&] { return gateway.metric("knuckle_webhook_unsent_events") == 0; }));
}

TEST_CASE("a receiver that says no is complained about, and pushes go on", "[feedback][webhook]") {
    World world;
    Receiver receiver("410 Gone");
    send_feedback_to(world, receiver.port());
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    die(world, client, register_phone(client, "anna"));
    receiver.wait_for(1);
    REQUIRE(
        eventually([&] { return gateway.count_in_log("event=webhook_failed status=410") == 1; }));
    const Phone bob = register_phone(client, "bob", 2);
    CHECK(client.post(kMessages, knock_json(bob)).status == 202);
    CHECK(eventually([&] { return world.apns.count("/accepted") == 1; }));
    CHECK(gateway.readiness().status == 200);
}

TEST_CASE("a webhook without a secret that is one is refused at the start", "[feedback]") {
    World world;
    send_feedback_to(world, 9);
    std::ofstream(world.dir / "webhook.secret") << "short\n";
    CHECK_THROWS_WITH(world.serve(), Catch::Matchers::ContainsSubstring("at least 16 characters"));
}

}  // namespace knuckle::test
