// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "io/io.h"

namespace knuckle::io {
namespace {

TEST_CASE("an endpoint reads in messages as it is written in the configuration", "[io]") {
    CHECK(Endpoint{"api.push.apple.com", 443, ""}.text() == "api.push.apple.com:443");
    CHECK(Endpoint{"127.0.0.1", 8080, ""}.text() == "127.0.0.1:8080");
    CHECK(Endpoint{"::1", 8080, ""}.text() == "[::1]:8080");
    CHECK(Endpoint{"", 0, "/run/knuckle.sock"}.text() == "unix:/run/knuckle.sock");
}

}  // namespace
}  // namespace knuckle::io
