// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/text.h"
#include "engine/aim.h"

namespace knuckle::test {

namespace {

using engine::aim;
using engine::LaneOptions;
using push::Trust;
using store::ProvenIn;

constexpr uint16_t kProduction = 0;
constexpr uint16_t kSandbox = 1;
constexpr uint16_t kAlone = 2;  // another app's, without a twin

std::vector<LaneOptions> some_lanes() {
    std::vector<LaneOptions> lanes(3);
    lanes[kProduction].environment = push::Environment::production;
    lanes[kProduction].twin = kSandbox;
    lanes[kSandbox].environment = push::Environment::sandbox;
    lanes[kSandbox].twin = kProduction;
    lanes[kAlone].environment = push::Environment::sandbox;
    return lanes;
}

struct Aimed {
    uint16_t lane;
    Trust trust;
    bool operator==(const Aimed&) const = default;
};

// A push of this lane, to a device that is proven there.
Aimed aimed(uint16_t lane, ProvenIn proven_in) {
    push::Job job;
    job.lane = lane;
    job.has_crossed = true;
    CHECK(aim(job, {std::string(64, 'a'), UnixTime{7}, proven_in}, some_lanes()));
    CHECK(job.registered == UnixTime{7});
    CHECK_FALSE(job.has_crossed);
    CHECK(to_hex(job.token.view()) == std::string(64, 'a'));
    return {job.lane, job.trust};
}

}  // namespace

TEST_CASE("A push goes where its registration is proven", "[engine][aim]") {
    for (const uint16_t lane : {kProduction, kSandbox}) {
        CHECK(aimed(lane, ProvenIn::production) == Aimed{kProduction, Trust::proven});
        CHECK(aimed(lane, ProvenIn::sandbox) == Aimed{kSandbox, Trust::proven});
    }
}

TEST_CASE("A push to a registration that is proven nowhere stays and is not trusted",
          "[engine][aim]") {
    for (const uint16_t lane : {kProduction, kSandbox, kAlone})
        CHECK(aimed(lane, ProvenIn::nowhere) == Aimed{lane, Trust::unproven});
}

TEST_CASE("Without a twin a push stays, and what is proven elsewhere is not trusted",
          "[engine][aim]") {
    CHECK(aimed(kAlone, ProvenIn::sandbox) == Aimed{kAlone, Trust::proven});
    CHECK(aimed(kAlone, ProvenIn::production) == Aimed{kAlone, Trust::unproven});
}

TEST_CASE("What is no device token is no aim", "[engine][aim]") {
    for (const char* const text : {"", "abc", "../3/device", "zz", "aa bb"}) {
        push::Job job;
        CHECK_FALSE(aim(job, {text, UnixTime{}, ProvenIn::production}, some_lanes()));
    }
}

}  // namespace knuckle::test
