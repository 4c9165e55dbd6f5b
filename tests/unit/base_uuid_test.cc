// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>

#include <catch_amalgamated.hpp>

#include "base/uuid.h"

using namespace knuckle;

namespace {

constexpr std::string_view kText = "f81d4fae-7dec-41d0-a765-00a0c91e6bf6";
constexpr Uuid kUuid{{0xf8,
                      0x1d,
                      0x4f,
                      0xae,
                      0x7d,
                      0xec,
                      0x41,
                      0xd0,
                      0xa7,
                      0x65,
                      0x00,
                      0xa0,
                      0xc9,
                      0x1e,
                      0x6b,
                      0xf6}};

}  // namespace

TEST_CASE("a UUID reads what it writes", "[base][uuid]") {
    CHECK(kUuid.text() == kText);
    CHECK(Uuid::parse(kText) == kUuid);
    CHECK(Uuid::parse("F81D4FAE-7DEC-41d0-A765-00A0C91E6BF6") == kUuid);
    CHECK(Uuid::parse("f81d4fae7dec41d0a76500a0c91e6bf6") == kUuid);
    CHECK(Uuid{}.text() == "00000000-0000-0000-0000-000000000000");
    std::string text(Uuid::kTextSize + 2, '#');
    kUuid.format(text.data());
    CHECK(text == std::string(kText) + "##");
}

TEST_CASE("what is not exactly a UUID is refused", "[base][uuid]") {
    for (size_t size = 0; size < kText.size(); ++size) {
        REQUIRE_FALSE(Uuid::parse(kText.substr(0, size)).has_value());
    }
    for (size_t at = 0; at < kText.size(); ++at) {
        for (const char c : {'g', ' ', '-', '0', '\0'}) {
            std::string text(kText);
            if (text[at] == c || ((c == '0') != (text[at] == '-'))) continue;
            text[at] = c;
            INFO(text);
            REQUIRE_FALSE(Uuid::parse(text).has_value());
        }
    }
    for (const std::string_view text : {"{f81d4fae-7dec-41d0-a765-00a0c91e6bf6}",
                                        "urn:uuid:f81d4fae-7dec-41d0-a765-00a0c91e6bf6",
                                        "f81d4fae-7dec-41d0-a765-00a0c91e6bf6 ",
                                        "f81d-4fae7dec-41d0-a765-00a0c91e6bf6",
                                        "f81d4fae-7dec-41d0-a76500a0c91e6bf6",
                                        "f81d4fae7dec41d0a76500a0c91e6bfg"}) {
        INFO(text);
        CHECK_FALSE(Uuid::parse(text).has_value());
    }
}

TEST_CASE("sixteen random bytes become version 4", "[base][uuid]") {
    std::array<uint8_t, 16> bytes;
    bytes.fill(0xff);
    CHECK(Uuid::from_random(bytes).text() == "ffffffff-ffff-4fff-bfff-ffffffffffff");
    bytes.fill(0x00);
    CHECK(Uuid::from_random(bytes).text() == "00000000-0000-4000-8000-000000000000");
}

TEST_CASE("UUIDs are ordered by their bytes, as their texts are", "[base][uuid]") {
    const Uuid small = *Uuid::parse("00000000-0000-4000-8000-000000000001");
    CHECK(small < kUuid);
    CHECK(small == *Uuid::parse(small.text()));
    CHECK(small != kUuid);
    CHECK(kUuid.view().size() == 16);
    CHECK(kUuid.view()[0] == 0xf8);
}
