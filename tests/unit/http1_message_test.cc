// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>

#include <catch_amalgamated.hpp>

#include "http1/message.h"

using namespace knuckle::http1;

TEST_CASE("A field is found by its name in any case", "[http1]") {
    const std::array<Field, 3> fields{
        {{"Host", "push.example"}, {"X-Empty", ""}, {"host", "second"}}};
    Request request;
    request.fields = fields;

    CHECK(request.field("hOsT") == "push.example");

    SECTION("an empty field differs from one that is not there") {
        CHECK(request.field("x-empty").data() != nullptr);
        CHECK(request.field("x-missing").data() == nullptr);
    }
    SECTION("a part of a name is not the name") { CHECK(request.field("hos").data() == nullptr); }
}
