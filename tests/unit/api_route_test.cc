// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "api/route.h"

using namespace knuckle;
using api::Endpoint;
using api::find_route;
using store::DeviceKind;

namespace {

const api::Routes kOneApp = {{{"chatsecure", {}}}, false};
const api::Routes kThreeApps = {{{"chatsecure", {"push.chatsecure.example"}},
                                 {"zom", {"push.zom.example", "zom.example"}},
                                 {"third", {}}},
                                false};

}  // namespace

TEST_CASE("Each endpoint is found, with its final slash and without", "[api][route]") {
    struct Case {
        const char* path;
        Endpoint endpoint;
        const char* item = "";
        DeviceKind kind = DeviceKind::apns;
    };
    const Case cases[] = {
        {"/api/v1", Endpoint::root},
        {"/api/v1/messages", Endpoint::messages},
        {"/api/v1/message", Endpoint::messages},
        {"/api/v1/accounts", Endpoint::accounts},
        {"/api/v1/accounts/a.b.json", Endpoint::account, "a.b.json"},
        {"/api/v1/accounts/a%2Fb", Endpoint::account, "a%2Fb"},
        {"/api/v1/device/apns", Endpoint::devices},
        {"/api/v1/device/apns/1", Endpoint::device, "1"},
        {"/api/v1/device/gcm", Endpoint::devices, "", DeviceKind::gcm},
        {"/api/v1/device/gcm/1", Endpoint::device, "1", DeviceKind::gcm},
        {"/api/v1/tokens", Endpoint::tokens},
        {"/api/v1/tokens/dd43", Endpoint::token, "dd43"},
        {"/api/v1/pubsub", Endpoint::pubsub},
    };
    for (const Case& c : cases) {
        for (const char* end : {"", "/"}) {
            const std::string path = std::string(c.path) + end;
            CAPTURE(path);
            const auto route = find_route(path, "push.example.org", kOneApp);
            REQUIRE(route);
            CHECK(route->endpoint == c.endpoint);
            CHECK(route->item == c.item);
            CHECK(route->kind == c.kind);
            CHECK(route->app == 0);
        }
    }
}

TEST_CASE("Other paths are not of the API", "[api][route]") {
    for (const char* path : {"",
                             "*",
                             "/",
                             "//",
                             "/api",
                             "/api/v1x",
                             "/api/v2/",
                             "/api/v1//",
                             "/api/v1//messages/",
                             "/api/v1/messages//",
                             "/api/v1/messages/x/",
                             "/api/v1/messagesx",
                             "/api/v1/messag",
                             "/api/v1/pubsub/x",
                             "/api/v1/device/",
                             "/api/v1/device/wns/",
                             "/api/v1/device/apns//",
                             "/api/v1/device/apns/1/2",
                             "/api/v1/accounts//",
                             "/api/v1/accounts/a/b/",
                             "/api/v1/accounts.json",
                             "/API/v1/messages/",
                             "/unknown/api/v1/messages/",
                             "/a/b/api/v1/messages/",
                             "api/v1/messages/"}) {
        CAPTURE(path);
        CHECK_FALSE(find_route(path, "", kOneApp));
    }
}

TEST_CASE("The app is that of the host, of the prefix, or the first", "[api][route]") {
    const auto app_of = [](std::string_view host, std::string_view path) {
        const auto route = find_route(path, host, kThreeApps);
        return route ? static_cast<int>(route->app) : -1;
    };
    SECTION("of the host") {
        CHECK(app_of("push.chatsecure.example", "/api/v1/messages/") == 0);
        CHECK(app_of("push.zom.example", "/api/v1/messages/") == 1);
        CHECK(app_of("Zom.Example:8443", "/api/v1/messages/") == 1);
    }
    SECTION("of the prefix") {
        CHECK(app_of("10.0.0.1:8080", "/third/api/v1/messages/") == 2);
        CHECK(app_of("[2001:db8::1]:8080", "/zom/api/v1/tokens/x") == 1);
        CHECK(app_of("", "/chatsecure/api/v1") == 0);
    }
    SECTION("the first") {
        CHECK(app_of("unknown.example", "/api/v1/messages/") == 0);
        CHECK(app_of("", "/api/v1/messages/") == 0);
    }
    SECTION("a prefix may repeat the host, not contradict it") {
        CHECK(app_of("push.zom.example", "/zom/api/v1/messages/") == 1);
        CHECK(app_of("push.zom.example", "/third/api/v1/messages/") == -1);
    }
    SECTION("an unknown prefix is no path") {
        CHECK(app_of("push.zom.example", "/nobody/api/v1/messages/") == -1);
    }
    SECTION("an address as host") {
        const api::Routes routes = {{{"a", {}}, {"b", {"[::1]"}}}, false};
        CHECK(find_route("/api/v1/", "[::1]", routes)->app == 1);
        CHECK(find_route("/api/v1/", "[::1]:80", routes)->app == 1);
    }
}

TEST_CASE("Allow lists the methods in the reference's order", "[api][route]") {
    CHECK(api::allow_of(Endpoint::messages) == "POST, OPTIONS");
    CHECK(api::allow_of(Endpoint::pubsub) == "GET, HEAD, OPTIONS");
    CHECK(api::allow_of(Endpoint::account) == "GET, DELETE, HEAD, OPTIONS");
    for (const Endpoint endpoint :
         {Endpoint::root, Endpoint::accounts, Endpoint::devices, Endpoint::tokens}) {
        CHECK(api::allow_of(endpoint) == "GET, POST, HEAD, OPTIONS");
    }
    for (const Endpoint endpoint : {Endpoint::device, Endpoint::token}) {
        CHECK(api::allow_of(endpoint) == "GET, PUT, PATCH, DELETE, HEAD, OPTIONS");
    }
}
