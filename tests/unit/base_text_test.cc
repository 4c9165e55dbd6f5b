// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <string_view>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/text.h"

using namespace knuckle;

TEST_CASE("ASCII case is ignored, and only that", "[base][text]") {
    CHECK(equal_ignoring_case("Content-Type", "cOnTeNt-tYpE"));
    CHECK(equal_ignoring_case("", ""));
    CHECK_FALSE(equal_ignoring_case("host", "hos"));
    CHECK_FALSE(equal_ignoring_case("host", "hostt"));
    // '@' and '`', '[' and '{' differ in the bit that tells cases apart, but are no letters.
    CHECK_FALSE(equal_ignoring_case("@[", "`{"));
    CHECK_FALSE(equal_ignoring_case("0123@456", "0123`456"));
    CHECK_FALSE(equal_ignoring_case("01234567[", "01234567{"));
    CHECK_FALSE(equal_ignoring_case("0123456789\xc1", "0123456789\xe1"));
    CHECK(equal_ignoring_case("AZ@[`{az\xc1-AZ", "az@[`{AZ\xc1-az"));
    CHECK_FALSE(equal_ignoring_case("\xc3\x84", "\xc3\xa4"));
    CHECK(to_lower("AZaz09@[`{\xc3\x84") == "azaz09@[`{\xc3\x84");
}

TEST_CASE("white space is trimmed at both ends", "[base][text]") {
    CHECK(trim("  a b\t\r\n\v\f") == "a b");
    CHECK(trim("a") == "a");
    CHECK(trim("").empty());
    CHECK(trim(" \t ").empty());
    CHECK(trim("\xc2\xa0"
               "a") ==
          "\xc2\xa0"
          "a");
}

TEST_CASE("a decimal number is digits and nothing else", "[base][text]") {
    CHECK(parse_decimal("0") == 0);
    CHECK(parse_decimal("42") == 42);
    CHECK(parse_decimal("007") == 7);
    CHECK(parse_decimal("18446744073709551615") == UINT64_MAX);
    for (const std::string_view text : {"",
                                        " ",
                                        "+1",
                                        "-1",
                                        "-0",
                                        " 1",
                                        "1 ",
                                        "1.0",
                                        "1e3",
                                        "0x10",
                                        "1_000",
                                        "a",
                                        "1a",
                                        "18446744073709551616",
                                        "99999999999999999999999999",
                                        "\xd9\xa1"}) {
        INFO(text);
        CHECK_FALSE(parse_decimal(text).has_value());
    }
    CHECK_FALSE(parse_decimal(std::string_view("1\0", 2)).has_value());
    CHECK_FALSE(parse_decimal(std::string_view()).has_value());
}

TEST_CASE("a decimal number that was written reads back", "[base][text]") {
    DecimalText storage;
    CHECK(format_decimal(0, storage) == "0");
    CHECK(format_decimal(UINT64_MAX, storage) == "18446744073709551615");
    for (uint64_t value = 1; value < UINT64_MAX / 10; value *= 10) {
        REQUIRE(parse_decimal(format_decimal(value, storage)) == value);
        REQUIRE(parse_decimal(format_decimal(value - 1, storage)) == value - 1);
    }
}

TEST_CASE("bytes become lower-case hexadecimal and come back from either case", "[base][text]") {
    const std::vector<uint8_t> bytes = {0x00, 0x01, 0x7f, 0x80, 0xab, 0xcd, 0xef, 0xff};
    CHECK(to_hex(bytes) == "00017f80abcdefff");
    CHECK(to_hex({}).empty());
    std::vector<uint8_t> decoded(8);
    CHECK(decode_hex("00017F80aBCdefFF", decoded));
    CHECK(decoded == bytes);
    CHECK(decode_hex("", {}));
}

TEST_CASE("hexadecimal of the wrong length or with other characters is refused", "[base][text]") {
    std::vector<uint8_t> bytes(2);
    for (const std::string_view text : {"",
                                        "0",
                                        "01",
                                        "012",
                                        "01234",
                                        "012345",
                                        "0x12",
                                        "012g",
                                        "g123",
                                        "01 2",
                                        "-123",
                                        "/123",
                                        ":123",
                                        "@123",
                                        "`123",
                                        "\xff"
                                        "123"}) {
        INFO(text);
        CHECK_FALSE(decode_hex(text, bytes));
    }
    CHECK(is_lower_hex("0123456789abcdef"));
    CHECK(is_lower_hex(""));
    CHECK_FALSE(is_lower_hex("A"));
    CHECK_FALSE(is_lower_hex("0g"));
    CHECK_FALSE(is_lower_hex("0 "));
}

TEST_CASE("each character is a hexadecimal digit or is none, wherever it stands", "[base][text]") {
    constexpr std::string_view kDigits = "0123456789abcdefABCDEF";
    for (const size_t digits : {2, 6, 8, 10, 32}) {
        for (size_t at = 0; at < digits; ++at) {
            for (int octet = 0; octet < 256; ++octet) {
                std::string text(digits, '7');
                text[at] = static_cast<char>(octet);
                std::vector<uint8_t> bytes(digits / 2);
                const size_t digit = kDigits.find(text[at]);
                REQUIRE(decode_hex(text, bytes) == (digit != std::string_view::npos));
                if (digit == std::string_view::npos) continue;
                const size_t value = digit < 16 ? digit : digit - 6;
                for (size_t i = 0; i < bytes.size(); ++i) {
                    const size_t high = 2 * i == at ? value : 7;
                    const size_t low = 2 * i + 1 == at ? value : 7;
                    REQUIRE(bytes[i] == 16 * high + low);
                }
            }
        }
    }
}

TEST_CASE("dates are RFC 3339 in UTC with six zeros", "[base][text]") {
    struct Case {
        int64_t unix_seconds;
        std::string_view text;
    };
    const Case cases[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {86'399, "1970-01-01T23:59:59.000000Z"},
        {951'782'399, "2000-02-28T23:59:59.000000Z"},
        {951'782'400, "2000-02-29T00:00:00.000000Z"},  // divisible by 400: a leap year
        {951'868'799, "2000-02-29T23:59:59.000000Z"},
        {951'868'800, "2000-03-01T00:00:00.000000Z"},
        {1'709'164'800, "2024-02-29T00:00:00.000000Z"},
        {1'709'251'199, "2024-02-29T23:59:59.000000Z"},
        {1'763'861'470, "2025-11-23T01:31:10.000000Z"},
        {2'147'483'647, "2038-01-19T03:14:07.000000Z"},
        {2'147'483'648, "2038-01-19T03:14:08.000000Z"},
        {4'107'542'399, "2100-02-28T23:59:59.000000Z"},  // divisible by 100: no leap year
        {4'107'542'400, "2100-03-01T00:00:00.000000Z"},
        {253'402'300'799, "9999-12-31T23:59:59.000000Z"},
    };
    for (const Case& c : cases) {
        CHECK(format_date(from_unix_seconds(c.unix_seconds)) == c.text);
        CHECK(format_date(from_unix_seconds(c.unix_seconds) + microseconds(999'999)) == c.text);
    }
    CHECK(format_date(UnixTime{-1}) == "1970-01-01T00:00:00.000000Z");
    CHECK(format_date(UnixTime{}).size() == kDateTextSize);
}

TEST_CASE("dates run on from day to day without a gap", "[base][text]") {
    const int days_in_month[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t day = 0;
    for (int year = 1970; year < 2120; ++year) {
        const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        for (int month = 0; month < 12; ++month) {
            const int days = days_in_month[month] + (month == 1 && is_leap ? 1 : 0);
            for (int date = 1; date <= days; ++date, ++day) {
                std::string expected = std::to_string(year) + (month < 9 ? "-0" : "-") +
                                       std::to_string(month + 1) + (date < 10 ? "-0" : "-") +
                                       std::to_string(date) + "T12:34:56.000000Z";
                if (format_date(from_unix_seconds(day * 86'400 + 45'296)) != expected) {
                    FAIL(expected);
                }
            }
        }
    }
    CHECK(day == 54'786);
}

TEST_CASE("UTF-8 is told from what only looks like it", "[base][text]") {
    struct Case {
        std::string_view text;
        size_t code_points;
    };
    const Case valid[] = {
        {"", 0},
        {"plain", 5},
        {"\x7f", 1},
        {"\xc2\x80", 1},          // U+0080
        {"\xdf\xbf", 1},          // U+07FF
        {"\xe0\xa0\x80", 1},      // U+0800
        {"\xed\x9f\xbf", 1},      // U+D7FF, before the surrogates
        {"\xee\x80\x80", 1},      // U+E000, after them
        {"\xef\xbf\xbf", 1},      // U+FFFF
        {"\xf0\x90\x80\x80", 1},  // U+10000
        {"\xf4\x8f\xbf\xbf", 1},  // U+10FFFF
        {"a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z", 5},
    };
    for (const Case& c : valid) {
        CHECK(is_valid_utf8(c.text));
        CHECK(count_code_points(c.text) == c.code_points);
    }
    CHECK(is_valid_utf8(std::string_view("\0", 1)));

    for (const std::string_view text : {
             "\x80",          // a continuation alone
             "\xbf",          //
             "a\x80",         //
             "\xc2",          // cut off
             "\xe2\x82",      //
             "\xf0\x9f\x98",  //
             "\xc2"
             "a",  // no continuation where one must be
             "\xe2\x82"
             "a",  //
             "\xe2"
             "a\x82",             //
             "\xc0\x80",          // overlong
             "\xc1\xbf",          //
             "\xe0\x80\x80",      //
             "\xe0\x9f\xbf",      //
             "\xf0\x80\x80\x80",  //
             "\xf0\x8f\xbf\xbf",  //
             "\xed\xa0\x80",      // surrogates
             "\xed\xbf\xbf",      //
             "\xf4\x90\x80\x80",  // beyond U+10FFFF
             "\xf5\x80\x80\x80",  //
             "\xf8\x88\x80\x80\x80",
             "\xfe",
             "\xff",
         }) {
        INFO(to_hex(as_bytes(text)));
        CHECK_FALSE(is_valid_utf8(text));
        CHECK_FALSE(is_valid_utf8("before" + std::string(text)));
        CHECK_FALSE(is_valid_utf8(std::string(text) + "after"));
    }
}
