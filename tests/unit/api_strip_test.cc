// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "api/strip.h"

using knuckle::api::strip;

TEST_CASE("White space around a text is dropped, inside it stays", "[api][strip]") {
    CHECK(strip("  a b\t\r\n") == "a b");
    CHECK(strip("\x1c\x1d\x1e\x1f\v\f!") == "!");
    CHECK(strip(" \t ").empty());
    CHECK(strip("").empty());
}

TEST_CASE("Unicode white space counts, as in Python", "[api][strip]") {
    // No-break space, next line, em space, line separator, ideographic space.
    CHECK(strip("\xC2\xA0\xC2\x85pw\xE2\x80\x83\xE2\x80\xA8\xE3\x80\x80") == "pw");
    CHECK(strip("\xE3\x80\x80\xE3\x80\x80").empty());
}

TEST_CASE("Letters that share bytes with white space stay", "[api][strip]") {
    CHECK(strip("\xC3\xA0") == "\xC3\xA0");          // a with grave ends in A0
    CHECK(strip("\xE2\x80\x8B") == "\xE2\x80\x8B");  // zero width space is none in Python
    CHECK(strip("\xF0\x9F\x98\x80") == "\xF0\x9F\x98\x80");
}
