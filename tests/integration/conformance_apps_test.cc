// SPDX-License-Identifier: GPL-3.0-or-later
// Two apps in one gateway, told apart by host or by the first word of the path: what belongs to one
// does not exist for the other.
#include <string>
#include <string_view>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/integration/conformance.h"

namespace knuckle::test {

namespace {

constexpr std::string_view kChatHost = "push.chat.example";
constexpr std::string_view kZomHost = "push.zom.example";

struct TwoApps : Deployment {
    TwoApps()
        : Deployment([](GatewayConfig& settings) {
              settings.app = "hosts = [\"push.chat.example\"]\n";
              // The second app's table follows the first one's, with the same keys.
              const std::string first = settings.text();
              const size_t begin = first.find("[apps.chat.apns]\n") + 17;
              settings.apns =
                  "[apps.zom]\nhosts = [\"push.zom.example\", \"zom.example\"]\n"
                  "[apps.zom.apns]\n" +
                  first.substr(begin);
          }) {}
};

}  // namespace

TEST_CASE("apps by host: what belongs to one does not exist for the other", "[conformance][apps]") {
    TwoApps here;
    const Member anna = here.api.sign_up("anna", kChatHost);
    // The same name, with the same password, is another account there.
    const Member zoms = here.api.sign_up("anna", kZomHost);
    CHECK(zoms.id != anna.id);
    CHECK(zoms.auth != anna.auth);

    const auto ask = [&](const Request& request, std::string_view host) {
        return here.api.ask(request.to(host));
    };
    const HttpResponse made =
        ask(post("device/apns/", form({{"registration_id", registration_of(1)}})).by(anna.auth),
            kChatHost);
    REQUIRE(made.status == 201);
    const std::string device = json_string(made.body, "/id");
    const Body for_device = form({{"apns_device", device}});
    const HttpResponse token_made = ask(post("tokens/", for_device).by(anna.auth), kChatHost);
    REQUIRE(token_made.status == 201);
    const std::string token = json_string(token_made.body, "/token");

    // Her auth token is nobody's there, and the other anna sees nothing of hers.
    CHECK(ask(get("accounts/").by(anna.auth), kZomHost).status == 401);
    CHECK(ask(get("device/apns/").by(zoms.auth), kZomHost).body ==
          R"({"count":0,"next":null,"previous":null,"results":[]})");
    CHECK(ask(get("tokens/").by(zoms.auth), kZomHost).body ==
          R"({"count":0,"next":null,"previous":null,"results":[]})");
    for (const Request& request : {get("device/apns/" + device + "/"),
                                   del("device/apns/" + device + "/"),
                                   get("tokens/" + token + "/"),
                                   patch("tokens/" + token + "/", form({{"name", "stolen"}})),
                                   del("tokens/" + token + "/")}) {
        INFO(request.method << " " << request.path);
        CHECK(ask(request.by(zoms.auth), kZomHost).status == 404);
    }
    CHECK(ask(post("tokens/", for_device).by(zoms.auth), kZomHost).status == 400);
    const Request knock = post("messages/", form({{"token", token}}));
    CHECK(ask(knock, kZomHost).status == 404);
    CHECK(here.apns.count("/requests") == 0);
    CHECK(ask(knock, kChatHost).status == 202);
    CHECK(ask(knock, "PUSH.CHAT.EXAMPLE:443").status == 202);
    CHECK(here.apns.count("/accepted") == 2);

    // The end of the one is not the other's.
    CHECK(ask(del("accounts/anna/").by(zoms.auth), kZomHost).status == 204);
    CHECK(ask(get("accounts/").by(anna.auth), kChatHost).status == 200);
    CHECK(ask(knock, kChatHost).status == 202);
}

TEST_CASE("apps by path: the same under a host that is no app's", "[conformance][apps]") {
    TwoApps here;
    const auto sign_up_at = [&](std::string_view base) {
        const HttpResponse made = here.api.ask(
            post(std::string(base) + "accounts", form({{"username", "anna"}, {"password", "x"}})));
        CHECK(made.status == 200);
        return made.body;
    };
    const std::string chats = sign_up_at("/chat/api/v1/");
    const std::string zoms = sign_up_at("/zom/api/v1/");
    CHECK(json_string(chats, "/id") != json_string(zoms, "/id"));
    const std::string auth = json_string(zoms, "/token");
    const HttpResponse device = here.api.ask(
        post("/zom/api/v1/device/apns/", form({{"registration_id", registration_of(1)}})).by(auth));
    const HttpResponse token = here.api.ask(
        post("/zom/api/v1/tokens/", form({{"apns_device", json_string(device.body, "/id")}}))
            .by(auth));
    REQUIRE(token.status == 201);
    const Body knock = form({{"token", json_string(token.body, "/token")}});
    for (const char* const path :
         {"/zom/api/v1/messages/", "/zom/api/v1/messages", "/zom/api/v1/message", "/zom/api/v1/"}) {
        CHECK(here.api.ask(post(path, knock)).status == 202);
    }
    CHECK(here.apns.count("/accepted") == 4);
    CHECK(here.api.ask(post("/chat/api/v1/messages/", knock)).status == 404);
    CHECK(here.api.ask(get("/chat/api/v1/accounts/").by(auth)).status == 401);
    // By its own host it is the same app; by the other's host its path is none.
    CHECK(here.api.ask(post("messages/", knock).to(kZomHost)).status == 202);
    CHECK(here.api.ask(post("/zom/api/v1/messages/", knock).to("zom.example")).status == 202);
    CHECK(here.api.ask(post("/zom/api/v1/messages/", knock).to(kChatHost)).status == 404);
    for (const char* const path : {"/nobody/api/v1/messages/", "/zom/api/v2/messages/", "/zom/"})
        CHECK(here.api.ask(post(path, knock)).field("content-type") == "text/html");
}

}  // namespace knuckle::test
