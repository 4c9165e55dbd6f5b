// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "api/refusals.h"
#include "api/rest.h"

using namespace knuckle;
using api::Reply;

TEST_CASE("Refusals say what the reference says", "[api][refusals]") {
    struct Case {
        Reply reply;
        uint16_t status;
        const char* body;
        bool asks_for_token = false;
    };
    const Uuid id = *Uuid::parse("638426e6-832f-4a45-ae9a-db409ba2fb4d");
    const Case cases[] = {
        {api::not_found(), 404, R"({"detail":"Not found."})"},
        {api::credentials_missing(),
         401,
         R"({"detail":"Authentication credentials were not provided."})",
         true},
        {api::auth_token_invalid(), 401, R"({"detail":"Invalid token."})", true},
        {api::login_refused(), 401, R"({"error":"Invalid credentials"})"},
        {api::device_does_not_exist(store::DeviceKind::apns, id),
         400,
         R"({"apns_device":["Invalid pk \"638426e6-832f-4a45-ae9a-db409ba2fb4d\" - object )"
         R"(does not exist."]})"},
        {api::device_does_not_exist(store::DeviceKind::gcm, id),
         400,
         R"({"gcm_device":["Invalid pk \"638426e6-832f-4a45-ae9a-db409ba2fb4d\" - object does )"
         R"(not exist."]})"},
        {api::quota_reached("tokens"),
         403,
         R"({"detail":"This account has as many tokens as it may have. Delete tokens that are )"
         R"(no longer used."})"},
        {api::unavailable("The database is full.", 60),
         503,
         R"({"detail":"The database is full."})"},
        {api::malformed(413, "The body is too large."),
         413,
         R"({"detail":"The body is too large."})"},
        {api::method_not_allowed("PUT"), 405, R"({"detail":"Method \"PUT\" not allowed."})"},
        {api::throttled(milliseconds(800)),
         429,
         R"({"detail":"Request was throttled. Expected available in 1 second."})"},
        {api::throttled(seconds(56)),
         429,
         R"({"detail":"Request was throttled. Expected available in 56 seconds."})"},
        {api::not_acceptable(),
         406,
         R"({"detail":"Could not satisfy the request Accept header."})"},
    };
    for (const Case& c : cases) {
        CHECK(c.reply.status == c.status);
        CHECK(c.reply.body == c.body);
        CHECK(c.reply.content_type == "application/json");
        CHECK(c.reply.asks_for_token == c.asks_for_token);
    }
}

TEST_CASE("Who is to wait is told how long", "[api][refusals]") {
    CHECK(api::unavailable("x", 60).retry_after_seconds == 60);
    CHECK(api::not_found().retry_after_seconds == 0);
    // In whole seconds, and never too early.
    CHECK(api::throttled(Duration{1}).retry_after_seconds == 1);
    CHECK(api::throttled(seconds(1)).retry_after_seconds == 1);
    CHECK(api::throttled(seconds(1) + Duration{1}).retry_after_seconds == 2);
    CHECK(api::throttled({}).retry_after_seconds == 1);
    CHECK(api::throttled(hours(24)).retry_after_seconds == 86'400);
}

TEST_CASE("Some answers have no body and no type", "[api][refusals]") {
    for (const Reply& reply : {api::no_content(), api::token_not_found()}) {
        CHECK(reply.body.empty());
        CHECK(reply.content_type.empty());
    }
    CHECK(api::no_content().status == 204);
    CHECK(api::token_not_found().status == 404);
}

TEST_CASE("What somebody sent is quoted in part, and as UTF-8", "[api][refusals]") {
    CHECK(api::excerpt("short") == "short");
    CHECK(api::excerpt(std::string(100, 'x')).size() == 100);
    CHECK(api::excerpt(std::string(101, 'x')).size() == 100);
    CHECK(api::excerpt(std::string(99, 'x') + "\xC3\xA4").size() == 99);
    CHECK(api::excerpt("a\xFF") == "?");
    CHECK(api::unsupported_media_type("a\"b\x01").body ==
          R"({"detail":"Unsupported media type \"a\"b\u0001\" in request."})");
}
