// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/text.h"
#include "store/fields.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

constexpr size_t kMax = 100'000;

std::string written(const std::string& text, bool is_packed, size_t size_max = kMax) {
    std::vector<uint8_t> storage(kMax + 8);
    FieldWriter fields(storage);
    is_packed ? fields.packed(text, size_max) : fields.text(text, size_max);
    return std::string(as_text(fields.bytes()));
}

// What a reader makes of it; "?" if nothing.
std::string read(const std::string& bytes, bool is_packed, size_t size_max = kMax) {
    FieldReader fields(as_bytes(bytes));
    const std::string text =
        is_packed ? fields.packed(size_max).text() : std::string(fields.text(size_max));
    return fields.is_complete() ? text : "?";
}

}  // namespace

TEST_CASE("Text of every length reads back, its count as short as can be", "[store][fields]") {
    for (const bool is_packed : {false, true}) {
        // A packed count is twice as large, and one of hexadecimal digits stands for half.
        const size_t per_byte = is_packed ? 2 : 1;
        for (const size_t size :
             {0, 1, 62, 63, 64, 126, 127, 128, 8'191, 8'192, 16'383, 16'384, 50'000}) {
            const std::string text(size, 'X');
            const std::string bytes = written(text, is_packed);
            const size_t count = size * per_byte;
            CHECK(bytes.size() == size + (count < 128 ? 1 : count < 16'384 ? 2 : 3));
            CHECK(read(bytes, is_packed) == text);
            CHECK(read(bytes, is_packed, size) == text);
            if (size > 0) CHECK(read(bytes, is_packed, size - 1) == "?");
            if (size > 0) CHECK(written(text, is_packed, size - 1).empty());
            CHECK(read(bytes + "x", is_packed) == "?");
            CHECK(read(bytes.substr(0, bytes.size() - 1), is_packed) == "?");
        }
    }
}

TEST_CASE("Hexadecimal digits are packed, anything near them is not", "[store][fields]") {
    CHECK(written("00ff", true) == std::string("\x05\x00\xff", 3));
    CHECK(read(std::string("\x05\x00\xff", 3), true) == "00ff");
    for (const std::string text : {"0", "00f", "00FF", "00fg", "00 f", "0x00"}) {
        CHECK(written(text, true) == static_cast<char>(2 * text.size()) + text);
        CHECK(read(written(text, true), true) == text);
    }
    CHECK(read("\x08"
               "00ff",
               true) == "?");          // should have been packed
    CHECK(read("\x01", true) == "?");  // no digits at all
    CHECK(read(std::string("\x05\x00\xff", 3), true, 3) ==
          "?");  // counts as the text it stands for
}

TEST_CASE("Once a field is unfit, the whole is", "[store][fields]") {
    std::vector<uint8_t> storage(64);
    CHECK(FieldWriter(storage).byte(1).text("long", 3).byte(2).bytes().empty());
    CHECK(FieldWriter(storage).packed("long", 3).packed("aa", 9).text("b", 9).bytes().empty());
    CHECK(FieldWriter(storage).byte(1).text("long", 4).byte(2).bytes().size() == 7);

    FieldReader fields(
        as_bytes(std::string_view("\x05"
                                  "abc\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                                  20)));
    CHECK(fields.text(4).empty());
    CHECK(fields.byte() == 0);
    CHECK(fields.number() == 0);
    CHECK(fields.uuid() == Uuid{});
    CHECK(fields.time() == UnixTime{});
    CHECK_FALSE(fields.is_complete());
    for (const std::string count : {"\xff\xff\xff\x7f", "\x80\x80\x80", "\x81", "\x81\x80"}) {
        CHECK(read(count, false) == "?");
    }
    CHECK(read(std::string("\x80\x00", 2), false) == "?");  // 0, but longer than needed
}

TEST_CASE("Numbers lie little endian", "[store][fields]") {
    std::vector<uint8_t> storage(64);
    const ByteView bytes = FieldWriter(storage).number(0x0102030405060708).time({-2}).bytes();
    CHECK(to_hex(bytes) == "0807060504030201feffffffffffffff");
    FieldReader fields(bytes);
    CHECK(fields.number() == 0x0102030405060708);
    CHECK(fields.time() == UnixTime{-2});
    CHECK(fields.is_complete());
    CHECK(load<uint32_t>(as_bytes("\x01\x02\x03\x04")) == 0x04030201U);
}

TEST_CASE("Whole seconds take four bytes, and nothing else is taken for them", "[store][fields]") {
    std::vector<uint8_t> storage(64);
    for (const int64_t count : {int64_t{0}, int64_t{0x01020304}, int64_t{UINT32_MAX}}) {
        const UnixTime time = from_unix_seconds(count);
        const ByteView bytes = FieldWriter(storage).seconds(time).bytes();
        CHECK(bytes.size() == 4);
        FieldReader fields(bytes);
        CHECK(fields.seconds() == time);
        CHECK(fields.is_complete());
        FieldReader cut(bytes.first(3));
        CHECK(cut.seconds() == UnixTime{});
        CHECK_FALSE(cut.is_complete());
    }
    CHECK(to_hex(FieldWriter(storage).seconds(from_unix_seconds(1)).bytes()) == "01000000");
    for (const int64_t us : {int64_t{1},
                             int64_t{-1},
                             int64_t{-1'000'000},
                             int64_t{1'500'000},
                             (int64_t{UINT32_MAX} + 1) * 1'000'000,
                             INT64_MAX,
                             INT64_MIN}) {
        CHECK(FieldWriter(storage).seconds({us}).bytes().empty());
    }
}
