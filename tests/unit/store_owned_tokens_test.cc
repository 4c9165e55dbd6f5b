// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/random.h"
#include "store/lmdb_env.h"
#include "store/owned_tokens.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

// The lists within one transaction that is thrown away.
struct Lists {
    Shelf shelf;
    Transaction txn = shelf.begin_write();
    Rows rows{txn.get(), shelf.env().state()};
    OwnedTokens owned{rows};

    [[nodiscard]] bool remove(const DeviceRef& ref, const std::vector<LookupHash>& tokens) {
        return owned.remove(ref, tokens).has_value();
    }
    size_t rows_of(const DeviceRef& ref) { return must(rows.list(owned_by(ref))).size(); }
    std::set<LookupHash> tokens_of(const DeviceRef& ref) {
        std::set<LookupHash> tokens;
        for (const RowKey& key : must(rows.list(owned_by(ref)))) {
            const auto hashes = decode_owned(must(rows.get(key)).value());
            REQUIRE(hashes);
            tokens.insert(hashes->begin(), hashes->end());
        }
        return tokens;
    }
};

LookupHash hash_of(size_t number) {
    LookupHash hash{};
    hash[0] = static_cast<uint8_t>(number);
    hash[1] = static_cast<uint8_t>(number >> 8);
    return hash;
}

const Uuid kAnna = id_of("anna");
const DeviceRef kPhone{kAnna, id_of("phone")};
const DeviceRef kTablet{kAnna, id_of("tablet")};

}  // namespace

TEST_CASE("An account's tokens are counted, over all its devices", "[store][owned_tokens]") {
    Lists lists;
    CHECK(must(lists.owned.count(kAnna)) == 0U);
    for (size_t i = 0; i < 3; ++i) REQUIRE(must(lists.owned.add(kPhone, hash_of(i))));
    for (size_t i = 3; i < 5; ++i) REQUIRE(must(lists.owned.add(kTablet, hash_of(i))));
    REQUIRE(must(lists.owned.add({id_of("bob"), kPhone.device}, hash_of(9))));
    CHECK(must(lists.owned.count(kAnna)) == 5U);
    CHECK(lists.tokens_of(kTablet) == std::set{hash_of(3), hash_of(4)});

    REQUIRE(lists.remove(kPhone, {hash_of(3)}));  // the tablet's: not there
    CHECK(must(lists.owned.count(kAnna)) == 5U);
    REQUIRE(lists.remove(kPhone, {hash_of(0)}));
    CHECK(must(lists.owned.count(kAnna)) == 4U);

    CHECK(must(lists.owned.take(kTablet)).size() == 2);
    CHECK(must(lists.owned.count(kAnna)) == 2U);
    CHECK(must(lists.owned.take(kAnna)).size() == 2);
    CHECK(must(lists.owned.count(kAnna)) == 0U);
    CHECK(must(lists.rows.list(tally_key(kAnna))).empty());
    CHECK(must(lists.owned.count(id_of("bob"))) == 1U);
}

TEST_CASE("Long lists stay dense and lose nothing, in whatever order tokens come and go",
          "[store][owned_tokens]") {
    Lists lists;
    Random random(31);
    std::set<LookupHash> expected;
    std::vector<LookupHash> order;
    for (size_t number = 0; number < 2'000; ++number) {
        if (order.empty() || random.below(100) < 60) {
            const LookupHash hash = hash_of(number);
            REQUIRE(must(lists.owned.add(kPhone, hash)));
            expected.insert(hash);
            order.push_back(hash);
        } else {
            const size_t at = random.below(order.size());
            REQUIRE(lists.remove(kPhone, {order[at]}));
            expected.erase(order[at]);
            order.erase(order.begin() + static_cast<ptrdiff_t>(at));
        }
        REQUIRE(must(lists.owned.count(kAnna)) == expected.size());
        REQUIRE(lists.rows_of(kPhone) == (expected.size() + kOwnedPerRow - 1) / kOwnedPerRow);
    }
    CHECK(lists.tokens_of(kPhone) == expected);
    while (!order.empty()) {
        REQUIRE(lists.remove(kPhone, {order.back()}));
        order.pop_back();
    }
    CHECK(must(lists.rows.list(tally_key(kAnna))).empty());
}

TEST_CASE("Many tokens of a device go at once, wherever they stand in its list",
          "[store][owned_tokens]") {
    Random random(32);
    for (const size_t count : {1, 31, 32, 33, 64, 500}) {
        for (const uint64_t percent : {1, 30, 70, 100}) {
            Lists lists;
            std::set<LookupHash> expected;
            std::vector<LookupHash> gone = {hash_of(9'999)};  // was never there
            for (size_t number = 0; number < count; ++number) {
                REQUIRE(must(lists.owned.add(kPhone, hash_of(number))));
                if (random.below(100) < percent) {
                    gone.push_back(hash_of(number));
                } else {
                    expected.insert(hash_of(number));
                }
            }
            std::ranges::reverse(gone);
            REQUIRE(lists.remove(kPhone, gone));
            CHECK(lists.tokens_of(kPhone) == expected);
            CHECK(must(lists.owned.count(kAnna)) == expected.size());
            CHECK(lists.rows_of(kPhone) == (expected.size() + kOwnedPerRow - 1) / kOwnedPerRow);
        }
    }
}

TEST_CASE("Damaged lists are left alone and do not stop new tokens", "[store][owned_tokens]") {
    Lists lists;
    for (size_t i = 0; i < 40; ++i) REQUIRE(must(lists.owned.add(kPhone, hash_of(i))));
    SECTION("the last part") {
        REQUIRE(lists.rows.put(owned_key(kPhone, 1), as_bytes("nonsense")));
        REQUIRE(must(lists.owned.add(kPhone, hash_of(100))));
        REQUIRE(lists.remove(kPhone, {hash_of(5)}));
        REQUIRE(lists.remove(kPhone, {hash_of(35)}));  // lost with its row
        CHECK(must(lists.owned.take(kPhone)).size() == 32);
        CHECK(lists.rows_of(kPhone) == 0);
    }
    SECTION("the last part, when gaps before it are filled") {
        for (size_t i = 40; i < 70; ++i) REQUIRE(must(lists.owned.add(kPhone, hash_of(i))));
        REQUIRE(lists.rows.put(owned_key(kPhone, 2), as_bytes("nonsense")));
        REQUIRE(lists.remove(kPhone, {hash_of(1), hash_of(2), hash_of(63), hash_of(65)}));
        CHECK(must(lists.rows.get(owned_key(kPhone, 2))).has_value());
        CHECK(must(lists.owned.take(kPhone)).size() == 61);
    }
    SECTION("the first part") {
        REQUIRE(lists.rows.put(owned_key(kPhone, 0), as_bytes("nonsense")));
        REQUIRE(must(lists.owned.add(kPhone, hash_of(100))));
        REQUIRE(lists.remove(kPhone, {hash_of(33)}));
        CHECK(must(lists.owned.take(kPhone)).size() == 8);
    }
    SECTION("the tally") {
        REQUIRE(lists.rows.put(tally_key(kAnna), as_bytes("nonsense")));
        CHECK(must(lists.owned.count(kAnna)) == 40U);
        REQUIRE(must(lists.owned.add(kPhone, hash_of(100))));
        CHECK(must(lists.owned.count(kAnna)) == 41U);
    }
    SECTION("a tally that is too low") {
        REQUIRE(lists.rows.put(tally_key(kAnna), encode_count(1)));
        CHECK(must(lists.owned.take(kPhone)).size() == 40);
        CHECK(must(lists.owned.count(kAnna)) == 0U);
    }
    SECTION("a part whose number is the highest there is") {
        const std::vector<LookupHash> full(kOwnedPerRow, hash_of(1));
        REQUIRE(lists.rows.put(owned_key(kPhone, kOwnedPartsMax), encode_owned(full)));
        CHECK(must(lists.owned.add(kPhone, hash_of(100))) == false);
    }
    CHECK(lists.owned.take(kAnna));
    CHECK(must(lists.rows.list(tally_key(kAnna))).empty());
}
