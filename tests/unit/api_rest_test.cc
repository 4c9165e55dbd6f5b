// SPDX-License-Identifier: GPL-3.0-or-later
// Requests to commands: the endpoints, methods, credentials and formats of chatsecure-push.md 2
// and 3.
#include <atomic>
#include <cstdlib>
#include <new>

#include <catch_amalgamated.hpp>

#include "api/rest.h"
#include "tests/support/api_front.h"

using namespace knuckle;
using test::ApiFront;
using test::ApiRequest;
using test::json_post;
using test::kJson;

namespace {

std::atomic<size_t> allocations = 0;

const std::string kBase = "/api/v1/";
const std::string kId = "638426e6-832f-4a45-ae9a-db409ba2fb4d";
const std::string kToken = "dd43cf2510414e44414b0b9d9c11b669cdbe99b2";
constexpr std::string_view kMissing = R"({"detail":"Not found."})";

std::string detail(std::string_view text) { return R"({"detail":")" + std::string(text) + "\"}"; }

}  // namespace

// Counts what a knock must not do. Every form of new and delete is here, so that a sanitizer sees
// pairs.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
    ++allocations;
    return std::malloc(size > 0 ? size : 1);
}
void* operator new(size_t size) {
    if (void* memory = operator new(size, std::nothrow)) return memory;
    throw std::bad_alloc();
}
void* operator new[](size_t size) { return operator new(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
    return operator new(size, std::nothrow);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

TEST_CASE("Each path and method is one command", "[api][rest]") {
    ApiFront front;
    const std::string auth = "Token 6b9b9b6d9cd27ea93e1adac580b94e3e75a72560";
    for (const char* slash : {"", "/"}) {
        const auto at = [slash, &auth](std::string_view method,
                                       std::string_view path,
                                       std::string_view body = {}) {
            return ApiRequest(method, kBase + std::string(path) + slash, kJson, body)
                .with("Authorization", auth);
        };
        CHECK(front.command<api::Knock>(at("POST", "messages", R"({"token":"t"})")).token == "t");
        CHECK(front.command<api::Knock>(at("POST", "message", R"({"token":"t"})")).token == "t");
        front.command<api::LogIn>(at("POST", "accounts", R"({"username":"a","password":"b"})"));
        CHECK(front.command<api::GetAccount>(at("GET", "accounts")).username.empty());
        CHECK(front.command<api::GetAccount>(at("GET", "accounts/cape47d26")).username ==
              "cape47d26");
        CHECK(front.command<api::DeleteAccount>(at("DELETE", "accounts/cape47d26")).username ==
              "cape47d26");
        CHECK(front.command<api::ListDevices>(at("GET", "device/apns")).kind ==
              store::DeviceKind::apns);
        CHECK(front.command<api::ListDevices>(at("GET", "device/gcm")).kind ==
              store::DeviceKind::gcm);
        front.command<api::CreateDevice>(at("POST", "device/gcm", R"({"registration_id":"r"})"));
        CHECK(front.command<api::GetDevice>(at("GET", "device/apns/" + kId)).id.text() == kId);
        CHECK(front
                  .command<api::UpdateDevice>(
                      at("PUT", "device/gcm/" + kId, R"({"registration_id":"r"})"))
                  .kind == store::DeviceKind::gcm);
        CHECK(front.command<api::UpdateDevice>(at("PATCH", "device/apns/" + kId)).id.text() == kId);
        CHECK(front.command<api::DeleteDevice>(at("DELETE", "device/gcm/" + kId)).id.text() == kId);
        front.command<api::ListTokens>(at("GET", "tokens"));
        front.command<api::CreateToken>(at("POST", "tokens", R"({"apns_device":")" + kId + "\"}"));
        CHECK(front.command<api::GetToken>(at("GET", "tokens/" + kToken)).token == kToken);
        CHECK(front
                  .command<api::UpdateToken>(
                      at("PUT", "tokens/" + kToken, R"({"gcm_device":")" + kId + "\"}"))
                  .token == kToken);
        CHECK(front.command<api::UpdateToken>(at("PATCH", "tokens/" + kToken)).token == kToken);
        CHECK(front.command<api::DeleteToken>(at("DELETE", "tokens/" + kToken)).token == kToken);
        front.command<api::GetPubsub>(at("GET", "pubsub"));
    }
    front.command<api::GetRoot>({"GET", "/api/v1/"});
    front.command<api::GetRoot>({"GET", "/api/v1"});
}

TEST_CASE("The API root takes knocks, since some apps hand it out as the endpoint", "[api][rest]") {
    ApiFront front;
    CHECK(front.command<api::Knock>(json_post("/api/v1/", R"({"token":"t"})")).token == "t");
    CHECK(front
              .command<api::Knock>(
                  json_post("/api/v1", R"({"token":"t"})").with("Authorization", "Token stale"))
              .token == "t");
    CHECK(front.call().auth_token.empty());
    CHECK(front.refusal(json_post("/api/v1/", "{}")).body ==
          R"({"token":["This field is required."]})");
}

TEST_CASE("HEAD is GET", "[api][rest]") {
    ApiFront front;
    front.command<api::GetRoot>({"HEAD", "/api/v1/"});
    front.command<api::GetPubsub>({"HEAD", "/api/v1/pubsub/"});
    front.command<api::ListTokens>({"HEAD", "/api/v1/tokens/"});
    CHECK(front.call().needs_auth);
    CHECK(front.refusal({"HEAD", "/api/v1/messages/"}).status == 405);
}

TEST_CASE("Usernames are percent-decoded, and may hold dots and slashes", "[api][rest]") {
    ApiFront front;
    const auto username_in = [&front](std::string_view path) {
        return std::string(
            front.command<api::DeleteAccount>({"DELETE", "/api/v1/accounts/" + std::string(path)})
                .username);
    };
    CHECK(username_in("first.last") == "first.last");
    CHECK(username_in("a.json/") == "a.json");
    CHECK(username_in("a%2Fb%2f/") == "a/b/");
    CHECK(username_in("J%C3%B6rg%20x") == "J\xC3\xB6rg x");
    CHECK(username_in("a+b") == "a+b");
    CHECK(username_in("%2E%2e") == "..");
}

TEST_CASE("A name that no account can have is not found, once credentials are there",
          "[api][rest]") {
    ApiFront front;
    for (const std::string& name :
         {std::string("%FF"), std::string("a%00b"), std::string(1'025, 'x')}) {
        CHECK(front.refusal({"GET", "/api/v1/accounts/" + name}).body == kMissing);
        CHECK(front.call().needs_auth);
    }
}

TEST_CASE("Ids are UUIDs in any spelling; other ids are not found", "[api][rest]") {
    ApiFront front;
    for (const char* id : {"638426E6-832F-4A45-AE9A-DB409BA2FB4D",
                           "638426e6832f4a45ae9adb409ba2fb4d",
                           "%3638426e6832f4a45ae9adb409ba2fb4d"}) {
        CHECK(front.command<api::DeleteDevice>({"DELETE", kBase + "device/apns/" + id}).id.text() ==
              kId);
    }
    for (const char* id : {"1",
                           "638426e6-832f-4a45-ae9a-db409ba2fb4",
                           "%7B638426e6-832f-4a45-ae9a-db409ba2fb4d%7D",
                           "x.json"}) {
        for (const char* method : {"PUT", "PATCH", "DELETE"}) {
            CAPTURE(id, method);
            const auto& reply = front.refusal({method, kBase + "device/gcm/" + id, kJson, "[]"});
            CHECK(reply.status == 404);
            CHECK(reply.body == kMissing);
            CHECK(front.call().needs_auth);
        }
    }
}

TEST_CASE("A token that cannot be is not found", "[api][rest]") {
    ApiFront front;
    for (const std::string& token :
         {std::string("%FF"), std::string("%00"), std::string(101, 'x')}) {
        CHECK(front.refusal({"DELETE", "/api/v1/tokens/" + token}).body == kMissing);
    }
    CHECK(front.command<api::DeleteToken>({"DELETE", "/api/v1/tokens/A%20b/"}).token == "A b");
}

TEST_CASE("To a stranger there is no single device or token", "[api][rest]") {
    ApiFront front;
    for (const std::string& path :
         {"device/apns/" + kId, "device/gcm/" + kId, "tokens/" + kToken}) {
        for (const char* method : {"GET", "HEAD"}) {
            const auto& reply = front.refusal({method, kBase + path});
            CHECK(reply.status == 404);
            CHECK(reply.body == kMissing);
            CHECK_FALSE(front.call().needs_auth);
        }
    }
}

TEST_CASE("Credentials are asked for where the reference does, and for lists and accounts",
          "[api][rest]") {
    struct Case {
        const char* method;
        const char* path;
        bool needs_auth;
    };
    const Case cases[] = {
        {"POST", "accounts/", false},
        {"GET", "accounts/", true},
        {"PUT", "accounts/", false},
        {"OPTIONS", "accounts/", false},
        {"GET", "accounts/x/", true},
        {"HEAD", "accounts/x/", true},
        {"DELETE", "accounts/x/", true},
        {"PUT", "accounts/x/", false},
        {"GET", "device/apns/", true},
        {"POST", "device/gcm/", true},
        {"DELETE", "device/gcm/", true},
        {"OPTIONS", "device/apns/", false},
        {"PUT", "device/apns/1/", true},
        {"PATCH", "device/gcm/1/", true},
        {"DELETE", "device/gcm/1/", true},
        {"POST", "device/gcm/1/", true},
        {"GET", "tokens/", true},
        {"POST", "tokens/", true},
        {"PUT", "tokens/x/", true},
        {"DELETE", "tokens/x/", true},
        {"POST", "messages/", false},
        {"GET", "messages/", false},
        {"GET", "pubsub/", false},
        {"POST", "pubsub/", true},
        {"OPTIONS", "pubsub/", false},
        {"GET", "", false},
        {"POST", "", false},
        {"DELETE", "", true},
        {"BREW", "tokens/", true},
    };
    ApiFront front;
    for (const Case& c : cases) {
        CAPTURE(c.method, c.path);
        CHECK(front.decode({c.method, kBase + c.path}).needs_auth == c.needs_auth);
    }
}

TEST_CASE("The auth token is handed on, wherever it matters", "[api][rest]") {
    ApiFront front;
    const auto auth_token = [&front](std::string_view method, std::string_view path) {
        return std::string(front
                               .decode(ApiRequest(method, kBase + std::string(path))
                                           .with("Authorization", "token abc"))
                               .auth_token);
    };
    CHECK(auth_token("GET", "tokens/") == "abc");
    CHECK(auth_token("POST", "device/apns/") == "abc");
    CHECK(auth_token("GET", "") == "abc");
    CHECK(auth_token("OPTIONS", "tokens/") == "abc");
    CHECK(auth_token("GET", "accounts/") == "abc");
    CHECK(auth_token("POST", "pubsub/") == "abc");
}

TEST_CASE("A stale Authorization does not block logins, knocks and pubsub", "[api][rest]") {
    ApiFront front;
    for (const char* field : {"Token stale", "Token", "Token a b", "Token \xFF"}) {
        CAPTURE(field);
        front.command<api::LogIn>(
            json_post("/api/v1/accounts/", R"({"username":"a","password":"b"})")
                .with("Authorization", field));
        CHECK(front.call().auth_token.empty());
        front.command<api::Knock>(
            json_post("/api/v1/messages/", R"({"token":"t"})").with("Authorization", field));
        CHECK(front.call().auth_token.empty());
        front.command<api::GetPubsub>(
            ApiRequest("GET", "/api/v1/pubsub/").with("Authorization", field));
        CHECK(front.call().auth_token.empty());
    }
}

TEST_CASE("A malformed Authorization is refused elsewhere, before anything else", "[api][rest]") {
    ApiFront front;
    const auto& reply = front.refusal(
        ApiRequest("PUT", "/api/v1/tokens/", kJson, "[").with("authorization", "Token a b"));
    CHECK(reply.status == 401);
    CHECK(reply.body == detail("Invalid token header. Token string should not contain spaces."));
    CHECK(reply.asks_for_token);
    CHECK_FALSE(front.call().needs_auth);
    front.command<api::ListTokens>(
        ApiRequest("GET", "/api/v1/tokens/").with("Authorization", "Basic YTpi"));
    CHECK(front.call().auth_token.empty());
    CHECK(front.call().needs_auth);
}

TEST_CASE("A method that is not there is 405, and every answer of a path says which are",
          "[api][rest]") {
    ApiFront front;
    struct Case {
        const char* method;
        std::string path;
    };
    const Case cases[] = {
        {"GET", "messages/"},
        {"PUT", "messages/"},
        {"PUT", "accounts/"},
        {"PATCH", "accounts/"},
        {"DELETE", "accounts/"},
        {"PUT", "accounts/x/"},
        {"PATCH", "accounts/x/"},
        {"POST", "accounts/x/"},
        {"DELETE", "device/apns/"},
        {"PUT", "device/gcm/"},
        {"POST", "device/apns/" + kId},
        {"POST", "tokens/x/"},
        {"DELETE", "tokens/"},
        {"POST", "pubsub/"},
        {"DELETE", ""},
        {"TRACE", "tokens/"},
        {"BREW", "messages/"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.method, c.path);
        const auto& reply = front.refusal({c.method, kBase + c.path});
        CHECK(reply.status == 405);
        CHECK(reply.body ==
              R"({"detail":"Method \")" + std::string(c.method) + R"(\" not allowed."})");
        CHECK_FALSE(front.call().allow.empty());
    }
    CHECK(front.decode({"POST", "/api/v1/messages/"}).allow == "POST, OPTIONS");
    CHECK(front.decode({"GET", "/api/v1/tokens/x/"}).allow ==
          "GET, PUT, PATCH, DELETE, HEAD, OPTIONS");
}

TEST_CASE("An unknown path is 404 with the reference's page", "[api][rest]") {
    ApiFront front;
    for (const char* path : {"/",
                             "*",
                             "/api/v1/nothing/",
                             "/api/v1/messages/x/",
                             "/api/v1/accounts.json",
                             "/admin/"}) {
        CAPTURE(path);
        const auto& reply = front.refusal(
            ApiRequest("GET", path).with("Authorization", "Token a b").with("Accept", "x/y"));
        CHECK(reply.status == 404);
        CHECK(reply.content_type == "text/html");
        CHECK(reply.body ==
              "<h1>Not Found</h1><p>The requested resource was not found on this server.</p>");
        CHECK(front.call().allow.empty());
        CHECK(front.call().auth_token.empty());
        CHECK_FALSE(front.call().needs_auth);
    }
}

TEST_CASE("Who cannot take JSON is told so", "[api][rest]") {
    ApiFront front;
    const auto& reply = front.refusal(
        json_post("/api/v1/messages/", R"({"token":"t"})").with("Accept", "text/xml"));
    CHECK(reply.status == 406);
    CHECK(reply.body == detail("Could not satisfy the request Accept header."));
    for (const char* accept : {"*/*", "application/json", "text/html"}) {
        front.command<api::Knock>(
            json_post("/api/v1/messages/", R"({"token":"t"})").with("accept", accept));
    }
    front.command<api::Knock>(json_post("/api/v1/messages/", R"({"token":"t"})")
                                  .with("Accept", "text/xml")
                                  .with("Accept", "application/*"));
}

TEST_CASE("The only format is json", "[api][rest]") {
    ApiFront front;
    for (const char* query : {"?format=json",
                              "?format=",
                              "?",
                              "?x=y",
                              "?format=api&format=json",
                              "?formatx=xml",
                              "?a&&b"}) {
        CAPTURE(query);
        front.command<api::GetPubsub>({"GET", "/api/v1/pubsub/" + std::string(query)});
    }
    for (const char* query : {"?format=api", "?format=xml", "?x=y&format=JSON"}) {
        CAPTURE(query);
        const auto& reply = front.refusal({"GET", "/api/v1/pubsub/" + std::string(query)});
        CHECK(reply.status == 404);
        CHECK(reply.body == kMissing);
    }
}

TEST_CASE("OPTIONS describes every endpoint, and its fields to who sends credentials",
          "[api][rest]") {
    ApiFront front;
    for (const std::string& path : {std::string(),
                                    std::string("accounts/"),
                                    std::string("accounts/x"),
                                    std::string("device/apns/"),
                                    "device/gcm/" + kId,
                                    std::string("tokens"),
                                    "tokens/" + kToken,
                                    std::string("messages/"),
                                    std::string("pubsub/")}) {
        CAPTURE(path);
        const auto& reply = front.refusal({"OPTIONS", kBase + path});
        CHECK(reply.status == 200);
        CHECK_THAT(reply.body,
                   Catch::Matchers::ContainsSubstring(R"("renders":["application/json"])"));
        CHECK_THAT(reply.body, !Catch::Matchers::ContainsSubstring("actions"));
        CHECK_FALSE(front.call().needs_auth);
    }
    CHECK_THAT(
        front.refusal(ApiRequest("OPTIONS", "/api/v1/tokens/").with("Authorization", "Token abc"))
            .body,
        Catch::Matchers::ContainsSubstring(R"("actions":{"POST":{"name":)"));
    CHECK(front.call().auth_token == "abc");
}

TEST_CASE("Mistakes in a body are told after credentials are asked for", "[api][rest]") {
    ApiFront front;
    CHECK(front.refusal(json_post("/api/v1/tokens/", "{}")).status == 400);
    CHECK(front.call().needs_auth);
    CHECK(front.refusal({"PUT", "/api/v1/device/apns/" + kId, "text/xml", "x"}).status == 415);
    CHECK(front.call().needs_auth);
}

TEST_CASE("The app is the one that the host or the path names", "[api][rest]") {
    api::Routes routes;
    routes.apps.push_back({"chatsecure", {"push.chatsecure.example"}});
    routes.apps.push_back({"zom", {"push.zom.example"}});
    api::Decoder decoder(routes);
    api::Call call;
    decoder.decode(ApiRequest("GET", "/api/v1/pubsub/").with("Host", "push.zom.example:443").get(),
                   call);
    CHECK(call.app == 1);
    decoder.decode(ApiRequest("GET", "/zom/api/v1/pubsub/").with("Host", "127.0.0.1").get(), call);
    CHECK(call.app == 1);
    decoder.decode(ApiRequest("GET", "/api/v1/pubsub/").with("Host", "127.0.0.1").get(), call);
    CHECK(call.app == 0);
    decoder.decode(ApiRequest("GET", "/zon/api/v1/pubsub/").get(), call);
    CHECK(std::get<api::Refuse>(call.command).reply.status == 404);
}

TEST_CASE("A knock is decoded and answered without allocating, once warm", "[api][rest]") {
    ApiFront front;
    std::string body;
    const std::string multipart = test::multipart_of({"token=" + kToken, "priority=high"});
    std::vector<ApiRequest> requests;
    requests.push_back(
        json_post("/api/v1/messages/",
                  R"({"token":")" + kToken + R"(","data":"h\u00e9llo","priority":"high"})"));
    requests.push_back(json_post("/api/v1/messages/",
                                 R"({"token":")" + kToken + R"(","data":{"a":[1,2.5,"x"]}})"));
    requests.push_back({"POST", "/api/v1/messages", test::kForm, "token=" + kToken + "&data=a+b"});
    requests.push_back({"POST", "/api/v1/messages", test::kMultipart, multipart});
    for (ApiRequest& request : requests) {
        request.with("Host", "push.example.org")
            .with("Accept", "application/json")
            .with("Authorization", "Token stale");
    }
    for (int round = 0; round < 3; ++round) {
        const size_t before = allocations;
        for (const ApiRequest& request : requests) {
            const auto& knock = std::get<api::Knock>(front.decode(request).command);
            api::encode_knock(knock, body);
        }
        if (round > 0) CHECK(allocations == before);
    }
}
