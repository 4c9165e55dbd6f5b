// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "api/authorization.h"

using namespace knuckle;

namespace {

// The auth token, or the body of the refusal.
std::string outcome_of(std::string_view field) {
    std::string_view token;
    const auto refused = api::read_authorization(field, token);
    if (!refused) return std::string(token);
    CHECK(refused->status == 401);
    CHECK(refused->asks_for_token);
    return refused->body;
}

}  // namespace

TEST_CASE("The token behind the word Token is the auth token", "[api][authorization]") {
    CHECK(outcome_of("Token 6b9b9b6d9cd27ea93e1adac580b94e3e75a72560") ==
          "6b9b9b6d9cd27ea93e1adac580b94e3e75a72560");
    CHECK(outcome_of("tOKEN \t abc ") == "abc");
}

TEST_CASE("Other schemes, or none, are no credentials", "[api][authorization]") {
    for (const char* field : {"", "Basic dXNlcjpwYXNz", "Bearer abc", "Tokens abc", "Token=abc"}) {
        CAPTURE(field);
        CHECK(outcome_of(field).empty());
    }
}

TEST_CASE("A malformed field is told what is wrong with it", "[api][authorization]") {
    CHECK(outcome_of("Token") == R"({"detail":"Invalid token header. No credentials provided."})");
    CHECK(outcome_of("Token  ") ==
          R"({"detail":"Invalid token header. No credentials provided."})");
    CHECK(outcome_of("Token a b") ==
          R"({"detail":"Invalid token header. Token string should not contain spaces."})");
    CHECK(outcome_of("Token \xFF") ==
          R"({"detail":"Invalid token header. Token string should not contain invalid )"
          R"(characters."})");
}
