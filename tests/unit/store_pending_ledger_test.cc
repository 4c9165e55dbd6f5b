// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "store/pending_ledger.h"

namespace knuckle::store {

namespace {

PendingLedger::Row row(size_t size, int64_t second) { return {size, from_unix_seconds(second)}; }

}  // namespace

TEST_CASE("The ledger has room for so many rows and so many bytes", "[store][pending]") {
    PendingLedger ledger({.rows_max = 2, .bytes_max = 100});
    CHECK(ledger.has_room(row(100, 1), {}));
    CHECK_FALSE(ledger.has_room(row(101, 1), {}));
    ledger.put(row(60, 1));
    CHECK_FALSE(ledger.has_room(row(41, 2), {}));
    ledger.put(row(40, 2));
    CHECK_FALSE(ledger.has_room(row(0, 3), {}));
    // What takes the place of another needs no room but for what it has more.
    CHECK(ledger.has_room(row(40, 3), row(40, 2)));
    CHECK_FALSE(ledger.has_room(row(41, 3), row(40, 2)));
    ledger.erase(row(40, 2));
    CHECK(ledger.has_room(row(40, 3), {}));
}

TEST_CASE("The ledger says what is on disk, not what might have been", "[store][pending]") {
    PendingLedger ledger(PendingLimits{});
    ledger.put(row(60, 1'000));
    ledger.put(row(40, 2'000));
    CHECK(ledger.counts().rows.get() == 0);
    ledger.keep();
    CHECK(ledger.counts().rows.get() == 2);
    CHECK(ledger.counts().bytes.get() == 100);
    CHECK(ledger.counts().oldest.get() == 1'000);

    ledger.erase(row(60, 1'000));
    ledger.put(row(10, 500));
    ledger.forget();
    ledger.keep();
    CHECK(ledger.counts().rows.get() == 2);
    CHECK(ledger.counts().bytes.get() == 100);
    CHECK(ledger.counts().oldest.get() == 1'000);

    ledger.erase(row(60, 1'000));
    ledger.keep();
    CHECK(ledger.counts().oldest.get() == 2'000);
    ledger.erase(row(40, 2'000));
    ledger.keep();
    CHECK(ledger.counts().rows.get() == 0);
    CHECK(ledger.counts().bytes.get() == 0);
    CHECK(ledger.counts().oldest.get() == 0);
}

TEST_CASE("A row whose age nobody knows counts, but not as the oldest", "[store][pending]") {
    PendingLedger ledger(PendingLimits{});
    ledger.put({.size = 10});
    ledger.put(row(10, 7));
    ledger.keep();
    CHECK(ledger.counts().rows.get() == 2);
    CHECK(ledger.counts().oldest.get() == 7);
    ledger.erase({.size = 10});
    ledger.erase(row(10, 7));
    ledger.erase(row(10, 7));  // one more than there was
    ledger.keep();
    CHECK(ledger.counts().rows.get() == 0);
    CHECK(ledger.counts().bytes.get() == 0);
}

}  // namespace knuckle::store
