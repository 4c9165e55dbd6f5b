// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>
#include <memory>

#include <catch_amalgamated.hpp>

#include "api/json_body.h"
#include "api/rest.h"
#include "http1/message.h"

using namespace knuckle;
using api::Value;

namespace {

constexpr std::array<std::string_view, 3> kNames = {"token", "data", "priority"};

// A body with its padding in a heap block of its own, as http1 promises it.
struct Json {
    explicit Json(std::string_view body, char padding = '}') {
        memory.reset(new uint8_t[body.size() + http1::Request::kBodyPadding]);
        copy_bytes(memory.get(), as_bytes(body));
        std::memset(memory.get() + body.size(), padding, http1::Request::kBodyPadding);
        scratch.reset(api::kScratchOfFields);
        refused = reader.read({memory.get(), body.size()}, fields, scratch);
    }
    std::string problem() const {
        return refused ? std::to_string(refused->status) + " " + refused->body : "none";
    }
    Value data() const {
        INFO(problem());
        REQUIRE_FALSE(refused);
        return fields[1];
    }
    std::unique_ptr<uint8_t[]> memory;
    api::JsonReader reader;
    api::Scratch scratch;
    api::Fields fields{kNames};
    std::optional<api::Reply> refused;
};

Value::Kind kind_of(std::string_view data) {
    return Json(R"({"data":)" + std::string(data) + "}").data().kind;
}
std::string text_of(std::string_view data) {
    const Json json(R"({"data":)" + std::string(data) + "}");
    return std::string(json.data().text);
}

std::string nested(size_t depth) { return std::string(depth, '[') + "1" + std::string(depth, ']'); }

}  // namespace

TEST_CASE("The members that an endpoint knows are found, in any order", "[api][json_body]") {
    const Json json(
        " { \"unknown\" : [1, {\"token\": 2}], \"priority\" : \"high\" , \"t\\u006fken\" : \"abc\" "
        "}\n");
    CHECK(json.problem() == "none");
    CHECK(json.fields[0].text == "abc");
    CHECK(json.fields[1].kind == Value::Kind::absent);
    CHECK(json.fields[2].text == "high");
    CHECK_FALSE(json.fields.is_form);
}

TEST_CASE("The last of equal members counts", "[api][json_body]") {
    CHECK(Json(R"({"data":"a","data":1,"data":"b"})").data().text == "b");
    CHECK(Json(R"({"data":"a","data":null})").data().kind == Value::Kind::null);
}

TEST_CASE("Every kind of value is told apart", "[api][json_body]") {
    CHECK(kind_of("null") == Value::Kind::null);
    CHECK(kind_of("true") == Value::Kind::boolean);
    CHECK(kind_of("1") == Value::Kind::number);
    CHECK(kind_of("\"\"") == Value::Kind::text);
    CHECK(kind_of("[]") == Value::Kind::array);
    CHECK(kind_of("{}") == Value::Kind::object);
}

TEST_CASE("A text is unescaped", "[api][json_body]") {
    CHECK(text_of(R"("a\"\\\/\b\f\n\r\t\u00e4\uD83D\uDE00")") ==
          "a\"\\/\b\f\n\r\t\xC3\xA4\xF0\x9F\x98\x80");
    CHECK(text_of(R"("\u0000")") == std::string(1, '\0'));
}

TEST_CASE("A number becomes the text that Python's str() makes of it", "[api][json_body]") {
    struct Case {
        const char* number;
        const char* text;
    };
    const Case cases[] = {
        {"0", "0"},
        {"-0", "0"},
        {"42", "42"},
        {"-7", "-7"},
        {"18446744073709551615", "18446744073709551615"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"1.0", "1.0"},
        {"-0.0", "-0.0"},
        {"1.50", "1.5"},
        {"1e2", "100.0"},
        {"1E+15", "1000000000000000.0"},
        {"1e16", "1e+16"},
        {"123456789.25", "123456789.25"},
        {"0.0001", "0.0001"},
        {"0.00001", "1e-05"},
        {"-1.7976931348623157e308", "-1.7976931348623157e+308"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.number);
        CHECK(text_of(c.number) == c.text);
    }
}

TEST_CASE("An object is kept as JSON without white space", "[api][json_body]") {
    CHECK(text_of("{}") == "{}");
    CHECK(text_of("{ \"a\" : [ 1, -2.50, true , false, null "
                  "],\n\t\"b\":{\"c\":\"\\u00e4\\n\\\"\"}, \"a\":\"\" }") ==
          "{\"a\":[1,-2.5,true,false,null],\"b\":{\"c\":\"\xC3\xA4\\u000a\\\"\"},\"a\":\"\"}");
    CHECK(text_of("{\"\\u0022\":18446744073709551615}") == "{\"\\\"\":18446744073709551615}");
}

TEST_CASE("An object that is too long has no text", "[api][json_body]") {
    const std::string fits = R"({"a":")" + std::string(api::kExtraBytesMax - 8, 'x') + "\"}";
    REQUIRE(fits.size() == api::kExtraBytesMax);
    CHECK(text_of(fits) == fits);
    CHECK(text_of(R"({"ab":)" + fits.substr(5)).empty());
    CHECK(kind_of(R"({"ab":)" + fits.substr(5)) == Value::Kind::object);
}

TEST_CASE("Each field may be an object of full size", "[api][json_body]") {
    const std::string object = R"({"a":")" + std::string(api::kExtraBytesMax - 8, 'x') + "\"}";
    const Json json(R"({"token":)" + object + R"(,"data":)" + object + R"(,"priority":)" + object +
                    "}");
    for (size_t i = 0; i < 3; ++i) CHECK(json.fields[i].text == object);
}

TEST_CASE("JSON that is no object is told so", "[api][json_body]") {
    const auto no_object = [](std::string_view type) {
        return R"(400 {"non_field_errors":["Invalid data. Expected a dictionary, but got )" +
               std::string(type) + ".\"]}";
    };
    CHECK(Json("[]").problem() == no_object("list"));
    CHECK(Json(R"([{"token":"t"}])").problem() == no_object("list"));
    CHECK(Json(R"("token")").problem() == no_object("str"));
    CHECK(Json("7").problem() == no_object("int"));
    CHECK(Json("18446744073709551615").problem() == no_object("int"));
    CHECK(Json("1.5").problem() == no_object("float"));
    CHECK(Json("true").problem() == no_object("bool"));
    CHECK(Json("null").problem() == R"(400 {"non_field_errors":["No data provided"]})");
}

TEST_CASE("Malformed JSON is refused, also in members that nobody wants", "[api][json_body]") {
    const char* const bodies[] = {
        " ",
        "{",
        "}",
        "{]",
        "{}}",
        "{} x",
        "{}{}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\" 1}",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":\"b\":1}",
        "{\"a\":{\"b\":1}",
        "{\"a\":{}",
        "{\"a\":[1,2}",
        "{\"a\":[1}]}",
        "{\"a\":[,]}",
        "{\"a\":[1,]}",
        "{\"a\":tru}",
        "{\"a\":truex}",
        "{\"a\":TRUE}",
        "{\"a\":nul}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":-Infinity}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "{\"a\":0x1}",
        "{\"a\":1e999}",
        "{\"a\":123456789012345678901234567890}",
        "{\"a\":\"}",
        "{\"a\":\"\\\"}",
        "{\"a\":\"\\x41\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u12G4\"}",
        "{\"a\":\"\\uD800\"}",
        "{\"a\":\"\\uDC00\"}",
        "{\"a\":\"\\uD800\\u0041\"}",
        "{\"a\":\"\\uD800\\uD800\"}",
        "{\"\\uDC00\":1}",
        "{\"a\":\"tab\there\"}",
        "{\"a\":\"line\nbreak\"}",
        "{\"a\":\"\xFF\"}",
        "{\"a\":\"\xC0\x80\"}",
        "{\"a\":\"\xED\xA0\x80\"}",
        "\xEF\xBB\xBF{}",
        "\xFF\xFE{\0}\0",
        "{}//",
        "{/**/}",
        "[",
        "[1",
        "\"",
        "tru",
        "1x",
        "-",
    };
    for (const char* body : bodies) {
        for (const char padding : {'}', ']', ',', '"', '0', ' ', '\0'}) {
            CAPTURE(body, static_cast<int>(padding));
            CHECK_THAT(Json(body, padding).problem(),
                       Catch::Matchers::StartsWith(R"(400 {"detail":"JSON parse error - )"));
        }
    }
    CHECK_THAT(Json(std::string_view("{}\0", 3)).problem(), Catch::Matchers::StartsWith("400"));
}

TEST_CASE("Parse errors say what is wrong", "[api][json_body]") {
    const auto error = [](std::string_view what) {
        return R"(400 {"detail":"JSON parse error - )" + std::string(what) + "\"}";
    };
    CHECK(Json("{\"a\":\"\xFF\"}").problem() == error("the text is not UTF-8"));
    CHECK(Json("  ").problem() == error("there is nothing but white space"));
    CHECK(Json("{\"a\":1e999}").problem() == error("a number is malformed or too large"));
    CHECK(Json(R"({"a":"\q"})").problem() ==
          error("a string does not end, or has a bad escape or a control character in it"));
    CHECK(Json("{").problem() == error("the text is no well-formed JSON"));
}

TEST_CASE("Nesting has a limit, however deep it goes", "[api][json_body]") {
    CHECK(Json(R"({"a":)" + nested(api::kNestingMax - 1) + "}").problem() == "none");
    const std::string refusal =
        R"(400 {"detail":"JSON parse error - lists and objects are nested more than 32 deep"})";
    CHECK(Json(R"({"a":)" + nested(api::kNestingMax) + "}").problem() == refusal);
    CHECK(Json(R"({"a":)" + nested(30'000) + "}").problem() == refusal);
    CHECK(Json(nested(30'000)).problem() == refusal);
    CHECK(Json(std::string(60'000, '[')).refused);
}

TEST_CASE("A body larger than any before is read like others", "[api][json_body]") {
    const std::string long_text(4 * api::kJsonCapacity, 'x');
    CHECK(text_of("\"" + long_text + "\"") == long_text);
}
