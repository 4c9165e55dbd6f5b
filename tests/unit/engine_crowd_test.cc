// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "engine/crowd.h"

namespace knuckle::engine {

TEST_CASE("a crowd has left when half of it has, once") {
    Crowd crowd;
    CHECK_FALSE(crowd.has_left(0));
    CHECK_FALSE(crowd.has_left(1'000));
    CHECK_FALSE(crowd.has_left(501));
    CHECK(crowd.has_left(500));
    CHECK_FALSE(crowd.has_left(499));
    CHECK(crowd.has_left(250));
}

TEST_CASE("few who come and go are no crowd") {
    Crowd crowd;
    for (size_t i = 0; i < 10; ++i) {
        CHECK_FALSE(crowd.has_left(Crowd::kCountMin - 1));
        CHECK_FALSE(crowd.has_left(0));
    }
}

}  // namespace knuckle::engine
