// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "api/options.h"

using namespace knuckle;
using api::Audience;
using api::Endpoint;

TEST_CASE("OPTIONS tells anyone what an endpoint is for", "[api][options]") {
    const api::Reply reply = api::describe(Endpoint::messages, Audience::anyone);
    CHECK(reply.status == 200);
    CHECK(reply.body ==
          R"({"name":"Messages","description":"Wake the devices of a token's owner.",)"
          R"("renders":["application/json"],)"
          R"("parses":["application/json","application/x-www-form-urlencoded",)"
          R"("multipart/form-data"]})");
}

TEST_CASE("OPTIONS tells an account which fields there are", "[api][options]") {
    CHECK(api::describe(Endpoint::messages, Audience::account).body ==
          R"({"name":"Messages","description":"Wake the devices of a token's owner.",)"
          R"("renders":["application/json"],)"
          R"("parses":["application/json","application/x-www-form-urlencoded",)"
          R"("multipart/form-data"],)"
          R"("actions":{"POST":{"token":{"type":"string","required":true,"read_only":false,)"
          R"("max_length":200},)"
          R"("data":{"type":"string","required":false,"read_only":false,"max_length":1024},)"
          R"("priority":{"type":"string","required":false,"read_only":false,"max_length":100}}}})");
}

TEST_CASE("Every endpoint fits its description", "[api][options]") {
    for (const Endpoint endpoint : {Endpoint::root,
                                    Endpoint::accounts,
                                    Endpoint::account,
                                    Endpoint::devices,
                                    Endpoint::device,
                                    Endpoint::tokens,
                                    Endpoint::token,
                                    Endpoint::messages,
                                    Endpoint::pubsub}) {
        for (const Audience audience : {Audience::anyone, Audience::account}) {
            CHECK_THAT(api::describe(endpoint, audience).body,
                       Catch::Matchers::StartsWith(R"({"name":")"));
        }
    }
    CHECK_THAT(api::describe(Endpoint::device, Audience::account).body,
               Catch::Matchers::ContainsSubstring(R"("actions":{"PUT":{"name":)"));
}
