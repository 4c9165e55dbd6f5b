// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <vector>

#include <catch_amalgamated.hpp>

#include "migrate/ledger.h"

using namespace knuckle::migrate;

TEST_CASE("Every row is counted, and the first skipped ones are named", "[migrate]") {
    Ledger ledger;
    ledger.note(Source::tokens, Fate::imported, 1);
    ledger.note(Source::tokens, Fate::already_there, 2);
    for (uint64_t line = 10; line < 20; ++line) ledger.note(Source::tokens, Fate::expired, line);
    ledger.note(Source::accounts, Fate::bad_value, 5);
    CHECK(ledger.rows() == 13);
    CHECK(ledger.rows(Source::tokens) == 12);
    CHECK(ledger.skipped(Source::tokens) == 10);
    CHECK(ledger.count(Source::tokens, Fate::expired) == 10);
    CHECK(std::ranges::equal(ledger.lines(Source::tokens, Fate::expired),
                             std::vector<uint64_t>{10, 11, 12, 13, 14}));
    CHECK(ledger.lines(Source::tokens, Fate::bad_value).empty());
}
