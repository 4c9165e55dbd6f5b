// SPDX-License-Identifier: GPL-3.0-or-later
// The tables of section 2.1 of chatsecure-push.md: what is answered to credentials, bodies and
// texts that are wrong, at whichever endpoint. Where the checklist asks for more than the reference
// does, and where 8.1 and 8.2 change it, the newer rule stands.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/integration/conformance.h"

namespace knuckle::test {

namespace {

// Each endpoint that wants to know who asks.
std::vector<Request> requests_of_members(const Phone& phone) {
    const std::string device = "device/apns/" + phone.device + "/";
    const std::string token = "tokens/" + phone.token + "/";
    return {get("accounts/"),
            get("accounts/anna/"),
            del("accounts/anna/"),
            get("device/apns/"),
            post("device/apns/", json(R"({"registration_id":"x"})")),
            put(device, json(R"({"registration_id":"x"})")),
            patch(device, json("{}")),
            del(device),
            get("tokens/"),
            post("tokens/", json(R"({"apns_device":")" + phone.device + R"("})")),
            put(token, json(R"({"apns_device":")" + phone.device + R"("})")),
            patch(token, json("{}")),
            del(token)};
}

}  // namespace

TEST_CASE("2.1 credentials that are none, wrong or malformed", "[conformance][errors]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Phone phone = here.api.add_phone(anna, 1);
    const std::vector<std::pair<std::string, std::string>> refused = {
        {"X-Nothing: here", "Authentication credentials were not provided."},
        {"Authorization: Basic YW5uYTp4", "Authentication credentials were not provided."},
        {"Authorization: Bearer " + anna.auth, "Authentication credentials were not provided."},
        {"Authorization: Token " + std::string(40, 'f'), "Invalid token."},
        {"Authorization: Token " + anna.auth.substr(1), "Invalid token."},
        {"Authorization: Token " + anna.auth + "0", "Invalid token."},
        {"Authorization: Token " + phone.token, "Invalid token."},
        {"Authorization: Token", "Invalid token header. No credentials provided."},
        {"Authorization: Token a b",
         "Invalid token header. Token string should not contain spaces."}};
    for (const Request& request : requests_of_members(phone)) {
        for (const auto& [line, detail] : refused) {
            INFO(request.method << " " << request.path << ", " << line);
            const HttpResponse answer = here.api.ask(request.with(line));
            CHECK(answer.status == 401);
            CHECK(answer.field("www-authenticate") == "Token");
            CHECK(answer.body == R"({"detail":")" + detail + R"("})");
        }
    }
    // The word of the scheme may be written in any case.
    for (const std::string_view scheme : {"token", "TOKEN", "ToKeN"}) {
        CHECK(here.api
                  .ask(get("accounts/")
                           .with("Authorization: " + std::string(scheme) + " " + anna.auth))
                  .status == 200);
    }
    // Nothing of all that has done anything.
    CHECK(here.api.knock(phone.token) == 202);
    CHECK(json_number(here.api.ask(get("device/apns/").by(anna.auth)).body, "/count") == 1);
    CHECK(json_number(here.api.ask(get("tokens/").by(anna.auth)).body, "/count") == 1);
}

TEST_CASE("2.1 a bad auth token is refused where none is needed, but for the public calls",
          "[conformance][errors]") {
    Deployment here;
    for (const Request& request : {Request{.method = "OPTIONS", .path = "tokens/"},
                                   get("/api/v1/"),
                                   get("tokens/x/"),
                                   get("device/apns/00000000-0000-4000-8000-000000000000/")}) {
        INFO(request.method << " " << request.path);
        const HttpResponse refused = here.api.ask(request.by(std::string(40, 'f')));
        CHECK(refused.status == 401);
        CHECK(refused.body == R"({"detail":"Invalid token."})");
    }
}

TEST_CASE("2.1 bodies that cannot be read are refused at every endpoint that takes one",
          "[conformance][errors]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Phone phone = here.api.add_phone(anna, 1);
    const std::vector<std::pair<std::string, std::string>> endpoints = {
        {"POST", "accounts/"},
        {"POST", "device/apns/"},
        {"POST", "device/gcm/"},
        {"PUT", "device/apns/" + phone.device + "/"},
        {"PATCH", "device/apns/" + phone.device + "/"},
        {"POST", "tokens/"},
        {"PUT", "tokens/" + phone.token + "/"},
        {"PATCH", "tokens/" + phone.token + "/"},
        {"POST", "messages/"},
        {"POST", "/api/v1/"}};
    const std::vector<std::pair<std::string, std::string>> unreadable = {
        {"not JSON", "{'a':1}"},
        {"half", R"({"a":)"},
        {"two values", "{}{}"},
        {"NaN", R"({"a":NaN})"},
        {"Infinity", R"({"a":-Infinity})"},
        {"a byte order mark", "\xef\xbb\xbf{}"},
        {"no UTF-8", "{\"a\":\"\xc3\x28\"}"},
        {"half a surrogate pair", R"({"a":"\ud83d"})"},
        {"a bare control character", "{\"a\":\"\n\"}"},
        {"nothing but a space", " "}};
    const std::vector<std::pair<std::string, std::string>> no_object = {
        {"[]", "list"}, {R"("a")", "str"}, {"1", "int"}, {"1.5", "float"}, {"true", "bool"}};
    for (const auto& [method, path] : endpoints) {
        const auto answer_to = [&](const Body& body, int status) {
            INFO(method << " " << path << " " << body.type << " " << body.bytes.substr(0, 40));
            const HttpResponse refused =
                here.api.ask(Request{.method = method, .path = path, .body = body}.by(anna.auth));
            CHECK(refused.status == status);
            return refused.body;
        };
        for (const auto& [what, text] : unreadable) {
            INFO(what);
            CHECK(json_string(answer_to(json(text), 400), "/detail")
                      .starts_with("JSON parse error - "));
        }
        for (const auto& [text, type] : no_object) {
            CHECK(answer_to(json(text), 400) ==
                  R"({"non_field_errors":["Invalid data. Expected a dictionary, but got )" + type +
                      R"(."]})");
        }
        CHECK(answer_to(json("null"), 400) == R"({"non_field_errors":["No data provided"]})");
        CHECK(answer_to(Body{"text/xml", "<a/>"}, 415) ==
              R"({"detail":"Unsupported media type \"text/xml\" in request."})");
        CHECK(json_shape(answer_to(json(std::string(3 << 20, ' ')), 413)) == kDetailShape);
    }
    CHECK(here.api.knock(phone.token) == 202);
    const HttpResponse device =
        here.api.ask(get("device/apns/" + phone.device + "/").by(anna.auth));
    CHECK(json_string(device.body, "/registration_id") == phone.registration);
}

TEST_CASE("2.1 texts are trimmed, numbers are texts, and nothing else is",
          "[conformance][errors]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const auto answer_to = [&](std::string_view name) {
        return here.api.ask(
            post("device/gcm/", json(R"({"registration_id":"x","name":)" + std::string(name) + "}"))
                .by(anna.auth));
    };
    CHECK(json_string(answer_to(R"(" \t\r\n Phone\u00a0\u2003")").body, "/name") == "Phone");
    CHECK(json_string(answer_to("12").body, "/name") == "12");
    CHECK(json_string(answer_to("-0.5").body, "/name") == "-0.5");
    CHECK(json_string(answer_to(R"("  ")").body, "/name").empty());
    for (const std::string_view wrong : {"true", "[]", "{}", R"(["Phone"])"}) {
        const HttpResponse refused = answer_to(wrong);
        CHECK(refused.status == 400);
        CHECK(refused.body == R"({"name":["Not a valid string."]})");
    }
    const HttpResponse null_character = answer_to(R"("a\u0000b")");
    CHECK(null_character.status == 400);
    CHECK(null_character.body == R"({"name":["Null characters are not allowed."]})");
    for (const Body& no_utf8 :
         {form({{"registration_id", "\xff"}}), multipart({{"registration_id", "\xc3\x28"}})}) {
        CHECK(here.api.ask(post("device/gcm/", no_utf8).by(anna.auth)).status == 400);
    }
    // The last of several equal keys wins, in every kind of body.
    for (const Body& body : {json(R"({"registration_id":"a","registration_id":"b"})"),
                             form({{"registration_id", "a"}, {"registration_id", "b"}}),
                             multipart({{"registration_id", "a"}, {"registration_id", "b"}})}) {
        const HttpResponse made = here.api.ask(post("device/gcm/", body).by(anna.auth));
        CHECK(made.status == 201);
        CHECK(json_string(made.body, "/registration_id") == "b");
    }
}

TEST_CASE("2.1 every answer of the API says what is allowed there", "[conformance][errors]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Phone phone = here.api.add_phone(anna, 1);
    const auto allow_of = [&](const Request& request) {
        const HttpResponse answer = here.api.ask(request);
        INFO(request.method << " " << request.path << " " << answer.status);
        CHECK_FALSE(answer.field("content-length").empty());
        return answer.field("allow");
    };
    CHECK(allow_of(get("accounts/").by(anna.auth)) == "GET, POST, HEAD, OPTIONS");
    CHECK(allow_of(get("accounts/")) == "GET, POST, HEAD, OPTIONS");
    CHECK(allow_of(get("accounts/anna/").by(anna.auth)) == "GET, DELETE, HEAD, OPTIONS");
    CHECK(allow_of(post("tokens/", json("[")).by(anna.auth)) == "GET, POST, HEAD, OPTIONS");
    CHECK(allow_of(get("device/apns/" + phone.device).by(anna.auth)) ==
          "GET, PUT, PATCH, DELETE, HEAD, OPTIONS");
    CHECK(allow_of(post("messages/", form({{"token", phone.token}}))) == "POST, OPTIONS");
    CHECK(allow_of(post("messages/", form({{"token", "x"}}))) == "POST, OPTIONS");
    CHECK(allow_of(get("pubsub/")) == "GET, HEAD, OPTIONS");
    CHECK(allow_of(get("/nowhere")).empty());
}

TEST_CASE("2.1 an account has quotas far beyond what apps need, and says when they are met",
          "[conformance][errors]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const HttpResponse first =
        here.api.ask(post("device/apns/", json(R"({"registration_id":"1"})")).by(anna.auth));
    for (int i = 1; i < 100; ++i) here.api.add_device(anna.auth, "more");
    const HttpResponse refused =
        here.api.ask(post("device/apns/", json(R"({"registration_id":"1"})")).by(anna.auth));
    CHECK(refused.status == 403);
    CHECK(json_string(refused.body, "/detail").find("devices") != std::string::npos);
    CHECK(json_number(here.api.ask(get("device/apns/").by(anna.auth)).body, "/count") == 100);
    // Another's is not concerned, and what is deleted makes room.
    const Member bert = here.api.sign_up("bert");
    here.api.add_device(bert.auth, "1");
    const std::string path = "device/apns/" + json_string(first.body, "/id") + "/";
    CHECK(here.api.ask(del(path).by(anna.auth)).status == 204);
    here.api.add_device(anna.auth, "room");
}

}  // namespace knuckle::test
