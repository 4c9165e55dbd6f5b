// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>

#include <catch_amalgamated.hpp>

#include "config/document.h"

using namespace knuckle;
using namespace knuckle::config;
using Type = Value::Type;

namespace {

const Value& child(const Value& value, std::string_view key) {
    for (const Value& one : value.children) {
        if (one.key == key) return one;
    }
    FAIL("no key " << key);
    return value;
}

std::string at(Place place) {
    return std::to_string(place.line) + ":" + std::to_string(place.column);
}

}  // namespace

TEST_CASE("a document becomes values in the order of the text", "[config]") {
    Value root;
    REQUIRE_FALSE(
        parse_document("z = \"text\"\n"
                       "a = -7\n"
                       "[m]\n"
                       "real = 1.5\n"
                       "yes = true\n"
                       "day = 2026-11-23\n"
                       "list = [\"x\", 2,\n"
                       "  \"y\"]\n",
                       root));
    REQUIRE(root.children.size() == 3);
    CHECK(root.children[0].key == "z");
    CHECK(root.children[1].key == "a");
    CHECK(root.children[2].key == "m");
    CHECK(child(root, "z").type == Type::text);
    CHECK(child(root, "z").text == "text");
    CHECK(child(root, "a").type == Type::integer);
    CHECK(child(root, "a").integer == -7);
    const Value& m = child(root, "m");
    CHECK(m.type == Type::table);
    CHECK(child(m, "real").type == Type::real);
    CHECK(child(m, "yes").type == Type::boolean);
    CHECK(child(m, "yes").boolean);
    CHECK(child(m, "day").type == Type::date);
    const Value& list = child(m, "list");
    CHECK(list.type == Type::list);
    REQUIRE(list.children.size() == 3);
    CHECK(list.children[2].text == "y");
}

TEST_CASE("every value and every key knows its line and column", "[config]") {
    Value root;
    REQUIRE_FALSE(
        parse_document("# \xc3\xa9\n"
                       "  workers = 2\n"
                       "[apps.chat.apns]\n"
                       "topic = \"t\"\n"
                       "[[listen]]\n"
                       "address = \"a\"\n"
                       "[[listen]]\n"
                       "hosts = [\"a\",\n"
                       "   \"b\"]\n",
                       root));
    CHECK(at(child(root, "workers").key_place) == "2:3");
    CHECK(at(child(root, "workers").place) == "2:13");
    const Value& chat = child(child(root, "apps"), "chat");
    CHECK(at(chat.place) == "3:1");
    CHECK(at(child(chat, "apns").place) == "3:1");
    CHECK(at(child(child(chat, "apns"), "topic").place) == "4:9");
    const Value& listen = child(root, "listen");
    REQUIRE(listen.children.size() == 2);
    CHECK(at(listen.children[1].place) == "7:1");
    CHECK(at(child(listen.children[1], "hosts").children[1].place) == "9:4");
}

TEST_CASE("a mistake in the syntax is one mistake with its place", "[config]") {
    const auto mistake_of = [](std::string_view text) {
        Value root;
        const auto mistake = parse_document(text, root);
        REQUIRE(mistake);
        CHECK(mistake->key.empty());
        CHECK(mistake->text.find('\n') == std::string::npos);
        CHECK_THAT(mistake->text,
                   Catch::Matchers::EndsWith("nothing after this place has been read"));
        return at({mistake->line, mistake->column});
    };
    CHECK(mistake_of("a = 1\na = 2\n") == "2:5");
    CHECK(mistake_of("[a]\nb = 1\n[a]\n") == "3:1");
    CHECK(mistake_of("a = 1\naddress: 5\n") == "2:8");
    CHECK(mistake_of("a = hello\n") == "1:5");
    CHECK(mistake_of("a = 'x\n") == "1:7");
    CHECK(mistake_of("a = 99999999999999999999\n") == "1:25");
    CHECK(mistake_of("a = \"\xff\"\n") == "1:5");
    CHECK(mistake_of("a = fal\n") == "1:8");
}

TEST_CASE("no text makes the parser fall over", "[config]") {
    const std::string text =
        "data_dir = \"x\" # c\nw.a.'b' = 3.5e1\n[[l]]\na = [1, {b = true}, \"\\u00e9\"]\n[t.\"u "
        "v\"]\nd = 1979-05-27T07:32:00Z\n";
    Value root;
    REQUIRE_FALSE(parse_document(text, root));
    for (size_t size = 0; size < text.size(); ++size) {
        Value part;
        static_cast<void>(parse_document(std::string_view(text).substr(0, size), part));
        for (const char byte : {'\0', '\n', '"', '[', '}', '=', '\xff'}) {
            std::string changed = text;
            changed[size] = byte;
            Value other;
            static_cast<void>(parse_document(changed, other));
        }
    }
}

TEST_CASE("what is nested deeper than any key of ours is left out", "[config]") {
    Value root;
    REQUIRE_FALSE(parse_document("a.b.c.d.e.f.g.h.i.j.k = 1\n", root));
    int depth = 0;
    for (const Value* value = &root; !value->children.empty(); value = &value->children.front())
        ++depth;
    CHECK(depth == kDepthMax);

    const std::string deep = "a = " + std::string(100'000, '[');
    CHECK(parse_document(deep, root));
}
