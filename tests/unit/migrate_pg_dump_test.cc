// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/random.h"
#include "migrate/pg_dump.h"
#include "tests/fuzz/migrate_dump_fuzz.cc"  // g++ has no fuzzer to link with, so it is compiled
#include "tests/support/corpus.h"
#include "tests/support/pg_dump_oracle.h"

using namespace knuckle;
using namespace knuckle::migrate;

namespace {

using Item = PgDump::Item;

// A dump in one piece, item by item.
struct Reading {
    explicit Reading(std::string_view given) : text(given) { dump.feed(as_bytes(text)); }

    Item next() {
        const auto item = dump.next();
        error = item ? "" : item.error().what;
        return item ? *item : Item::need_more;
    }
    [[nodiscard]] std::string field(size_t i) const {
        return std::string(dump.fields()[i].value_or("(null)"));
    }

    const std::string text;
    PgDump dump;
    std::string error;
};

std::string error_of(std::string_view text) {
    Reading reading(text);
    while (reading.next() != Item::need_more) {
    }
    return reading.error;
}

}  // namespace

TEST_CASE("The rows of every table come with the columns of their statement", "[migrate]") {
    Reading reading(
        "SET client_encoding = 'UTF8';\n"
        "COPY public.tokens_token (id, token, name) FROM stdin;\n"
        "17\t1daf13e0\t\\N\n"
        "18\t\ta\\tb\\nc\\\\d\\101\\x42\\q\n"
        "\\.\n\n"
        "COPY \"Odd\".\"a \"\"b\"\"\" (\"c d\") FROM stdin;\n\n\\.\n"
        "--\n-- PostgreSQL database dump complete\n--\n");
    REQUIRE(reading.next() == Item::table);
    CHECK(reading.dump.table() == "tokens_token");
    CHECK(std::ranges::equal(reading.dump.columns(), std::vector{"id", "token", "name"}));
    REQUIRE(reading.next() == Item::row);
    CHECK(reading.dump.line() == 3);
    CHECK(reading.field(0) == "17");
    CHECK(reading.field(1) == "1daf13e0");
    CHECK_FALSE(reading.dump.fields()[2]);
    REQUIRE(reading.next() == Item::row);
    CHECK(reading.field(1).empty());
    CHECK(reading.field(2) == "a\tb\nc\\dABq");
    CHECK(reading.next() == Item::end_of_table);
    REQUIRE(reading.next() == Item::table);
    CHECK(reading.dump.table() == "a \"b\"");
    CHECK(reading.dump.columns().front() == "c d");
    REQUIRE(reading.next() == Item::row);  // of one empty field
    CHECK(reading.next() == Item::end_of_table);
    CHECK(reading.next() == Item::need_more);
    CHECK(reading.dump.is_complete());
    CHECK(reading.dump.finish());
}

TEST_CASE("A line that cannot be read is named, and the next one can", "[migrate]") {
    const std::string too_long(kLineMax + 1, 'x');
    Reading reading("COPY x (a, b) FROM stdin;\n1\n1\t2\t3\n1\t2\\\n" + too_long +
                    "\t\n1\t2\n\\.\n");
    CHECK(reading.next() == Item::table);
    for (const uint64_t line : {2, 3, 4, 5}) {
        CHECK(reading.next() == Item::bad_row);
        CHECK(reading.dump.line() == line);
    }
    CHECK(reading.next() == Item::row);
    CHECK(reading.dump.line() == 6);
    CHECK(reading.next() == Item::end_of_table);
}

TEST_CASE("A table that is skipped looks like nothing inside", "[migrate]") {
    Reading reading(
        "COPY x (a) FROM stdin;\nCOPY y (a) FROM stdin;\n1\t2\n\\.\n"
        "COPY z (a) FROM stdin;\n");
    CHECK(reading.next() == Item::table);
    reading.dump.skip_table();
    CHECK(reading.next() == Item::end_of_table);
    CHECK(reading.next() == Item::table);
    CHECK(reading.dump.table() == "z");
    CHECK_FALSE(reading.dump.finish());
}

TEST_CASE("What is no plain dump in UTF-8 is refused", "[migrate]") {
    CHECK(error_of("PGDMP\1\n").find("custom format") != std::string::npos);
    CHECK(error_of("\x1f\x8b\x08\n").find("compressed") != std::string::npos);
    CHECK(error_of("--\nSET client_encoding = 'LATIN1';\n").find("UTF-8") != std::string::npos);
    CHECK(error_of("--\nSET client_encoding = 'SQL_ASCII';\n").empty());
    Reading inserts("INSERT INTO public.tokens_token (id) VALUES (1);\n");
    CHECK(inserts.next() == Item::insert);
    CHECK(inserts.dump.table() == "tokens_token");
}

TEST_CASE("Every input of the corpus gives the same in pieces", "[migrate][fuzz]") {
    const std::vector<std::string> corpus = test::read_corpus("migrate_dump");
    REQUIRE(corpus.size() > 10);
    for (const std::string& input : corpus) {
        INFO(input);
        CHECK(test::check_pg_dump(as_bytes(input)).empty());
    }
    CHECK(LLVMFuzzerTestOneInput(as_bytes(corpus.front()).data(), corpus.front().size()) == 0);
}

TEST_CASE("So do thousands of mutations of it", "[migrate][fuzz]") {
    constexpr std::string_view kScraps[] = {"\\",
                                            "\t",
                                            "\n",
                                            "\\.\n",
                                            "\\N",
                                            "\r\n",
                                            "\"",
                                            "COPY x (a) FROM stdin;\n",
                                            "(",
                                            "\\x",
                                            "\xff"};
    const std::vector<std::string> corpus = test::read_corpus("migrate_dump");
    Random random(1);
    for (size_t round = 0; round < 3'000; ++round) {
        std::string input = corpus[random.below(corpus.size())];
        for (size_t changes = 1 + random.below(3); changes > 0; --changes) {
            const size_t at = random.below(input.size() + 1);
            if (random.below(2) == 0) {
                input.insert(at, kScraps[random.below(std::size(kScraps))]);
            } else {
                input.erase(at, 1 + random.below(8));
            }
        }
        const std::string complaint = test::check_pg_dump(as_bytes(input));
        if (complaint.empty()) continue;
        INFO("round " << round << ": " << complaint << "\n" << input);
        FAIL_CHECK();
    }
}
