// SPDX-License-Identifier: GPL-3.0-or-later
// A knock's way through the real gateway to the simulated APNs, and what the sender and the phone
// see of it.
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/text.h"
#include "base/uuid.h"
#include "tests/integration/world.h"
#include "tests/support/json_fields.h"

namespace knuckle::test {

namespace {

constexpr std::string_view kMessages = "/api/v1/messages/";

std::string payload_for(const Phone& phone, std::string_view data) {
    return R"({"aps":{"alert":{"body":"New Message!","loc-key":"New Message!",)"
           R"("message":{"token":")" +
           phone.token + R"(","data":)" + std::string(data) +
           R"(}},"sound":"default","content-available":1,"thread-id":"New Message!"}})";
}

std::string field_of(const std::string& arrival, std::string_view name) {
    return json_string(arrival, "/fields/" + std::string(name));
}

int64_t unix_now() {
    timespec time{};
    ::clock_gettime(CLOCK_REALTIME, &time);
    return time.tv_sec;
}

}  // namespace

TEST_CASE("a phone is registered, a friend knocks, and the push is at APNs", "[knock]") {
    World world;
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());

    const HttpResponse account =
        client.post("/api/v1/accounts/",
                    R"({"username":"anna","password":"correct horse","email":"anna@example.org"})");
    REQUIRE(account.status == 200);
    const std::string auth = json_string(account.body, "/token");
    CHECK(json_string(account.body, "/username") == "anna");
    CHECK(json_string(account.body, "/email") == "anna@example.org");
    CHECK(Uuid::parse(json_string(account.body, "/id")));
    CHECK(auth.size() == 40);

    const std::string registration = registration_of(0xbeef);
    const HttpResponse device = client.post(
        "/api/v1/device/apns/", R"({"registration_id":")" + registration + R"("})", auth);
    REQUIRE(device.status == 201);
    const std::string device_id = json_string(device.body, "/id");
    CHECK(json_string(device.body, "/registration_id") == registration);

    const HttpResponse token =
        client.post("/api/v1/tokens/", R"({"apns_device":")" + device_id + R"("})", auth);
    REQUIRE(token.status == 201);
    CHECK(json_string(token.body, "/apns_device") == device_id);
    const Phone phone{.auth = auth,
                      .device = device_id,
                      .registration = registration,
                      .token = json_string(token.body, "/token")};

    const int64_t before = unix_now();
    HttpClient friend_of_anna(gateway.port());
    const HttpResponse knock = friend_of_anna.post(kMessages, knock_json(phone, "hello"));
    CHECK(knock.status == 202);
    CHECK(knock.field("content-type") == "application/json");
    CHECK(knock.body == R"({"token":")" + phone.token + R"(","data":"hello","priority":null})");

    // The answer came after APNs had it.
    const std::vector<std::string> arrivals = world.apns.arrivals();
    REQUIRE(arrivals.size() == 1);
    const std::string& push = arrivals.front();
    CHECK(json_number(push, "/status") == 200);
    CHECK(json_string(push, "/method") == "POST");
    CHECK(json_string(push, "/path") == "/3/device/" + registration);
    CHECK(json_string(push, "/payload") == payload_for(phone, R"("hello")"));
    CHECK(field_of(push, "apns-topic") == "org.example.chat");
    CHECK(field_of(push, "apns-push-type") == "alert");
    CHECK(field_of(push, "apns-priority") == "10");
    CHECK(field_of(push, "apns-collapse-id") == "knock");
    CHECK(field_of(push, "authorization").starts_with("bearer "));
    const auto expiration = parse_decimal(field_of(push, "apns-expiration"));
    REQUIRE(expiration);
    CHECK(static_cast<int64_t>(*expiration) >= before + 24 * 3600);
    CHECK(static_cast<int64_t>(*expiration) <= unix_now() + 24 * 3600);
    const std::string id = field_of(push, "apns-id");
    CHECK(Uuid::parse(id)->text() == id);

    // Another knock is another push.
    CHECK(friend_of_anna.post(kMessages, knock_json(phone)).status == 202);
    REQUIRE(world.apns.arrivals().size() == 2);
    CHECK(json_string(world.apns.arrivals().back(), "/payload") == payload_for(phone, "null"));
    CHECK(field_of(world.apns.arrivals().back(), "apns-id") != id);
    CHECK(world.apns.count("/connections_made") == 2);  // one for the phone's first push
    CHECK(gateway.stop() == 0);
}

TEST_CASE("whoever knocks with an unknown token learns that, and nothing is sent", "[knock]") {
    World world;
    HttpClient client(world.start().port());
    const Phone phone = register_phone(client, "anna");
    for (const std::string& token : {std::string(40, '0'),
                                     phone.token.substr(1),
                                     phone.token + "0",
                                     phone.auth,
                                     phone.device,
                                     std::string("x")}) {
        const HttpResponse response = client.post(kMessages, R"({"token":")" + token + R"("})");
        CHECK(response.status == 404);
        CHECK(response.body.empty());
    }
    CHECK(world.apns.count("/requests") == 0);
}

TEST_CASE("a token ends with its time", "[knock]") {
    World world;
    world.config.chatsecure = "token_lifetime = \"1s\"\n";
    HttpClient client(world.start().port());
    const Phone phone = register_phone(client, "anna");
    CHECK(eventually([&] { return client.post(kMessages, knock_json(phone)).status == 404; }));
    CHECK(client.post(kMessages, knock_json(phone)).status == 404);
}

TEST_CASE("what the sender says about urgency decides what the phone gets", "[knock]") {
    World world;
    const auto knock = [&](HttpClient& client, const Phone& phone, const std::string& priority) {
        const HttpResponse response = client.post(
            kMessages, R"({"token":")" + phone.token + R"(","priority":)" + priority + "}");
        CHECK(response.status == 202);
    };
    SECTION("low and what nobody knows is accepted and ignored, high is an alert") {
        HttpClient client(world.start().port());
        const Phone phone = register_phone(client, "anna");
        knock(client, phone, R"("low")");
        knock(client, phone, "null");
        knock(client, phone, R"("urgent")");
        CHECK(world.apns.count("/requests") == 0);
        knock(client, phone, R"("high")");
        CHECK(world.apns.count("/accepted") == 1);
    }
    SECTION("low may be made a background push") {
        world.config.app = "low_priority = \"background\"\n";
        HttpClient client(world.start().port());
        const Phone phone = register_phone(client, "anna");
        knock(client, phone, R"("low")");
        REQUIRE(world.apns.count("/accepted") == 1);
        const std::string push = world.apns.arrivals().front();
        CHECK(field_of(push, "apns-push-type") == "background");
        CHECK(field_of(push, "apns-priority") == "5");
        CHECK(json_string(push, "/payload") ==
              R"({"aps":{"content-available":1},"message":{"token":")" + phone.token +
                  R"(","data":null}})");
    }
    SECTION("no word about it may be ignored too") {
        world.config.app = "unspecified_priority = \"ignore\"\n";
        HttpClient client(world.start().port());
        const Phone phone = register_phone(client, "anna");
        CHECK(client.post(kMessages, knock_json(phone)).status == 202);
        CHECK(world.apns.count("/requests") == 0);
    }
}

TEST_CASE("every phone of the owner rings, and each once", "[knock]") {
    World world;
    HttpClient client(world.start().port());
    const std::string anna = register_account(client, "anna");
    const Phone first = register_phone(client, anna, registration_of(1));
    const Phone second = register_phone(client, anna, registration_of(2));
    // The same phone, registered by an app that forgot it had done so.
    const Phone again = register_phone(client, anna, registration_of(2));
    const Phone stranger = register_phone(client, "bert", 3);

    CHECK(client.post(kMessages, knock_json(first)).status == 202);
    CHECK(world.apns.count("/accepted") == 2);
    CHECK(world.apns.count("/devices") == 2);
    for (const std::string& push : world.apns.arrivals()) {
        CHECK(json_string(push, "/payload") == payload_for(first, "null"));
        CHECK(json_string(push, "/path") != "/3/device/" + stranger.registration);
    }
    CHECK(client.post(kMessages, knock_json(again)).status == 202);
    CHECK(client.post(kMessages, knock_json(second)).status == 202);
    CHECK(world.apns.count("/accepted") == 6);
    CHECK(world.apns.count("/devices") == 2);
}

TEST_CASE("one dead phone does not keep the owner's other one from ringing", "[knock]") {
    World world;
    HttpClient client(world.start().port());
    const std::string anna = register_account(client, "anna");
    const Phone dead = register_phone(client, anna, registration_of(1));
    const Phone alive = register_phone(client, anna, registration_of(2));
    world.apns.tell("/tokens",
                    R"({"token":")" + dead.registration + R"(","state":"unregistered"})");
    CHECK(client.post(kMessages, knock_json(alive)).status == 202);
    CHECK(world.apns.count("/requests") == 2);
    CHECK(world.apns.count("/accepted") == 1);
}

TEST_CASE("a phone that APNs calls unregistered is left alone until its app comes back",
          "[knock]") {
    World world;
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");
    const auto register_again = [&] {
        return client.put("/api/v1/device/apns/" + phone.device + "/",
                          R"({"registration_id":")" + phone.registration + R"("})",
                          phone.auth);
    };
    // A knock is answered before the device's end is on disk, so ask until it is seen.
    const auto is_left_alone = [&] {
        return eventually([&] {
            const int64_t before = world.apns.count("/requests");
            CHECK(client.post(kMessages, knock_json(phone)).status == 202);
            return world.apns.count("/requests") == before;
        });
    };
    world.apns.tell("/tokens",
                    R"({"token":")" + phone.registration +
                        R"(","state":"unregistered","timestamp":)" +
                        std::to_string((unix_now() + 60) * 1000) + "}");
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    CHECK(world.apns.count("/reasons/Unregistered") >= 1);
    CHECK(is_left_alone());

    world.apns.tell("/reset");
    const HttpResponse put = register_again();
    CHECK(put.status == 200);
    CHECK(json_string(put.body, "/id") == phone.device);
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    CHECK(world.apns.count("/accepted") == 1);

    // What APNs says about the time before the app came back does not count.
    world.apns.tell("/reset");
    world.apns.tell("/tokens",
                    R"({"token":")" + phone.registration +
                        R"(","state":"unregistered","timestamp":1000000000000})");
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    CHECK(world.apns.count("/reasons/Unregistered") == 2);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("what is no device token is accepted from an app and never sent to APNs", "[knock]") {
    World world;
    HttpClient client(world.start().port());
    const std::string anna = register_account(client, "anna");
    const Phone odd = register_phone(client, anna, "1234asdf/../../4/device?x");
    CHECK(client.post(kMessages, knock_json(odd)).status == 202);
    CHECK(world.apns.count("/requests") == 0);
    // Spaces are Apple's own way of showing one.
    std::string spaced = registration_of(7);
    spaced.insert(8, " ").insert(20, " ");
    const Phone phone = register_phone(client, anna, spaced);
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    CHECK(world.apns.count("/accepted") == 1);
    CHECK(json_string(world.apns.arrivals().back(), "/path") == "/3/device/" + registration_of(7));
}

TEST_CASE("a sender may add something, and it arrives as it was said", "[knock]") {
    World world;
    HttpClient client(world.start().port());
    const Phone phone = register_phone(client, "anna");
    const auto arrived_after = [&](const std::string& data) {
        const HttpResponse response =
            client.post(kMessages, R"({"token":")" + phone.token + R"(","data":)" + data + "}");
        CHECK(response.status == 202);
        return json_string(world.apns.arrivals().back(), "/payload");
    };
    const auto text_after = [&](const std::string& data) {
        return json_string(arrived_after(data), "/aps/alert/message/data");
    };
    CHECK(text_after(R"("Gr\u00fc\u00dfe")") ==
          "Gr\xc3\xbc\xc3\x9f"
          "e");
    CHECK(text_after(R"("\"quoted\", \\ and \n.")") == "\"quoted\", \\ and \n.");
    CHECK(arrived_after(R"({"a":[1,2,{"b":null}]})") ==
          payload_for(phone, R"({"a":[1,2,{"b":null}]})"));
    CHECK(arrived_after("null") == payload_for(phone, "null"));
}

}  // namespace knuckle::test
