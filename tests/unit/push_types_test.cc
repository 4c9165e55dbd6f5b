// SPDX-License-Identifier: GPL-3.0-or-later
#include <set>
#include <string>

#include <catch_amalgamated.hpp>

#include "push/types.h"

namespace knuckle::push {
namespace {

TEST_CASE("each outcome has a name of its own, fit for a metric", "[push]") {
    std::set<std::string> names;
    for (size_t i = 0; i < kOutcomeCount; ++i) {
        const std::string name(name_of(static_cast<Outcome>(i)));
        CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos);
        CHECK(names.insert(name).second);
    }
    CHECK(name_of(Outcome::expired) == "expired");
}

}  // namespace
}  // namespace knuckle::push
