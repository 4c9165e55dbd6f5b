// SPDX-License-Identifier: GPL-3.0-or-later
// Items 61 to 83 of the checklist, and sections 2.6, 3.5 and 4.3 of chatsecure-push.md.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/integration/conformance.h"

namespace knuckle::test {

namespace {

// Somebody with one phone, and what an outsider does to it.
struct RingingPhone : Deployment {
    template <typename... Configure>
    explicit RingingPhone(Configure... configure)
        : Deployment(configure...), owner(api.sign_up("anna")), phone(api.add_phone(owner, 1)) {}

    HttpResponse send(std::string_view members) {
        return api.ask(post(
            "messages/", json(R"({"token":")" + phone.token + "\"" + std::string(members) + "}")));
    }
    std::string last_payload() { return json_string(apns.arrivals().back(), "/payload"); }

    Member owner;
    Phone phone;
};

std::string echo(const Phone& phone, std::string_view data, std::string_view priority = "null") {
    return R"({"token":")" + phone.token + R"(","data":)" + std::string(data) + R"(,"priority":)" +
           std::string(priority) + "}";
}

}  // namespace

TEST_CASE("61 anybody who has the token may knock", "[conformance][messages]") {
    RingingPhone here;
    const HttpResponse knock = here.api.ask(
        post("messages/", json(R"({"token":")" + here.phone.token + R"("})")).as(kIos));
    CHECK(knock.status == 202);
    CHECK(knock.body == echo(here.phone, "null"));
    CHECK(here.apns.count("/accepted") == 1);
    // White space around it is none of it.
    const HttpResponse padded =
        here.api.ask(post("messages/", json(R"({"token":"  )" + here.phone.token + R"(\n"})")));
    CHECK(padded.status == 202);
    CHECK(padded.body == echo(here.phone, "null"));
}

TEST_CASE("62 the answer says nothing about the owner", "[conformance][messages]") {
    RingingPhone here;
    here.api.add_device(here.owner.auth, "efgh", "gcm");
    const HttpResponse knock = here.send("");
    CHECK(json_shape(knock.body) == "{token:string,data:null,priority:null}");
    std::string all = knock.body;
    for (const auto& [name, value] : knock.fields) all += name + ": " + value + "\n";
    for (const std::string& secret :
         {here.owner.username, here.owner.id, here.phone.device, here.phone.registration}) {
        CHECK(all.find(secret) == std::string::npos);
    }
}

TEST_CASE("63 data may be absent, null, empty in a form, or a text", "[conformance][messages]") {
    RingingPhone here;
    std::string umlauts;
    for (int i = 0; i < 100; ++i) umlauts += "\xc3\xbc";
    const std::vector<Body> bodies = {
        json(R"({"token":")" + here.phone.token + R"(","data":null})"),
        form({{"token", here.phone.token}}),
        form({{"token", here.phone.token}, {"data", ""}}),  // as Zom Android sends it, always
        multipart({{"token", here.phone.token}, {"data", ""}})};
    for (const Body& body : bodies) {
        const HttpResponse knock = here.api.ask(post("messages/", body).as(kAndroid));
        CHECK(knock.status == 202);
        CHECK(knock.body == echo(here.phone, "null"));
        CHECK(is_json_null(here.last_payload(), "/aps/alert/message/data"));
    }
    for (const std::string& text : {std::string("hello"),
                                    std::string(100, 'x'),
                                    umlauts,
                                    std::string("\"\\/\b\n\t\x7f"),
                                    std::string("\xf0\x9f\x93\xb1")}) {
        for (const Body& body :
             {form({{"token", here.phone.token}, {"data", "[" + text + "]"}}),
              multipart({{"token", here.phone.token}, {"data", "[" + text + "]"}})}) {
            const HttpResponse knock = here.api.ask(post("messages/", body));
            CHECK(knock.status == 202);
            CHECK(json_string(knock.body, "/data") == "[" + text + "]");
            CHECK(json_string(here.last_payload(), "/aps/alert/message/data") == "[" + text + "]");
        }
    }
}

TEST_CASE("64 data that came as a text goes back as that text", "[conformance][messages]") {
    RingingPhone here;
    for (const std::string_view text : {"hello", "12", "null", "{}", "true"}) {
        const HttpResponse knock = here.send(R"(,"data":")" + std::string(text) + "\"");
        CHECK(knock.status == 202);
        CHECK(json_string(knock.body, "/data") == text);
    }
    const HttpResponse blank = here.send(R"(,"data":"")");
    CHECK(blank.status == 400);
    CHECK(blank.body == R"({"data":["This field may not be blank."]})");
}

TEST_CASE("65 RubDub's multipart and any priority are taken", "[conformance][messages]") {
    RingingPhone here;
    const HttpResponse rubdub = here.api.ask(
        post("messages/", multipart({{"token", here.phone.token}, {"priority", "high"}}))
            .as(kRubDub));
    CHECK(rubdub.status == 202);
    CHECK(rubdub.body == echo(here.phone, "null", R"("high")"));
    CHECK(here.apns.count("/accepted") == 1);
    for (const std::string_view priority : {R"("low")", "null", R"("urgent")", R"("HIGH")"}) {
        const HttpResponse knock = here.send(R"(,"priority":)" + std::string(priority));
        CHECK(knock.status == 202);
        CHECK(knock.body == echo(here.phone, "null", priority));
    }
    CHECK(here.send(R"(,"priority":")" + std::string(100, 'x') + "\"").status == 202);
    const HttpResponse refused = here.send(R"(,"priority":")" + std::string(101, 'x') + "\"");
    CHECK(refused.status == 400);
    CHECK(json_shape(refused.body) == "{priority:[string]}");
}

TEST_CASE("66 fields of former versions are ignored", "[conformance][messages]") {
    RingingPhone here;
    for (const std::string_view members : {R"(,"alert_body":"You have mail")",
                                           R"(,"type":"message")",
                                           R"(,"type":"typing")",
                                           R"(,"type":"silent")",
                                           R"(,"type":7,"alert_body":null,"payload":[{}])"}) {
        const HttpResponse knock = here.send(members);
        CHECK(knock.status == 202);
        CHECK(knock.body == echo(here.phone, "null"));
        CHECK(here.last_payload().find("mail") == std::string::npos);
    }
    // An old RubDub.
    CHECK(here.api
              .ask(post("messages/", multipart({{"token", here.phone.token}, {"type", "message"}}))
                       .as(kRubDub))
              .status == 202);
    CHECK(here.apns.count("/accepted") == 6);
}

TEST_CASE("67 data beyond the limit is refused", "[conformance][messages]") {
    RingingPhone here;
    for (const size_t size : {size_t{2'000}, size_t{10'000}}) {
        const HttpResponse text = here.send(R"(,"data":")" + std::string(size, 'x') + "\"");
        CHECK(text.status == 400);
        CHECK(json_shape(text.body) == "{data:[string]}");
        const HttpResponse object = here.send(R"(,"data":{"a":")" + std::string(size, 'x') + "\"}");
        CHECK(object.status == 400);
        CHECK(json_shape(object.body) == "{data:[string]}");
    }
    CHECK(here.send(R"(,"data":")" + std::string(70'000, 'x') + "\"").status == 413);
    CHECK(here.apns.count("/requests") == 0);
}

TEST_CASE("68 data may be an object", "[conformance][messages]") {
    RingingPhone here;
    const std::string object = R"({"a":1,"b":[true,null,"\u00fc"],"c":{"d":-1.5e3}})";
    const HttpResponse knock = here.send(R"(,"data":)" + object);
    CHECK(knock.status == 202);
    CHECK(json_shape(knock.body).starts_with("{token:string,data:{a:number,"));
    CHECK(json_string(knock.body, "/data/b/2") == "\xc3\xbc");
    CHECK(json_string(here.last_payload(), "/aps/alert/message/data/b/2") == "\xc3\xbc");
    CHECK(json_number(here.last_payload(), "/aps/alert/message/data/a") == 1);
    for (const std::string_view wrong : {"[1]", "true"}) {
        const HttpResponse refused = here.send(R"(,"data":)" + std::string(wrong));
        CHECK(refused.status == 400);
        CHECK(refused.body == R"({"data":["Not a valid string."]})");
    }
}

TEST_CASE("69 unknown, revoked and deleted tokens are exactly 404, and alike",
          "[conformance][messages]") {
    RingingPhone here;
    const std::string revoked = here.api.make_token(here.owner.auth, here.phone.device);
    REQUIRE(here.api.ask(del("tokens/" + revoked + "/").by(here.owner.auth)).status == 204);
    const Member bert = here.api.sign_up("bert");
    const Phone berts = here.api.add_phone(bert, 2);
    REQUIRE(here.api.ask(del("accounts/bert/").by(bert.auth)).status == 204);
    std::string upper_case = here.phone.token;
    std::transform(upper_case.begin(), upper_case.end(), upper_case.begin(), [](char c) {
        return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
    });

    const auto answer_to = [&](const std::string& token) {
        return here.api.ask(post("messages/", json(R"({"token":")" + token + R"("})")).as(kIos));
    };
    const HttpResponse unknown = answer_to(std::string(40, '0'));
    CHECK(unknown.status == 404);
    CHECK(unknown.body.empty());
    CHECK(unknown.field("content-type").empty());
    CHECK(unknown.field("content-length") == "0");
    for (const std::string& token : {revoked,
                                     berts.token,
                                     upper_case,
                                     here.owner.auth,
                                     here.phone.device,
                                     here.phone.token.substr(1),
                                     std::string("x"),
                                     std::string(200, 'a')}) {
        INFO(token);
        const HttpResponse same = answer_to(token);
        CHECK(same.status == 404);
        CHECK(same.body == unknown.body);
        CHECK(same.fields == unknown.fields);
    }
    CHECK(here.apns.count("/requests") == 0);
}

TEST_CASE("70 a token that can be none is a mistake of the sender", "[conformance][messages]") {
    RingingPhone here;
    const auto answer_to = [&](const Body& body) {
        const HttpResponse refused = here.api.ask(post("messages/", body));
        CHECK(refused.status == 400);
        return refused.body;
    };
    const std::string missing = R"({"token":["This field is required."]})";
    const std::string blank = R"({"token":["This field may not be blank."]})";
    const std::string no_text = R"({"token":["Not a valid string."]})";
    CHECK(answer_to(json("{}")) == missing);
    CHECK(answer_to(form({{"data", "x"}})) == missing);
    CHECK(answer_to(multipart({{"priority", "high"}})) == missing);
    CHECK(answer_to(json(R"({"token":null})")) == R"({"token":["This field may not be null."]})");
    CHECK(answer_to(json(R"({"token":""})")) == blank);
    CHECK(answer_to(json(R"({"token":" \t "})")) == blank);
    CHECK(answer_to(form({{"token", ""}})) == blank);
    for (const std::string_view wrong : {"true", "[]", "{}", R"(["a"])"})
        CHECK(answer_to(json(R"({"token":)" + std::string(wrong) + "}")) == no_text);
    CHECK(answer_to(json(R"({"token":")" + std::string(201, 'a') + R"("})")) ==
          R"({"token":["Ensure this field has no more than 200 characters."]})");
    CHECK(answer_to(json(R"({"token":"a\u0000b"})")) ==
          R"({"token":["Null characters are not allowed."]})");
    // A number is taken for its text, and that is nobody's token.
    CHECK(here.api.ask(post("messages/", json(R"({"token":12345})"))).status == 404);
}

TEST_CASE("71 a body that cannot be read is 400", "[conformance][messages]") {
    RingingPhone here;
    for (const std::string_view body : {"{\"token\":\"x\"", "{\"token\":x}", "\xff\xfe", "{,}"}) {
        const HttpResponse refused = here.api.ask(post("messages/", json(body)));
        CHECK(refused.status == 400);
        CHECK(json_string(refused.body, "/detail").starts_with("JSON parse error - "));
    }
    for (const std::string_view body : {"[]", R"([{"token":"x"}])", R"("x")", "12", "true"}) {
        const HttpResponse refused = here.api.ask(post("messages/", json(body)));
        CHECK(refused.status == 400);
        CHECK(json_shape(refused.body) == "{non_field_errors:[string]}");
    }
    const std::string missing = R"({"token":["This field is required."]})";
    const HttpResponse empty = here.api.ask(post("messages/"));
    CHECK(empty.status == 400);
    CHECK(empty.body == missing);
    const HttpResponse no_boundary =
        here.api.ask(post("messages/", Body{"multipart/form-data", "token=x"}));
    CHECK(no_boundary.status == 400);
    const HttpResponse empty_form =
        here.api.ask(post("messages/", Body{"application/x-www-form-urlencoded", ""}));
    CHECK(empty_form.status == 400);
    CHECK(empty_form.body == missing);
}

TEST_CASE("72 extreme nesting is refused and harms nobody", "[conformance][messages]") {
    RingingPhone here;
    const auto nested = [&](const std::string& opening, const std::string& closing, size_t depth) {
        std::string value;
        for (size_t i = 0; i < depth; ++i) value += opening;
        value += "0";
        for (size_t i = 0; i < depth; ++i) value += closing;
        return here.send(R"(,"data":)" + value).status;
    };
    CHECK(nested("[", "]", 10'000) == 400);
    CHECK(nested(R"({"a":)", "}", 5'000) == 400);
    CHECK(nested("[", "]", 100'000) == 413);
    const HttpResponse unclosed = here.api.ask(post("messages/", json(std::string(30'000, '['))));
    CHECK(unclosed.status == 400);
    CHECK(here.api.knock(here.phone.token) == 202);
}

TEST_CASE("73 messages can be sent only", "[conformance][messages]") {
    RingingPhone here;
    for (const Request& request : {get("messages/"),
                                   put("messages/", json("{}")),
                                   patch("messages/", json("{}")),
                                   del("messages/"),
                                   get("messages/").by(here.owner.auth)}) {
        const HttpResponse refused = here.api.ask(request);
        CHECK(refused.status == 405);
        CHECK(refused.field("allow") == "POST, OPTIONS");
    }
    const HttpResponse below = here.api.ask(get("messages/" + here.phone.token + "/"));
    CHECK(below.status == 404);
    CHECK(below.field("content-type") == "text/html");
}

TEST_CASE("74 credentials of whatever kind do no harm to a knock", "[conformance][messages]") {
    RingingPhone here;
    const Request knock = post("messages/", form({{"token", here.phone.token}})).as(kAndroid);
    for (const std::string& value : {"Token " + here.owner.auth,
                                     "Token " + std::string(40, '0'),
                                     std::string("Token"),
                                     std::string("Token a b"),
                                     std::string("Bearer x"),
                                     std::string("Basic YTpi")}) {
        INFO(value);
        const HttpResponse answer = here.api.ask(knock.with("Authorization: " + value));
        CHECK(answer.status == 202);
        CHECK(answer.body == echo(here.phone, "null"));
    }
    CHECK(here.apns.count("/accepted") == 6);
}

TEST_CASE("75 every spelling of the endpoint that is in use works, with no detour",
          "[conformance][messages]") {
    RingingPhone here;
    int64_t knocks = 0;
    // Without its slash; as the reference's wiki has it; and the API root that Zom hands out (3.5).
    for (const char* const path : {"messages/",
                                   "messages",
                                   "message/",
                                   "message",
                                   "/api/v1/",
                                   "/api/v1",
                                   "messages/?format=json",
                                   "messages?x=y"}) {
        for (const Body& body : {json(R"({"token":")" + here.phone.token + R"("})"),
                                 form({{"token", here.phone.token}}),
                                 multipart({{"token", here.phone.token}, {"priority", "high"}})}) {
            INFO(path << " " << body.type);
            const HttpResponse knock = here.api.ask(post(path, body));
            CHECK(knock.status == 202);
            CHECK(json_string(knock.body, "/token") == here.phone.token);
            CHECK(here.apns.count("/accepted") == ++knocks);
        }
        CHECK(here.api.ask(post(path, json(R"({"token":"0"})"))).status == 404);
    }
}

TEST_CASE("76 knocks for owners of GCM devices, alone or beside others, are taken",
          "[conformance][messages]") {
    RingingPhone here;
    const Member bert = here.api.sign_up("bert");
    const std::string berts =
        here.api.make_token(bert.auth, here.api.add_device(bert.auth, "efgh", "gcm"), "gcm");
    // 82 (what FCM is sent) cannot be asked yet: GCM devices are kept and listed, and a knock for
    // them is accepted, but nothing is sent to Google.
    for (const std::string_view priority : {"", "high", "low"}) {
        const HttpResponse knock = here.api.ask(
            post("messages/", form({{"token", berts}, {"priority", std::string(priority)}})));
        CHECK(knock.status == 202);
        CHECK(json_string(knock.body, "/token") == berts);
    }
    CHECK(here.apns.count("/requests") == 0);

    const std::string gcm = here.api.add_device(here.owner.auth, "ijkl", "gcm");
    const std::string for_gcm = here.api.make_token(here.owner.auth, gcm, "gcm");
    CHECK(here.api.knock(here.phone.token) == 202);
    CHECK(here.api.knock(for_gcm) == 202);
    // Whatever device a token was made for, all of its owner's ring.
    CHECK(here.apns.count("/accepted") == 2);
}

TEST_CASE("77 a token that has expired is 404", "[conformance][messages]") {
    RingingPhone here(
        [](GatewayConfig& config) { config.chatsecure = "token_lifetime = \"1s\"\n"; });
    const Request knock = post("messages/", form({{"token", here.phone.token}}));
    REQUIRE(eventually([&] { return here.api.ask(knock).status == 404; }));
    const int64_t rung = here.apns.count("/requests");
    const HttpResponse expired = here.api.ask(knock);
    const HttpResponse unknown =
        here.api.ask(post("messages/", form({{"token", std::string(40, '0')}})));
    CHECK(expired.status == 404);
    CHECK(expired.body == unknown.body);
    CHECK(expired.fields == unknown.fields);
    CHECK(here.apns.count("/requests") == rung);
    // To its owner it is gone as well.
    const std::string path = "tokens/" + here.phone.token + "/";
    for (const Request& request : {get(path), patch(path, json(R"({"name":"x"})"))}) {
        CHECK(here.api.ask(request.by(here.owner.auth)).status == 404);
    }
    CHECK(here.api.ask(get("tokens/").by(here.owner.auth)).body.find(here.phone.token) ==
          std::string::npos);
}

TEST_CASE("78 a knock without priority rings, one of low priority does not",
          "[conformance][messages]") {
    RingingPhone here;
    for (const std::string_view members :
         {R"(,"priority":"low")", R"(,"priority":null)", R"(,"priority":"High")"}) {
        CHECK(here.send(members).status == 202);
    }
    CHECK(here.api.ask(post("messages/", form({{"token", here.phone.token}, {"priority", "low"}})))
              .status == 202);
    CHECK(here.apns.count("/requests") == 0);
    CHECK(here.send("").status == 202);
    CHECK(here.apns.count("/accepted") == 1);
    CHECK(here.send(R"(,"priority":"high")").status == 202);
    CHECK(here.apns.count("/accepted") == 2);
}

TEST_CASE("79 what the phone gets is what every version of the app understands",
          "[conformance][messages]") {
    RingingPhone here;
    CHECK(here.send(R"(,"data":"hello","priority":"high")").status == 202);
    REQUIRE(here.apns.count("/requests") == 1);
    const std::string push = here.apns.arrivals().front();
    const std::string payload = json_string(push, "/payload");
    CHECK(json_string(push, "/path") == "/3/device/" + here.phone.registration);
    CHECK(json_string(push, "/fields/apns-push-type") == "alert");
    CHECK(json_string(push, "/fields/apns-priority") == "10");
    CHECK(json_string(push, "/fields/apns-topic") == "org.example.chat");
    CHECK(json_string(payload, "/aps/alert/message/token") == here.phone.token);
    CHECK(json_string(payload, "/aps/alert/message/data") == "hello");
    CHECK(json_string(payload, "/aps/alert/loc-key") == "New Message!");
    CHECK(json_string(payload, "/aps/alert/body") == "New Message!");
    CHECK(json_string(payload, "/aps/sound") == "default");
    CHECK(json_string(payload, "/aps/thread-id") == "New Message!");
    CHECK(json_number(payload, "/aps/content-available") == 1);
    // 4.3: between an hour and a day.
    const int64_t expiration = std::stoll(json_string(push, "/fields/apns-expiration"));
    CHECK(expiration * 1'000 >= now_in_ms() + 3'500 * 1'000);
    CHECK(expiration * 1'000 <= now_in_ms() + int64_t{24} * 3'600 * 1'000);
}

TEST_CASE("80 a message rings each registration once, and no inactive device",
          "[conformance][messages]") {
    RingingPhone here;
    const std::string auth = here.owner.auth;
    for (int i = 0; i < 4; ++i) here.api.add_device(auth, here.phone.registration);
    const Phone second = here.api.add_phone(here.owner, 2);
    const Phone silent = here.api.add_phone(here.owner, 3);
    const std::string path = "device/apns/" + silent.device + "/";
    REQUIRE(here.api.ask(patch(path, json(R"({"active":false})")).by(auth)).status == 200);
    const auto rings = [&] {
        here.apns.tell("/reset");
        CHECK(here.api.knock(second.token) == 202);
        CHECK(here.apns.count("/devices") == here.apns.count("/requests"));
        return here.apns.count("/accepted");
    };
    CHECK(rings() == 2);
    for (const std::string& push : here.apns.arrivals())
        CHECK(json_string(push, "/path") != "/3/device/" + silent.registration);
    // The token of a silent device still wakes the others.
    here.apns.tell("/reset");
    CHECK(here.api.knock(silent.token) == 202);
    CHECK(here.apns.count("/accepted") == 2);
    REQUIRE(here.api.ask(patch(path, json(R"({"active":true})")).by(auth)).status == 200);
    CHECK(rings() == 3);
}

TEST_CASE("81 a device that Apple calls gone is inactive until its app is back",
          "[conformance][messages]") {
    RingingPhone here;
    const Request ask = get("device/apns/" + here.phone.device + "/").by(here.owner.auth);
    const auto is_active = [&] {
        return here.api.ask(ask).body.find(R"("active":true)") != std::string::npos;
    };
    here.apns.tell("/tokens",
                   R"({"token":")" + here.phone.registration +
                       R"(","state":"unregistered","timestamp":)" +
                       std::to_string(now_in_ms() + 60'000) + "}");
    CHECK(here.send("").status == 202);
    CHECK(eventually([&] { return !is_active(); }));
    here.apns.tell("/reset");
    CHECK(here.send("").status == 202);
    CHECK(here.apns.count("/requests") == 0);

    const HttpResponse launch =
        here.api.ask(put("device/apns/" + here.phone.device + "/",
                         json(R"({"registration_id":")" + here.phone.registration +
                              R"(","device_id":")" + here.phone.device + R"("})"))
                         .by(here.owner.auth)
                         .as(kIos));
    CHECK(launch.status == 200);
    CHECK(is_active());
    CHECK(here.send("").status == 202);
    CHECK(here.apns.count("/accepted") == 1);
}

TEST_CASE("83 what becomes of a push at Apple does not change the answer",
          "[conformance][messages]") {
    RingingPhone here(
        [](GatewayConfig& config) { config.tables = "[knocks]\nack_wait = \"50ms\"\n"; });
    const std::string good = here.send(R"(,"data":"hello")").body;
    const auto is_answered_alike = [&] {
        const HttpResponse knock = here.send(R"(,"data":"hello")");
        return knock.status == 202 && knock.body == good;
    };
    for (const char* const failure : {R"({"status":500,"reason":"InternalServerError"})",
                                      R"({"status":503,"reason":"ServiceUnavailable"})",
                                      R"({"status":429,"reason":"TooManyRequests"})",
                                      R"({"status":400,"reason":"PayloadEmpty"})",
                                      R"({"status":413,"reason":"PayloadTooLarge"})"}) {
        INFO(failure);
        here.apns.tell("/fail", failure);
        CHECK(is_answered_alike());
        here.apns.tell("/reset");
    }
    here.apns.tell("/tokens", R"({"token":")" + here.phone.registration + R"(","state":"bad"})");
    CHECK(is_answered_alike());
    here.apns.tell("/stall", R"({"on":true})");
    CHECK(is_answered_alike());
    here.apns.tell("/stall", R"({"on":false})");
    CHECK(here.apns.stop() == 0);
    CHECK(is_answered_alike());
    CHECK(eventually([&] { return here.gateway->readiness().status == 503; }));
    CHECK(is_answered_alike());
}

}  // namespace knuckle::test
