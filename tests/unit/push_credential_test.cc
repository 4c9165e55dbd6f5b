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
    const Result<ProviderToken> token = keeper.credential.renew(keeper.start);
    REQUIRE(token);
    CHECK(token->authorization.starts_with("bearer ey"));
    CHECK(token->issued == keeper.start);
}

TEST_CASE("it is replaced at fifty minutes, and never within twenty", "[push]") {
    Keeper keeper;
    REQUIRE(keeper.credential.renew(keeper.start));
    CHECK_FALSE(keeper.credential.may_renew(keeper.start + minutes(19)));
    CHECK(keeper.credential.may_renew(keeper.start + minutes(20)));
    CHECK_FALSE(keeper.credential.is_due(keeper.start + minutes(49)));
    CHECK(keeper.credential.is_due(keeper.start + minutes(50)));
}

TEST_CASE("a token from a future that the clock took back is replaced", "[push]") {
    Keeper keeper;
    REQUIRE(keeper.credential.renew(keeper.start));
    const UnixTime earlier = from_unix_seconds(to_unix_seconds(keeper.start) - 3'600);
    CHECK(keeper.credential.is_due(earlier));
    CHECK(keeper.credential.may_renew(earlier));
    CHECK_FALSE(keeper.credential.is_due(from_unix_seconds(to_unix_seconds(keeper.start) - 30)));
}

TEST_CASE("a token that came too soon is put aside for the one before it, while that is valid",
          "[push]") {
    Keeper keeper;
    const auto first = keeper.credential.renew(keeper.start);
    REQUIRE(first);
    CHECK_FALSE(keeper.credential.may_restore(keeper.start));  // there is none before it
    const UnixTime later = keeper.start + minutes(50);
    const auto second = keeper.credential.renew(later);
    REQUIRE(second);
    CHECK_FALSE(second->is_restored);
    REQUIRE(keeper.credential.may_restore(later + minutes(1)));
    const auto restored = keeper.credential.restore();
    REQUIRE(restored);
    CHECK(restored->authorization == first->authorization);
    CHECK(restored->is_restored);
    CHECK_FALSE(keeper.credential.may_restore(later + minutes(1)));
    CHECK_FALSE(keeper.credential.may_renew(later + minutes(7)));
    CHECK_FALSE(keeper.credential.is_due(later + minutes(7)));
    // When it is too old, the other comes back and lives its own life.
    REQUIRE(keeper.credential.is_due(later + minutes(8)));
    const auto again = keeper.credential.renew(later + minutes(8));
    REQUIRE(again);
    CHECK(again->authorization == second->authorization);
    CHECK_FALSE(again->is_restored);
    CHECK_FALSE(keeper.credential.may_restore(later + minutes(9)));
    CHECK_FALSE(keeper.credential.may_renew(later + minutes(19)));
    CHECK(keeper.credential.is_due(later + minutes(50)));
    const auto third = keeper.credential.renew(later + minutes(50));
    REQUIRE(third);
    CHECK(third->issued == later + minutes(50));
}

TEST_CASE("a token that is old enough is not too new, and one of hours ago is no way out",
          "[push]") {
    Keeper keeper;
    REQUIRE(keeper.credential.renew(keeper.start));
    SECTION("it has been shown for long") {
        REQUIRE(keeper.credential.renew(keeper.start + minutes(30)));
        CHECK_FALSE(keeper.credential.may_restore(keeper.start + minutes(50)));
    }
    SECTION("the gateway slept between") {
        REQUIRE(keeper.credential.renew(keeper.start + hours(3)));
        CHECK_FALSE(keeper.credential.may_restore(keeper.start + hours(3)));
    }
    SECTION("a restart remembers the one before") {
        Keeper second;
        const auto minted = second.credential.resume(keeper.start, keeper.start + minutes(51));
        REQUIRE(minted);
        REQUIRE(second.credential.may_restore(keeper.start + minutes(52)));
        CHECK(second.credential.restore()->issued == keeper.start);
    }
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
