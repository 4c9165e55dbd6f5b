// SPDX-License-Identifier: GPL-3.0-or-later
#include <vector>

#include <catch_amalgamated.hpp>

#include "api/rest.h"

using namespace knuckle;
using store::DeviceKind;

namespace {

const Uuid kId = *Uuid::parse("638426e6-832f-4a45-ae9a-db409ba2fb4d");
const UnixTime kCreated = {1'795'398'670'666'956};  // 2026-11-23T01:51:10.666956Z
const std::string kToken = "dd43cf2510414e44414b0b9d9c11b669cdbe99b2";

store::Device device() {
    store::Device device;
    device.id = kId;
    device.registration_id = "c8631d19322a";
    device.created = kCreated;
    return device;
}

store::Token token() {
    store::Token token;
    token.text = kToken;
    token.device = kId;
    token.expires = kCreated;
    return token;
}

std::string encode(const api::Knock& knock) {
    std::string body = "what was there before";
    api::encode_knock(knock, body);
    return body;
}

}  // namespace

TEST_CASE("A knock is echoed, with null for what was not sent", "[api][encode]") {
    api::Knock knock;
    knock.token = kToken;
    CHECK(encode(knock) == R"({"token":")" + kToken + R"(","data":null,"priority":null})");
    knock.priority = {"high", true, false};
    knock.extra = {api::KnockExtra::Kind::text, "h\xC3\xA9llo \"you\"\n"};
    CHECK(encode(knock) ==
          R"({"token":")" + kToken +
              "\",\"data\":\"h\xC3\xA9llo \\\"you\\\"\\u000a\",\"priority\":\"high\"}");
    knock.priority = {{}, true, true};
    knock.extra = {api::KnockExtra::Kind::object, R"({"a":1})"};
    CHECK(encode(knock) == R"({"token":")" + kToken + R"(","data":{"a":1},"priority":null})");
}

TEST_CASE("A knock of control characters fits its answer", "[api][encode]") {
    api::Knock knock;
    const std::string text(1'024, '\x01');
    knock.token = knock.priority.text = knock.extra.text = text;
    knock.priority.is_present = true;
    knock.extra.kind = api::KnockExtra::Kind::text;
    CHECK(encode(knock).size() > 3 * 6 * text.size());
}

TEST_CASE("An account is strings only; its token is told at login alone", "[api][encode]") {
    store::Account account;
    account.id = kId;
    account.username = "cape47d26";
    account.auth_token = "6b9b9b6d9cd27ea93e1adac580b94e3e75a72560";
    account.password_hash = "secret";
    const api::Reply login = api::encode_account(account, true);
    CHECK(login.status == 200);
    CHECK(login.body ==
          R"({"username":"cape47d26","email":"","id":"638426e6-832f-4a45-ae9a-db409ba2fb4d",)"
          R"("token":"6b9b9b6d9cd27ea93e1adac580b94e3e75a72560"})");
    account.email = "a@example.org";
    CHECK(api::encode_account(account, false).body ==
          R"({"username":"cape47d26","email":"a@example.org",)"
          R"("id":"638426e6-832f-4a45-ae9a-db409ba2fb4d"})");
}

TEST_CASE("A device has null for what was not given, and whole seconds with six zeros",
          "[api][encode]") {
    const api::Reply reply = api::encode_device(device(), 201);
    CHECK(reply.status == 201);
    CHECK(reply.content_type == "application/json");
    CHECK(reply.body == R"({"name":null,"id":"638426e6-832f-4a45-ae9a-db409ba2fb4d","active":true,)"
                        R"("registration_id":"c8631d19322a",)"
                        R"("device_id":null,"date_created":"2026-11-23T01:51:10.000000Z"})");
}

TEST_CASE("A device's blank texts are not null", "[api][encode]") {
    store::Device named = device();
    named.has_name = true;
    named.device_id = "d\\1";
    named.has_device_id = true;
    CHECK(api::encode_device(named, 200).body ==
          R"({"name":"","id":"638426e6-832f-4a45-ae9a-db409ba2fb4d","active":true,)"
          R"("registration_id":"c8631d19322a",)"
          R"("device_id":"d\\1","date_created":"2026-11-23T01:51:10.000000Z"})");
}

TEST_CASE("A device is inactive if the app says so, or the provider", "[api][encode]") {
    store::Device inactive = device();
    inactive.is_active = false;
    CHECK_THAT(api::encode_device(inactive, 200).body,
               Catch::Matchers::ContainsSubstring(R"("active":false)"));
    store::Device dead = device();
    dead.is_dead = true;
    CHECK_THAT(api::encode_device(dead, 200).body,
               Catch::Matchers::ContainsSubstring(R"("active":false)"));
}

TEST_CASE("A token leaves out what it has not, and always says when it expires", "[api][encode]") {
    store::Token plain = token();
    CHECK(api::encode_token(plain, 201).status == 201);
    CHECK(api::encode_token(plain, 201).body ==
          R"({"token":"dd43cf2510414e44414b0b9d9c11b669cdbe99b2",)"
          R"("apns_device":"638426e6-832f-4a45-ae9a-db409ba2fb4d",)"
          R"("date_expires":"2026-11-23T01:51:10.000000Z"})");
    store::Token named = token();
    named.kind = DeviceKind::gcm;
    named.name = "This awesome token";
    named.has_name = true;
    CHECK(api::encode_token(named, 200).body ==
          R"({"name":"This awesome token","token":"dd43cf2510414e44414b0b9d9c11b669cdbe99b2",)"
          R"("gcm_device":"638426e6-832f-4a45-ae9a-db409ba2fb4d",)"
          R"("date_expires":"2026-11-23T01:51:10.000000Z"})");
}

TEST_CASE("A token that was asked for by itself is there twice, for the iOS SDK", "[api][encode]") {
    const std::string members = R"("token":"dd43cf2510414e44414b0b9d9c11b669cdbe99b2",)"
                                R"("apns_device":"638426e6-832f-4a45-ae9a-db409ba2fb4d",)"
                                R"("date_expires":"2026-11-23T01:51:10.000000Z")";
    CHECK(api::encode_found_token(token()).body ==
          "{" + members + R"(,"results":[{)" + members + "}]}");
}

TEST_CASE("Lists come in the wrapper that both SDKs want", "[api][encode]") {
    const api::Routes routes;
    CHECK(api::encode_tokens({}, routes).body ==
          R"({"count":0,"next":null,"previous":null,"results":[]})");
    const std::vector<store::Token> tokens = {token(), token()};
    const std::string one = api::encode_token(token(), 200).body;
    CHECK(api::encode_tokens(tokens, routes).body ==
          R"({"count":2,"next":null,"previous":null,"results":[)" + one + "," + one + "]}");
}

TEST_CASE("A list of devices is of one kind", "[api][encode]") {
    const api::Routes routes;
    std::vector<store::Device> devices = {device(), device(), device()};
    devices[0].kind = devices[2].kind = DeviceKind::gcm;
    devices[2].registration_id = "last";
    const std::string results =
        api::encode_device(devices[0], 200).body + "," + api::encode_device(devices[2], 200).body;
    CHECK(api::encode_devices(devices, DeviceKind::gcm, routes).body ==
          R"({"count":2,"next":null,"previous":null,"results":[)" + results + "]}");
    CHECK(api::encode_devices(devices, DeviceKind::apns, routes).body ==
          R"({"count":1,"next":null,"previous":null,"results":[)" +
              api::encode_device(devices[1], 200).body + "]}");
}

TEST_CASE("Lists may be bare, as in the reference's last version", "[api][encode]") {
    api::Routes routes;
    routes.has_bare_lists = true;
    CHECK(api::encode_devices({}, DeviceKind::apns, routes).body == "[]");
    const std::vector<store::Token> tokens = {token()};
    CHECK(api::encode_tokens(tokens, routes).body ==
          "[" + api::encode_token(token(), 200).body + "]");
}

TEST_CASE("Pubsub names the address, and there is never an empty one", "[api][encode]") {
    CHECK(api::encode_pubsub("pubsub.example.org").body == R"({"jid":"pubsub.example.org"})");
    const api::Reply none = api::encode_pubsub("");
    CHECK(none.status == 404);
    CHECK(none.body == R"({"detail":"This gateway has no XMPP address."})");
}

TEST_CASE("The root names every endpoint by its address", "[api][encode]") {
    CHECK(api::encode_root("https://push.example.org/api/v1/").body ==
          R"({"device/apns":"https://push.example.org/api/v1/device/apns/",)"
          R"("device/gcm":"https://push.example.org/api/v1/device/gcm/",)"
          R"("tokens":"https://push.example.org/api/v1/tokens/",)"
          R"("messages":"https://push.example.org/api/v1/messages/",)"
          R"("accounts":"https://push.example.org/api/v1/accounts/",)"
          R"("pubsub":"https://push.example.org/api/v1/pubsub/"})");
}
