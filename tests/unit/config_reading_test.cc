// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "config/reading.h"

using namespace knuckle;
using namespace knuckle::config;

namespace {

Value document(std::string_view text) {
    Value root;
    REQUIRE_FALSE(parse_document(text, root));
    return root;
}

std::vector<std::string> said(Reading& reading) {
    std::vector<std::string> lines;
    for (const Mistake& mistake : reading.finish()) lines.push_back(describe("f", mistake));
    return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a key that is absent keeps its default", "[config]") {
    const Value root = document("");
    Reading reading("");
    Table table(reading, &root, "");
    std::string text = "default";
    uint32_t whole = 7;
    Duration duration = seconds(3);
    bool boolean = true;
    Address address{"h", 1, ""};
    CHECK_FALSE(table.text("a", text));
    CHECK_FALSE(table.file("b", text));
    CHECK_FALSE(table.whole("c", whole, 0, 9));
    CHECK_FALSE(table.duration("d", duration, seconds(0), seconds(9)));
    CHECK_FALSE(table.boolean("e", boolean));
    CHECK_FALSE(table.address("f", address));
    CHECK(table.texts("g").empty());
    CHECK(table.tables("h").empty());
    CHECK(table.table("i") == nullptr);
    table.finish();
    CHECK(text == "default");
    CHECK(whole == 7);
    CHECK(duration == seconds(3));
    CHECK(boolean);
    CHECK(address == Address{"h", 1, ""});
    CHECK(reading.absent() == Lines{"a", "b", "c", "d", "e", "f", "g", "h", "i"});
    CHECK(said(reading).empty());
}

TEST_CASE("a required key is missed at its table, or in the file if that is absent too",
          "[config]") {
    const Value root = document("\n[here]\nempty = \"\"\n");
    Reading reading("");
    std::string text;
    Table here(reading, &root.children[0], "here");
    CHECK_FALSE(here.text("key", text, "a hint"));
    CHECK_FALSE(here.text("empty", text, "another hint"));
    Table there(reading, nullptr, "there");
    CHECK_FALSE(there.text("key", text, "a hint"));
    CHECK(said(reading) == Lines{"f: there.key: missing; [there] needs it: a hint",
                                 "f:2:1: here.key: missing; [here] needs it: a hint",
                                 "f:3:9: here.empty: is empty; [here] needs it: another hint"});
}

TEST_CASE("a value of the wrong type says what it is and what is wanted", "[config]") {
    const Value root = document(
        "a = 1\nb = \"2\"\nc = 1.5\nd = 2026-11-23\ne = [1]\nf = {x = 1}\ng = true\nh = 1\n"
        "i = [\"x\", 1]\nj = 1\nk = [1]\nl = \"x\"\n");
    Reading reading("");
    Table table(reading, &root, "");
    std::string text;
    uint32_t whole = 0;
    bool boolean = false;
    Duration duration;
    Address address;
    CHECK_FALSE(table.text("a", text));
    CHECK_FALSE(table.whole("b", whole, 1, 128));
    CHECK_FALSE(table.whole("c", whole, 1, 128));
    CHECK_FALSE(table.boolean("d", boolean));
    CHECK_FALSE(table.duration("e", duration, milliseconds(10), minutes(1)));
    CHECK_FALSE(table.address("f", address));
    CHECK_FALSE(table.file("g", text));
    CHECK(table.table("h") == nullptr);
    CHECK(table.texts("i").size() == 1);
    CHECK(table.texts("j").empty());
    CHECK(table.tables("k").empty());
    CHECK(table.tables("l").empty());
    CHECK(
        said(reading) ==
        Lines{
            "f:1:5: a: is a whole number, must be a text",
            "f:2:5: b: is a text, must be a whole number from 1 to 128",
            "f:3:5: c: is a number with a fraction, must be a whole number from 1 to 128",
            "f:4:5: d: is a date or time, must be true or false",
            "f:5:5: e: is a list, must be a duration from 10ms to 1m, such as \"2s\"",
            "f:6:5: f: is a table, must be an address such as \"127.0.0.1:8080\" or \"unix:/path\"",
            "f:7:5: g: is true or false, must be the name of a file",
            "f:8:5: h: is a whole number, must be a table: [h]",
            "f:9:11: i: is a whole number, must be a text",
            "f:10:5: j: is a whole number, must be a list of texts",
            "f:11:6: k: is a whole number, must be a list of tables: [[k]]",
            "f:12:5: l: is a text, must be a list of tables: [[l]]",
        });
}

TEST_CASE("a value out of range says the range, and both its ends are in it", "[config]") {
    const Value root =
        document("low = 0\nhigh = 129\nfirst = 1\nlast = 128\nhuge = 9223372036854775807\n");
    Reading reading("");
    Table table(reading, &root, "");
    uint32_t whole = 5;
    CHECK_FALSE(table.whole("low", whole, 1, 128));
    CHECK_FALSE(table.whole("high", whole, 1, 128));
    CHECK_FALSE(table.whole("huge", whole, 1, 128));
    CHECK(whole == 5);
    CHECK(table.whole("first", whole, 1, 128));
    CHECK(whole == 1);
    CHECK(table.whole("last", whole, 1, 128));
    CHECK(whole == 128);
    CHECK(said(reading) ==
          Lines{"f:1:7: low: is 0, must be a whole number from 1 to 128",
                "f:2:8: high: is 129, must be a whole number from 1 to 128",
                "f:5:8: huge: is 9223372036854775807, must be a whole number from 1 to 128"});
}

TEST_CASE("a duration is a text with a unit or a number of seconds", "[config]") {
    const Value root = document(
        "text = \"90s\"\nnumber = 90\nshort = \"1ms\"\nlong = \"2h\"\nnegative = -1\n"
        "huge = 9223372036854775807\nbeyond = \"9999999999999d\"\nbare = \"90\"\n");
    Reading reading("");
    Table table(reading, &root, "");
    Duration duration;
    CHECK(table.duration("text", duration, seconds(1), hours(1)));
    CHECK(duration == seconds(90));
    duration = {};
    CHECK(table.duration("number", duration, seconds(1), hours(1)));
    CHECK(duration == seconds(90));
    for (const char* key : {"short", "long", "negative", "huge", "beyond", "bare"}) {
        CHECK_FALSE(table.duration(key, duration, seconds(1), hours(1)));
    }
    CHECK(
        said(reading) ==
        Lines{"f:3:9: short: is 1ms, must be a duration from 1s to 1h",
              "f:4:8: long: is 2h, must be a duration from 1s to 1h",
              "f:5:12: negative: is -1 seconds, must be a duration from 1s to 1h",
              "f:6:8: huge: is 9223372036854775807 seconds, must be a duration from 1s to 1h",
              "f:7:10: beyond: is 9999999999999d, must be a duration from 1s to 1h",
              "f:8:8: bare: needs one whole number and one unit: ms, s, m, h or d, as in \"2s\""});
}

TEST_CASE("a word is one of those that are known", "[config]") {
    constexpr std::array<std::string_view, 3> kWords{"alert", "background", "ignore"};
    const Value root = document("a = \"ignore\"\nb = \"Alert\"\n");
    Reading reading("");
    Table table(reading, &root, "");
    std::string word = "alert";
    CHECK(table.word("a", word, kWords));
    CHECK(word == "ignore");
    CHECK_FALSE(table.word("b", word, kWords));
    CHECK(word == "ignore");
    CHECK(said(reading) == Lines{"f:2:5: b: must be \"alert\", \"background\" or \"ignore\""});
}

TEST_CASE("a text is one line, and what it held otherwise is not repeated", "[config]") {
    const Value root =
        document("a = \"\"\"-----BEGIN PRIVATE KEY-----\nMIGT\n\"\"\"\nb = \"x\\u0000y\"\n");
    Reading reading("");
    Table table(reading, &root, "");
    std::string text;
    CHECK_FALSE(table.file("a", text));
    CHECK_FALSE(table.text("b", text));
    CHECK(said(reading) ==
          Lines{"f:1:5: a: has a line break or another control character in it; the name of a file "
                "has none",
                "f:4:5: b: has a line break or another control character in it; a text has none"});
}

TEST_CASE("relative files and sockets are looked for beside the configuration", "[config]") {
    const Value root = document(
        "a = \"keys/apns.p8\"\nb = \"/etc/a\"\nc = \"credential:a\"\nd = \"\"\n"
        "e = \"unix:run/http.sock\"\nf = \"unix:/run/http.sock\"\n");
    const auto read = [&](std::string folder) {
        Reading reading(std::move(folder));
        Table table(reading, &root, "");
        Lines files(4);
        CHECK(table.file("a", files[0]));
        CHECK(table.file("b", files[1]));
        CHECK(table.file("c", files[2]));
        CHECK(table.file("d", files[3]));
        for (const char* key : {"e", "f"}) {
            Address address;
            CHECK(table.address(key, address));
            files.push_back(address.unix_path);
        }
        CHECK(said(reading).empty());
        return files;
    };
    CHECK(read("conf") == Lines{"conf/keys/apns.p8",
                                "/etc/a",
                                "credential:a",
                                "",
                                "conf/run/http.sock",
                                "/run/http.sock"});
    CHECK(read("") ==
          Lines{"keys/apns.p8", "/etc/a", "credential:a", "", "run/http.sock", "/run/http.sock"});
}

TEST_CASE("a Unix socket's path must fit into a socket's address", "[config]") {
    const std::string fits = "unix:/" + std::string(106, 'a');
    const Value root = document("a = \"" + fits + "\"\nb = \"" + fits + "a\"\n");
    Reading reading("");
    Table table(reading, &root, "");
    Address address;
    CHECK(table.address("a", address));
    CHECK_FALSE(table.address("b", address));
    CHECK(said(reading) ==
          Lines{"f:2:5: b: is too long; the path of a socket has at most 107 bytes"});
}

TEST_CASE("an unknown key is told which known one it resembles or where it belongs", "[config]") {
    const Value root = document(
        "wrokers = 1\n"
        "[admin]\n"
        "workers = 2\n"
        "adress = \"x\"\n"
        "ack_wait = 3\n"
        "colour = \"red\"\n"
        "\"two words\" = 1\n"
        "[[admln]]\n"
        "address = \"x\"\n");
    Reading reading("");
    Table top(reading, &root, "");
    uint32_t whole = 0;
    Duration duration;
    Address address;
    CHECK_FALSE(top.whole("workers", whole, 0, 9));
    Table admin(reading, top.table("admin"), "admin");
    CHECK_FALSE(admin.address("address", address));
    admin.finish();
    Table knocks(reading, top.table("knocks"), "knocks");
    CHECK_FALSE(knocks.duration("ack_wait", duration, seconds(0), seconds(9)));
    knocks.finish();
    top.finish();
    CHECK(said(reading) ==
          Lines{
              "f:1:1: wrokers: unknown key; did you mean workers?",
              "f:3:1: admin.workers: unknown key; it belongs to the top of the file",
              "f:4:1: admin.adress: unknown key; did you mean address?",
              "f:5:1: admin.ack_wait: unknown key; it belongs to [knocks]",
              "f:6:1: admin.colour: unknown key; [admin] knows address",
              "f:7:1: admin.\"two words\": unknown key; [admin] knows address",
              "f:8:3: admln: unknown key; did you mean admin?",
          });
}

TEST_CASE("a key with a line break in its name still makes one line", "[config]") {
    const Value root = document("\"a\\nb\" = 1\n");
    Reading reading("");
    Table table(reading, &root, "");
    table.finish();
    const Lines lines = said(reading);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find('\n') == std::string::npos);
}
