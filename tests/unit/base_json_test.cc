// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>
#include <string>

#include <catch_amalgamated.hpp>

#include "base/json.h"

using namespace knuckle;

namespace {

// A document with every kind of value.
void write_sample(JsonWriter& json) {
    json.begin_object();
    json.key("token").string("abc");
    json.key("count").number(18'446'744'073'709'551'615ULL);
    json.key("yes").boolean(true).key("no").boolean(false);
    json.key("data").null();
    json.key("empty").begin_array().end_array();
    json.key("nested").begin_array();
    json.begin_object().end_object().number(0).string("").raw("{\"ready\":1}");
    json.end_array();
    json.key("last").begin_object().key("a").number(1).key("b").number(2).end_object();
    json.end_object();
}

constexpr std::string_view kSample =
    R"({"token":"abc","count":18446744073709551615,"yes":true,"no":false,"data":null,"empty":[],)"
    R"("nested":[{},0,"",{"ready":1}],"last":{"a":1,"b":2}})";

std::string as_json(std::string_view text) {
    std::array<char, 2048> storage;
    JsonWriter json(storage);
    json.string(text);
    REQUIRE(json.fits());
    return std::string(json.text());
}

}  // namespace

TEST_CASE("JSON is compact and has its commas where they belong", "[base][json]") {
    std::array<char, 512> storage;
    JsonWriter json(storage);
    CHECK(json.text().empty());
    write_sample(json);
    CHECK(json.fits());
    CHECK(json.text() == kSample);
}

TEST_CASE("strings are escaped where JSON asks for it and nowhere else", "[base][json]") {
    CHECK(as_json("") == R"("")");
    CHECK(as_json("plain / text") == R"("plain / text")");
    CHECK(as_json(R"(say "hi" \ there)") == R"("say \"hi\" \\ there")");
    CHECK(as_json("\"") == R"("\"")");
    CHECK(as_json("a\nb\tc\r") == R"("a\u000ab\u0009c\u000d")");
    CHECK(as_json(std::string_view("\0\x1f\x7f", 3)) == "\"\\u0000\\u001f\x7f\"");
    CHECK(as_json("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80") ==
          "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
    std::array<char, 64> storage;
    JsonWriter json(storage);
    json.begin_object().key("a\"b").null().end_object();
    CHECK(json.text() == R"({"a\"b":null})");
}

TEST_CASE("each character is escaped alike wherever it stands in a text", "[base][json]") {
    for (int value = 0; value < 256; ++value) {
        const std::string escaped = as_json(std::string(1, static_cast<char>(value)));
        for (size_t size = 1; size <= 20; ++size) {
            for (size_t at = 0; at < size; ++at) {
                std::string text(size, 'x');
                text[at] = static_cast<char>(value);
                const std::string expected = "\"" + std::string(at, 'x') +
                                             escaped.substr(1, escaped.size() - 2) +
                                             std::string(size - at - 1, 'x') + "\"";
                REQUIRE(as_json(text) == expected);
            }
        }
    }
}

TEST_CASE("pieces of a document are taken as they stand", "[base][json]") {
    std::array<char, 64> storage;
    JsonWriter json(storage);
    json.verbatim(R"({"a":)").string("b").verbatim(R"(,"c":)").raw("1").verbatim("}");
    CHECK(json.text() == R"({"a":"b","c":1})");
}

TEST_CASE("a document that does not fit says so and writes nothing past the end", "[base][json]") {
    for (size_t size = 0; size <= kSample.size(); ++size) {
        std::string storage(size + 16, '#');
        JsonWriter json(std::span<char>(storage.data(), size));
        write_sample(json);
        REQUIRE(json.fits() == (size == kSample.size()));
        REQUIRE(json.text().size() <= size);
        REQUIRE(storage.substr(size) == std::string(16, '#'));
        // What is there is the beginning of the document, never something else.
        REQUIRE(kSample.starts_with(json.text()));
    }
}
