// SPDX-License-Identifier: GPL-3.0-or-later
#include <optional>
#include <utility>

#include <catch_amalgamated.hpp>

#include "push/credential.h"

namespace knuckle::push {
namespace {

// A key for tests only.
constexpr const char* kPem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgXrt1edIEHBcmG+91\n"
    "HmS3A8opZhwoo0OtwGL/A1iSTMyhRANCAAQoPgDMXhKnoB0KNk8L9jma43D5+Jqe\n"
    "FNc5yfd8j0FnbeGXIf6ggwa6VpX5SpuwqMXYurKcpPTkOGc6PYGtjFb5\n"
    "-----END PRIVATE KEY-----\n";

struct Keeper {
    UnixTime start = from_unix_seconds(1'800'000'000);
    crypto::Es256Signer signer = std::move(*crypto::Es256Signer::load(kPem));
    Credential credential{std::move(signer), "ABCDEFGHIJ", "KLMNOPQRST"};
};

TEST_CASE("a provider token is ready to be sent and says when it was made", "[push]") {
    Keeper keeper;
    const Result<ProviderToken> token = keeper.credential.mint(keeper.start);
    REQUIRE(token);
    CHECK(token->authorization.starts_with("bearer ey"));
    CHECK(token->issued == keeper.start);
}

TEST_CASE("it is replaced at fifty minutes, and never within twenty", "[push]") {
    Keeper keeper;
    REQUIRE(keeper.credential.mint(keeper.start));
    CHECK_FALSE(keeper.credential.may_renew(keeper.start + minutes(19)));
    CHECK(keeper.credential.may_renew(keeper.start + minutes(20)));
    CHECK_FALSE(keeper.credential.is_due(keeper.start + minutes(49)));
    CHECK(keeper.credential.is_due(keeper.start + minutes(50)));
}

TEST_CASE("a token from a future that the clock took back is replaced", "[push]") {
    Keeper keeper;
    REQUIRE(keeper.credential.mint(keeper.start));
    const UnixTime earlier = from_unix_seconds(to_unix_seconds(keeper.start) - 3'600);
    CHECK(keeper.credential.is_due(earlier));
    CHECK(keeper.credential.may_renew(earlier));
    CHECK_FALSE(keeper.credential.is_due(from_unix_seconds(to_unix_seconds(keeper.start) - 30)));
}

TEST_CASE("a restart shows the provider the same token, until it is due to be replaced", "[push]") {
    Keeper first;
    const Result<ProviderToken> minted = first.credential.resume(std::nullopt, first.start);
    REQUIRE(minted);
    CHECK(minted->issued == first.start);
    Keeper second;
    const auto resumed = second.credential.resume(minted->issued, first.start + minutes(49));
    REQUIRE(resumed);
    CHECK(resumed->authorization == minted->authorization);
    CHECK(resumed->issued == first.start);
    CHECK(second.credential.is_due(first.start + minutes(50)));
    Keeper third;
    const auto replaced = third.credential.resume(minted->issued, first.start + minutes(50));
    REQUIRE(replaced);
    CHECK(replaced->issued == first.start + minutes(50));
    CHECK(replaced->authorization != minted->authorization);
    Keeper fourth;
    const auto from_future = fourth.credential.resume(first.start + hours(1), first.start);
    REQUIRE(from_future);
    CHECK(from_future->issued == first.start);
}

}  // namespace
}  // namespace knuckle::push
