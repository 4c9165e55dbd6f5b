// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "api/media_type.h"

using namespace knuckle::api;

TEST_CASE("The media type is what stands before the parameters", "[api][media_type]") {
    CHECK(media_type_of("application/json") == "application/json");
    CHECK(media_type_of(" text/html ; charset=utf-8") == "text/html");
    CHECK(media_type_of("").empty());
}

TEST_CASE("A parameter is found by its name, in any case", "[api][media_type]") {
    CHECK(find_parameter("multipart/form-data; charset=utf-8; Boundary=abc", "boundary") == "abc");
    CHECK(find_parameter("a/b;x=1;boundary = abc ;y", "boundary") == "abc");
    CHECK(find_parameter("form-data; name=", "name") == "");
    CHECK_FALSE(find_parameter("form-data; name", "name"));
    CHECK_FALSE(find_parameter("form-data", "name"));
    CHECK_FALSE(find_parameter("name=a", "name"));
}

TEST_CASE("A quoted parameter ends at its quote, not at what it quotes", "[api][media_type]") {
    CHECK(find_parameter(R"(form-data; filename="a; name=\"b\""; name="token")", "name") ==
          "token");
    CHECK(find_parameter(R"(form-data; name="a\"b")", "name") == R"(a\"b)");
    CHECK(find_parameter(R"(form-data; name="unfinished)", "name") == "unfinished");
    CHECK(find_parameter("form-data; name=\"ends in \\", "name") == "ends in \\");
    CHECK(find_parameter(R"(form-data; a="x"y; name=z)", "name") == "z");
}

TEST_CASE("JSON is acceptable to who names it, HTML, or anything", "[api][media_type]") {
    struct Case {
        const char* accept;
        bool is_acceptable;
    };
    const Case cases[] = {
        {"application/json", true},
        {"APPLICATION/JSON; charset=utf-8", true},
        {"application/*", true},
        {"*/*", true},
        {"*", true},
        {"", true},
        {" , ", true},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true},
        {"text/html", true},
        {"text/*", true},
        {"text/xml", false},
        {"application/xml, image/png", false},
        {"application/jsonx", false},
        {"application/json;q=0", false},
        {"application/json; q=0.000, */*", false},
        {"*/*;q=0", false},
        {"*/*;q=0, application/json", true},
        {"application/*;q=0, */*", false},
        {"application/json;q=0.001", true},
        {"text/html;q=0", false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.accept);
        Acceptance acceptance;
        acceptance.add(c.accept);
        CHECK(acceptance.allows_json() == c.is_acceptable);
    }
}

TEST_CASE("Several Accept fields count as one list", "[api][media_type]") {
    Acceptance acceptance;
    acceptance.add("text/xml");
    CHECK_FALSE(acceptance.allows_json());
    acceptance.add("application/json");
    CHECK(acceptance.allows_json());
    CHECK(Acceptance().allows_json());
}
