// SPDX-License-Identifier: GPL-3.0-or-later
// Which requests the rules of the simulated APNs strike.
#include <string>
#include <string_view>

#include <catch_amalgamated.hpp>

#include "tests/mock/apns_faults.h"

namespace knuckle::mock {

namespace {

// Of ten requests for this device, at the instants 0 to 9: x where it is struck.
std::string struck(ApnsFaults& faults, std::string_view device = "00ab") {
    std::string text;
    for (int64_t i = 0; i < 10; ++i) text += faults.choose(device, Instant{i}) ? 'x' : '.';
    return text;
}

}  // namespace

TEST_CASE("a rule strikes by turn, by number, by time and by device", "[apns_faults]") {
    ApnsFaults faults;
    CHECK(struck(faults) == "..........");
    SECTION("every third behind the first two") {
        REQUIRE(faults.add({.skip = 2, .every = 3}));
        CHECK(struck(faults) == "....x..x..");
        CHECK(faults.struck() == 2);
    }
    SECTION("the first two only") {
        REQUIRE(faults.add({.requests = 2}));
        CHECK(struck(faults) == "xx........");
    }
    SECTION("until a time") {
        REQUIRE(faults.add({.until = Instant{4}}));
        CHECK(struck(faults) == "xxxx......");
    }
    SECTION("devices that begin so") {
        REQUIRE(faults.add({.device = "00a"}));
        CHECK(struck(faults, "00ab") == "xxxxxxxxxx");
        CHECK(struck(faults, "00b0") == "..........");
    }
    SECTION("the first rule that fits, then the next") {
        REQUIRE(faults.add({.requests = 1, .fault = {.kind = FaultKind::goaway}}));
        REQUIRE(faults.add({.fault = {.kind = FaultKind::answer}}));
        CHECK(faults.choose("00ab", {})->kind == FaultKind::goaway);
        CHECK(faults.choose("00ab", {})->kind == FaultKind::answer);
    }
}

TEST_CASE("a fault says what a client can know of its push", "[apns_faults]") {
    CHECK(Fault{.kind = FaultKind::goaway}.is_unprocessed());
    CHECK(Fault{.kind = FaultKind::reset, .code = kRefusedStream}.is_unprocessed());
    CHECK_FALSE(Fault{.kind = FaultKind::answer}.is_fate_unknown());
    for (const FaultKind kind :
         {FaultKind::reset, FaultKind::silence, FaultKind::late, FaultKind::hang_up}) {
        CHECK(Fault{.kind = kind}.is_fate_unknown());
        CHECK_FALSE(Fault{.kind = kind}.is_unprocessed());
    }
}

}  // namespace knuckle::mock
