// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/log.h"

using namespace knuckle;

namespace {

std::vector<std::string> g_lines;

// Collects the lines that a test logs.
struct Collected {
    Collected() {
        g_lines.clear();
        log::set_sink([](std::string_view line) { g_lines.emplace_back(line); });
    }
    ~Collected() {
        log::set_sink([](std::string_view) {});
        log::set_level(log::Level::info);
    }
    // The one line logged since the last call.
    std::string line() {
        REQUIRE(g_lines.size() == 1);
        std::string text = g_lines.front();
        g_lines.clear();
        return text;
    }
};

}  // namespace

TEST_CASE("an event is one line of names and values, with journald's priority", "[base][log]") {
    Collected log;
    log::error("bad");
    CHECK(log.line() == "<3>event=bad\n");
    log::warning("provider_unreachable").field("app", "chat").field("error", "connection refused");
    CHECK(log.line() == "<4>event=provider_unreachable app=chat error=\"connection refused\"\n");
    log::notice("started").field("workers", uint64_t{4});
    CHECK(log.line() == "<5>event=started workers=4\n");
    log::info("accepted").field("count", UINT64_MAX);
    CHECK(log.line() == "<6>event=accepted count=18446744073709551615\n");
}

TEST_CASE("lines less urgent than the level are dropped", "[base][log]") {
    Collected log;
    log::debug("quiet").field("a", "b");
    CHECK(g_lines.empty());
    log::set_level(log::Level::debug);
    log::debug("loud");
    CHECK(log.line() == "<7>event=loud\n");
    log::set_level(log::Level::error);
    log::warning("dropped");
    CHECK(g_lines.empty());
    log::error("kept");
    CHECK(log.line() == "<3>event=kept\n");
}

TEST_CASE("a value is quoted when a reader could mistake it", "[base][log]") {
    struct Case {
        std::string_view value, written;
    };
    const Case cases[] = {
        {"plain", "plain"},
        {"/a/b.c:1-2_3", "/a/b.c:1-2_3"},
        {"\xc3\xa4", "\xc3\xa4"},
        {"", "\"\""},
        {"two words", "\"two words\""},
        {"a=b", "\"a=b\""},
        {"say \"hi\"", "\"say \\\"hi\\\"\""},
        {"back\\slash", "\"back\\\\slash\""},
        {"tab\there", "\"tab here\""},
        // Nobody forges a second line.
        {"x\n<0>event=forged", "\"x <0>event=forged\""},
        {"\x1b[31m\x7f", "\" [31m \""},
    };
    Collected log;
    for (const Case& c : cases) {
        log::info("e").field("v", c.value).field("next", "1");
        CHECK(log.line() == "<6>event=e v=" + std::string(c.written) + " next=1\n");
    }
}

TEST_CASE("a long value is cut", "[base][log]") {
    Collected log;
    log::info("e").field("v", std::string(257, 'x')).field("next", "1");
    CHECK(log.line() == "<6>event=e v=" + std::string(256, 'x') + " next=1\n");
    log::info("e").field("v", std::string(256, 'x'));
    CHECK(log.line() == "<6>event=e v=" + std::string(256, 'x') + "\n");
    log::info("e").field("v", std::string(300, '"')).field("next", "1");
    std::string escaped;
    for (int i = 0; i < 256; ++i) escaped += "\\\"";
    CHECK(log.line() == "<6>event=e v=\"" + escaped + "\" next=1\n");
}

TEST_CASE("a long line is cut and still ends", "[base][log]") {
    Collected log;
    {
        log::Line line = log::info("e");
        for (int i = 0; i < 20; ++i) line.field("v", std::string(200, 'x'));
    }
    const std::string text = log.line();
    CHECK(text.size() == 1024);
    CHECK(text.ends_with("x\n"));
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
}

TEST_CASE("an error is written with its detail", "[base][log]") {
    Collected log;
    log::error("e").field("error", fail(Errc::system, "cannot open", 13));
    CHECK(log.line() == "<3>event=e error=\"cannot open\" detail=13\n");
    log::error("e").field("error", fail(Errc::storage, "map full", -30792));
    CHECK(log.line() == "<3>event=e error=\"map full\" detail=-30792\n");
    log::error("e").field("error", fail(Errc::limit, "full"));
    CHECK(log.line() == "<3>event=e error=full\n");
    log::error("e").field("error", fail(Errc::system, "odd", INT32_MIN));
    CHECK(log.line() == "<3>event=e error=odd detail=-2147483648\n");
}
