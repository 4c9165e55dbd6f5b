// SPDX-License-Identifier: GPL-3.0-or-later
// Items 49 to 60 of the checklist, and section 2.5 of chatsecure-push.md.
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/integration/conformance.h"

namespace knuckle::test {

namespace {

constexpr std::string_view kNobodysId = "00000000-0000-4000-8000-000000000000";

Body for_apns(std::string_view device) {
    return json(R"({"apns_device":")" + std::string(device) + R"("})");
}

// A token with its name, in the order in which it is answered.
std::string token_json(std::string_view name, const HttpResponse& made) {
    return R"({"name":")" + std::string(name) + R"(","token":")" +
           json_string(made.body, "/token") + R"(","apns_device":")" +
           json_string(made.body, "/apns_device") + R"(","date_expires":")" +
           json_string(made.body, "/date_expires") + R"("})";
}

}  // namespace

TEST_CASE("49 a token is made for an own device", "[conformance][tokens]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const std::string apns = here.api.add_device(anna.auth, "abcd");
    const std::string gcm = here.api.add_device(anna.auth, "efgh", "gcm");
    for (const Body& body : {for_apns(apns),
                             form({{"apns_device", apns}}),
                             multipart({{"apns_device", apns}}),
                             form({{"apns_device", apns}, {"gcm_device", ""}, {"name", ""}}),
                             json(R"({"apns_device":")" + apns + R"(","gcm_device":null})")}) {
        const HttpResponse made = here.api.ask(post("tokens/", body).by(anna.auth).as(kIos));
        CHECK(made.status == 201);
        CHECK(json_shape(made.body) == kNamelessTokenShape);
        CHECK(json_string(made.body, "/apns_device") == apns);
        const std::string token = json_string(made.body, "/token");
        CHECK(token.size() == 40);
        CHECK(token.find_first_not_of("0123456789abcdef") == std::string::npos);
    }
    const HttpResponse android =
        here.api.ask(post("tokens/", form({{"gcm_device", gcm}})).by(anna.auth).as(kAndroid));
    CHECK(android.status == 201);
    CHECK(json_shape(android.body) == "{token:string,gcm_device:string,date_expires:string}");
    CHECK(json_string(android.body, "/gcm_device") == gcm);
}

TEST_CASE("50 both clients read date_expires, and as the same time", "[conformance][tokens]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const std::string device = here.api.add_device(anna.auth, "abcd");
    const HttpResponse made = here.api.ask(post("tokens/", for_apns(device)).by(anna.auth));
    const std::string token = json_string(made.body, "/token");
    const std::string date = json_string(made.body, "/date_expires");
    REQUIRE(read_date_as_ios(date));
    CHECK(read_date_as_android(date) == read_date_as_ios(date));
    // Wherever a token is shown, it is shown with that date.
    const std::string path = "tokens/" + token + "/";
    CHECK(json_string(here.api.ask(get("tokens/").by(anna.auth)).body, "/results/0/date_expires") ==
          date);
    CHECK(json_string(here.api.ask(get(path).by(anna.auth)).body, "/date_expires") == date);
    CHECK(json_string(here.api.ask(patch(path, json("{}")).by(anna.auth)).body, "/date_expires") ==
          date);
}

TEST_CASE("51 a token lives for more than two days, whatever the phone's time zone",
          "[conformance][tokens]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const std::string device = here.api.add_device(anna.auth, "abcd");
    constexpr int64_t kDay = int64_t{24} * 3'600 * 1'000;
    const int64_t before = now_in_ms();
    const HttpResponse made = here.api.ask(post("tokens/", for_apns(device)).by(anna.auth));
    const auto expires = read_date_as_ios(json_string(made.body, "/date_expires"));
    REQUIRE(expires);
    CHECK(*expires >= before + 30 * kDay);
    CHECK(*expires <= now_in_ms() + 30 * kDay + 1'000);  // by the second, and not early
}

TEST_CASE("52 the name of a token is echoed and has a limit", "[conformance][tokens]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const std::string device = here.api.add_device(anna.auth, "abcd");
    const auto answer_to = [&](const std::string& name) {
        return here.api.ask(
            post("tokens/", form({{"apns_device", device}, {"name", name}})).by(anna.auth));
    };
    const HttpResponse named = answer_to("This awesome token");
    CHECK(named.status == 201);
    CHECK(named.body == token_json("This awesome token", named));
    CHECK(json_string(answer_to(std::string(100, 'n')).body, "/name") == std::string(100, 'n'));
    CHECK(json_shape(answer_to("").body) == kNamelessTokenShape);
    const HttpResponse refused = answer_to(std::string(101, 'n'));
    CHECK(refused.status == 400);
    CHECK(refused.body == R"({"name":["Ensure this field has no more than 100 characters."]})");
}

TEST_CASE("53 nobody chooses their own token or expiry", "[conformance][tokens]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const std::string device = here.api.add_device(anna.auth, "abcd");
    const std::string wish = std::string(40, 'a');
    const HttpResponse made =
        here.api.ask(post("tokens/",
                          form({{"apns_device", device},
                                {"token", wish},
                                {"date_expires", "2099-01-01T00:00:00.000000Z"},
                                {"owner", "bert"}}))
                         .by(anna.auth));
    CHECK(made.status == 201);
    const std::string token = json_string(made.body, "/token");
    CHECK(token != wish);
    CHECK_FALSE(json_string(made.body, "/date_expires").starts_with("2099"));
    CHECK(here.api.knock(wish) == 404);
    // Nor later.
    const HttpResponse changed =
        here.api.ask(patch("tokens/" + token + "/",
                           form({{"token", wish}, {"date_expires", "2099-01-01T00:00:00.000000Z"}}))
                         .by(anna.auth));
    CHECK(changed.status == 200);
    CHECK(changed.body == made.body);
}

TEST_CASE("54 five requests for tokens at once get five tokens", "[conformance][tokens]") {
    Deployment here([](GatewayConfig& config) { config.workers = 2; });
    const Member anna = here.api.sign_up("anna");
    const std::string device = here.api.add_device(anna.auth, "abcd");
    const std::string body = for_apns(device).bytes;
    std::set<std::string> tokens;
    for (int burst = 0; burst < 4; ++burst) {
        std::vector<std::unique_ptr<HttpClient>> clients;
        for (int i = 0; i < 5; ++i) {
            clients.push_back(std::make_unique<HttpClient>(here.gateway->port()));
            clients.back()->send("POST /api/v1/tokens/ HTTP/1.1\r\nHost: push.example.org\r\n" +
                                 std::string(kIos) + "Authorization: Token " + anna.auth +
                                 "\r\nContent-Type: application/json\r\nContent-Length: " +
                                 std::to_string(body.size()) + "\r\n\r\n" + body);
        }
        for (const auto& client : clients) {
            const auto response = client->receive();
            REQUIRE(response);
            CHECK(response->status == 201);
            tokens.insert(json_string(response->body, "/token"));
        }
    }
    CHECK(tokens.size() == 20);
    for (const std::string& token : tokens) CHECK(here.api.knock(token) == 202);
}

TEST_CASE("55 a token is for one device, and for an own one", "[conformance][tokens]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Member bert = here.api.sign_up("bert");
    const std::string apns = here.api.add_device(anna.auth, "abcd");
    const std::string gcm = here.api.add_device(anna.auth, "efgh", "gcm");
    const std::string berts = here.api.add_device(bert.auth, "ijkl");
    const auto answer_to = [&](const Body& body) {
        const HttpResponse refused = here.api.ask(post("tokens/", body).by(anna.auth));
        CHECK(refused.status == 400);
        return refused.body;
    };
    const std::string none =
        R"({"non_field_errors":["Either an APNS or GCM device must be specified"]})";
    CHECK(answer_to(json("{}")) == none);
    CHECK(answer_to(json(R"({"name":"x"})")) == none);
    CHECK(answer_to(json(R"({"apns_device":null,"gcm_device":null})")) == none);
    CHECK(answer_to(form({{"apns_device", ""}, {"gcm_device", ""}})) == none);
    CHECK(answer_to(form({{"apns_device", apns}, {"gcm_device", gcm}})) ==
          R"({"non_field_errors":["Only one APNS or one GCM device may be specified"]})");
    const auto does_not_exist = [](std::string_view field, std::string_view id) {
        return R"({")" + std::string(field) + R"(":["Invalid pk \")" + std::string(id) +
               R"(\" - object does not exist."]})";
    };
    CHECK(answer_to(for_apns(berts)) == does_not_exist("apns_device", berts));
    CHECK(answer_to(for_apns(kNobodysId)) == does_not_exist("apns_device", kNobodysId));
    CHECK(answer_to(for_apns(gcm)) == does_not_exist("apns_device", gcm));
    CHECK(answer_to(form({{"gcm_device", apns}})) == does_not_exist("gcm_device", apns));
    CHECK(answer_to(for_apns("notauuid")) ==
          R"({"apns_device":["'notauuid' is not a valid UUID."]})");
    CHECK(json_shape(answer_to(json(R"({"apns_device":["x"]})"))) == "{apns_device:[string]}");
    CHECK(json_shape(here.api.ask(get("tokens/").by(anna.auth)).body) == list_of(""));
}

TEST_CASE("56 without credentials there are no tokens", "[conformance][tokens]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Phone phone = here.api.add_phone(anna, 1);
    const std::string path = "tokens/" + phone.token + "/";
    for (const Request& request : {post("tokens/", for_apns(phone.device)),
                                   put(path, for_apns(phone.device)),
                                   patch(path, json(R"({"name":"x"})"))}) {
        const HttpResponse anonymous = here.api.ask(request);
        CHECK(anonymous.status == 401);
        CHECK(anonymous.body == R"({"detail":"Authentication credentials were not provided."})");
        const HttpResponse stranger = here.api.ask(request.by(std::string(40, 'a')));
        CHECK(stranger.status == 401);
        CHECK(stranger.body == R"({"detail":"Invalid token."})");
        // A whitelist token is no auth token.
        CHECK(here.api.ask(request.by(phone.token)).status == 401);
    }
    CHECK(json_number(here.api.ask(get("tokens/").by(anna.auth)).body, "/count") == 1);
}

TEST_CASE("57 tokens are shown to their owner only", "[conformance][tokens]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Member bert = here.api.sign_up("bert");
    const std::string device = here.api.add_device(anna.auth, "abcd");
    const HttpResponse made = here.api.ask(
        post("tokens/", form({{"apns_device", device}, {"name", "Bob"}})).by(anna.auth));
    const std::string path = "tokens/" + json_string(made.body, "/token") + "/";
    here.api.make_token(bert.auth, here.api.add_device(bert.auth, "efgh"));

    const HttpResponse list = here.api.ask(get("tokens/").by(anna.auth).as(kIos));
    CHECK(list.status == 200);
    CHECK(json_number(list.body, "/count") == 1);
    CHECK(json_elements(list.body, "/results").front() == made.body);
    // Single, it is an object, and again in "results", which is where iOS looks (3.3).
    const HttpResponse own = here.api.ask(get(path).by(anna.auth).as(kIos));
    CHECK(own.status == 200);
    CHECK(own.body ==
          made.body.substr(0, made.body.size() - 1) + R"(,"results":[)" + made.body + "]}");
    for (const Request& request : {get(path).by(bert.auth),
                                   get(path),
                                   get("tokens/" + std::string(40, '0') + "/").by(anna.auth),
                                   get("tokens/%00%ff/").by(anna.auth)}) {
        const HttpResponse refused = here.api.ask(request);
        CHECK(refused.status == 404);
        CHECK(refused.body == kNotFound);
    }
}

TEST_CASE("58 tokens work with and without the final slash", "[conformance][tokens]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const std::string device = here.api.add_device(anna.auth, "abcd");
    const HttpResponse made = here.api.ask(post("tokens", for_apns(device)).by(anna.auth).as(kIos));
    CHECK(made.status == 201);
    const std::string token = json_string(made.body, "/token");
    CHECK(here.api.ask(get("tokens").by(anna.auth)).body ==
          here.api.ask(get("tokens/").by(anna.auth)).body);
    CHECK(here.api.ask(get("tokens/" + token).by(anna.auth)).body ==
          here.api.ask(get("tokens/" + token + "/").by(anna.auth)).body);
    CHECK(here.api.ask(del("tokens/" + token).by(anna.auth)).status == 204);
}

TEST_CASE("59 who does not own a token cannot delete or change it", "[conformance][tokens]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Member bert = here.api.sign_up("bert");
    const Phone phone = here.api.add_phone(anna, 1);
    const std::string berts = here.api.add_device(bert.auth, "abcd");
    const std::string path = "tokens/" + phone.token + "/";
    const std::string before = here.api.ask(get(path).by(anna.auth)).body;
    CHECK(here.api.ask(del(path)).status == 401);
    CHECK(here.api.ask(del(path).by(std::string(40, '0'))).status == 401);
    for (const Request& request :
         {del(path), put(path, for_apns(berts)), patch(path, json(R"({"name":"stolen"})"))}) {
        const HttpResponse refused = here.api.ask(request.by(bert.auth));
        CHECK(refused.status == 404);
        CHECK(refused.body == kNotFound);
    }
    CHECK(here.api.ask(get(path).by(anna.auth)).body == before);
    CHECK(here.api.knock(phone.token) == 202);
}

TEST_CASE("60 a token that its owner deletes is gone for everybody", "[conformance][tokens]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Phone phone = here.api.add_phone(anna, 1);
    const std::string kept = here.api.make_token(anna.auth, phone.device);
    const std::string path = "tokens/" + phone.token + "/";
    const HttpResponse gone = here.api.ask(del(path).by(anna.auth));
    CHECK(gone.status == 204);
    CHECK(gone.body.empty());
    for (const Request& request : {del(path), get(path), put(path, for_apns(phone.device))}) {
        const HttpResponse refused = here.api.ask(request.by(anna.auth));
        CHECK(refused.status == 404);
        CHECK(refused.body == kNotFound);
    }
    CHECK(here.api.knock(phone.token) == 404);
    CHECK(here.apns.count("/requests") == 0);
    CHECK(here.api.knock(kept) == 202);
}

TEST_CASE("2.5 a PUT or PATCH changes a token's name and device", "[conformance][tokens]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Phone phone = here.api.add_phone(anna, 1);
    const std::string other = here.api.add_device(anna.auth, "abcd");
    const std::string gcm = here.api.add_device(anna.auth, "efgh", "gcm");
    const std::string path = "tokens/" + phone.token + "/";

    const HttpResponse changed =
        here.api.ask(put(path, form({{"apns_device", other}, {"name", "Eve"}})).by(anna.auth));
    CHECK(changed.status == 200);
    CHECK(json_string(changed.body, "/apns_device") == other);
    CHECK(changed.body == token_json("Eve", changed));
    CHECK(json_string(changed.body, "/token") == phone.token);
    // A PUT needs a device (reference), a PATCH does not (8.1, bug 16).
    const HttpResponse refused = here.api.ask(put(path, json(R"({"name":"x"})")).by(anna.auth));
    CHECK(refused.status == 400);
    CHECK(json_shape(refused.body) == "{non_field_errors:[string]}");
    const HttpResponse renamed = here.api.ask(patch(path, json(R"({"name":"Bob"})")).by(anna.auth));
    CHECK(renamed.status == 200);
    CHECK(renamed.body == token_json("Bob", changed));
    // And never are both kinds set.
    const HttpResponse moved =
        here.api.ask(patch(path, json(R"({"gcm_device":")" + gcm + R"("})")).by(anna.auth));
    CHECK(moved.status == 200);
    CHECK(json_shape(moved.body) ==
          "{name:string,token:string,gcm_device:string,date_expires:string}");
    CHECK(here.api.ask(patch(path, for_apns(kNobodysId)).by(anna.auth)).status == 400);

    // Its life is tied to the new device now, no longer to the old ones.
    CHECK(here.api.ask(del("device/apns/" + other + "/").by(anna.auth)).status == 204);
    CHECK(here.api.knock(phone.token) == 202);
    CHECK(here.api.ask(del("device/gcm/" + gcm + "/").by(anna.auth)).status == 204);
    CHECK(here.api.knock(phone.token) == 404);
}

TEST_CASE("2.5 token paths take no other methods", "[conformance][tokens]") {
    Deployment here;
    const Member anna = here.api.sign_up("anna");
    const Phone phone = here.api.add_phone(anna, 1);
    for (const Request& request : {post("tokens/" + phone.token + "/", for_apns(phone.device)),
                                   del("tokens/"),
                                   put("tokens/", for_apns(phone.device))}) {
        CHECK(here.api.ask(request.by(anna.auth)).status == 405);
    }
    CHECK(here.api.knock(phone.token) == 202);
}

}  // namespace knuckle::test
