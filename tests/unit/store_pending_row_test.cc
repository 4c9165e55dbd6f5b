// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "store/pending_row.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

const Device kPhone = a_device(an_account("anna"), "phone");

Pending seen(uint64_t serial) { return a_pending(kPhone, serial); }
Pending unseen(uint64_t serial) {
    Pending pending = a_pending(kPhone, serial);
    pending.is_background = true;
    return pending;
}

// The row of one phone, while pushes come and are settled.
struct PhoneRow {
    PhoneRow& put(const Pending& pending) {
        row = row ? row_after(*row, PutPending{pending}) : pending;
        return *this;
    }
    PhoneRow& settle(const Pending& pending) {
        if (row) {
            row = row_after(*row,
                            ClearPending{.account = pending.account,
                                         .device = pending.device,
                                         .serial = pending.serial,
                                         .is_background = pending.is_background});
        }
        return *this;
    }
    // What would go out after a crash; empty: nothing.
    [[nodiscard]] std::string payload() const { return row ? row->payload : ""; }

    std::optional<Pending> row;
};

}  // namespace

TEST_CASE("of two pushes of a kind the newer has the row", "[store][pending]") {
    for (const auto& kind : {seen, unseen}) {
        PhoneRow phone;
        phone.put(kind(5)).put(kind(4));
        CHECK(phone.row == kind(5));
        phone.put(kind(7)).settle(kind(5));
        CHECK(phone.row == kind(7));
        phone.settle(kind(7));
        CHECK_FALSE(phone.row);
    }
}

TEST_CASE("a push that is seen outlives one that is not on disk", "[store][pending]") {
    PhoneRow phone;
    phone.put(seen(5)).put(unseen(6));
    CHECK(phone.payload() == seen(5).payload);
    CHECK(phone.row->push == seen(5).push);
    CHECK(phone.row->expires == unseen(6).expires);
    SECTION("which is settled first") {
        phone.settle(unseen(6));
        CHECK(phone.payload() == seen(5).payload);
        phone.settle(seen(5));
        CHECK_FALSE(phone.row);
    }
    SECTION("and the other one outlives it: it may have been on its way before") {
        phone.settle(seen(5));
        CHECK(phone.payload() == seen(5).payload);
        phone.settle(unseen(6));
        CHECK_FALSE(phone.row);
    }
    SECTION("until it is settled, whatever else comes that nobody sees") {
        phone.put(unseen(8)).settle(unseen(6)).settle(unseen(8));
        CHECK(phone.payload() == seen(5).payload);
        phone.settle(seen(5));
        CHECK_FALSE(phone.row);
    }
    SECTION("and when both have become one push that push has the row") {
        phone.settle(seen(6));
        CHECK_FALSE(phone.row);
    }
    SECTION("but not a newer one that is seen") {
        phone.put(seen(7));
        CHECK(phone.row == seen(7));
    }
}

TEST_CASE("what is seen has the row, even if what is not goes out later", "[store][pending]") {
    PhoneRow phone;
    phone.put(unseen(9)).put(seen(5));
    CHECK(phone.payload() == seen(5).payload);
    CHECK_FALSE(phone.row->is_background);
    SECTION("settled in their order") { phone.settle(seen(5)).settle(unseen(9)); }
    SECTION("settled the other way round") {
        phone.settle(unseen(9));
        CHECK(phone.payload() == seen(5).payload);
        phone.settle(seen(5));
    }
    SECTION("and a newer one that is seen has it then") {
        phone.put(seen(7)).settle(seen(5)).settle(unseen(9));
        CHECK(phone.payload() == seen(7).payload);
        phone.settle(seen(7));
    }
    SECTION("and so has a newer one, when the first is settled") {
        phone.settle(seen(5)).put(seen(7));
        CHECK(phone.payload() == seen(7).payload);
        phone.settle(unseen(9)).settle(seen(7));
    }
    SECTION("or one that is not seen either, when the first is settled") {
        phone.settle(seen(5)).put(unseen(10));
        CHECK(phone.row == unseen(10));
        phone.settle(unseen(9)).settle(unseen(10));
    }
    CHECK_FALSE(phone.row);
}

TEST_CASE("a push that nobody will see any more has no row to rely on", "[store][pending]") {
    Pending late = unseen(6);
    late.accepted = seen(5).expires;
    PhoneRow phone;
    phone.put(seen(5)).put(late);
    CHECK(phone.row == late);
}

// Whatever comes in whatever order: while a push that is seen is not settled, and no newer one of
// its kind is there, something that is seen is on disk; and in the end nothing is.
TEST_CASE("the row lives as long as a push needs it, and no longer", "[store][pending]") {
    const std::vector<Pending> pushes = {seen(2), unseen(3), seen(4), unseen(5)};
    // Each push is put once and settled once; the steps are its number, twice.
    std::vector<size_t> steps = {0, 0, 1, 1, 2, 2, 3, 3};
    do {
        PhoneRow phone;
        std::vector<int> done(pushes.size());
        for (const size_t step : steps) {
            if (++done[step] == 1) {
                phone.put(pushes[step]);
            } else {
                phone.settle(pushes[step]);
            }
            const auto waits = [&](size_t push) { return done[push] == 1; };
            const bool has_newer_been_settled = done[2] == 2;
            const bool must_be_seen = waits(2) || (waits(0) && done[2] == 0);
            if (must_be_seen && !has_newer_been_settled) {
                REQUIRE(phone.row);
                REQUIRE_FALSE(phone.row->is_background);
            }
            const bool has_any = waits(0) || waits(1) || waits(2) || waits(3);
            if (!has_any) REQUIRE_FALSE(phone.row);
        }
    } while (std::ranges::next_permutation(steps).found);
}
