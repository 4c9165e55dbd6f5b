// SPDX-License-Identifier: GPL-3.0-or-later
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <catch_amalgamated.hpp>

#include "store/rows.h"
#include "store/schema.h"
#include "store/upgrade.h"
#include "store/vault.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

constexpr UnixTime kUpgradeDay = kNoon + hours(24 * 100);

// An account as version 1 wrote it, field by field.
ByteView record_of_version_1(const Account& account, PlainBytes& storage) {
    return FieldWriter(storage)
        .text(account.app, kNameMax)
        .text(account.username, kNameMax)
        .text(account.email, kNameMax)
        .text(account.password_hash, kPasswordHashMax)
        .packed(account.auth_token, kTokenTextMax)
        .time(account.created)
        .bytes();
}

// The database of the shelf as version 1 would have left it; closed.
void turn_into_version_1(Shelf& shelf, const std::vector<Account>& accounts) {
    shelf.tamper([&](Rows& rows) {
        Vault vault(some_keys());
        for (const Account& account : accounts) {
            const RowKey key = account_key(account.id);
            PlainBytes plain;
            SealedBytes sealed;
            const ByteView record = record_of_version_1(account, plain);
            REQUIRE(rows.put(key, vault.seal(key.view(), record, shelf.random(), sealed)));
        }
        REQUIRE(rows.put(RowKey(Table::format), encode_format(1)));
    });
    shelf.close();
}

Result<Env> open_on(const Shelf& shelf, UnixTime day) {
    return Env::open({.directory = shelf.directory().path(),
                      .keys = some_keys(),
                      .now = day,
                      .map_size = Shelf::kMapSize});
}

std::optional<uint32_t> version_of(Shelf& shelf) {
    const Transaction txn = shelf.begin_read();
    Rows rows(txn.get(), shelf.env().state());
    return decode_format(must(rows.get(RowKey(Table::format))).value());
}

}  // namespace

TEST_CASE("A database of version 1 keeps everything, and its accounts count as just seen",
          "[store][upgrade]") {
    Shelf shelf;
    Account anna = shelf.has(an_account("anna"));
    Account bob = shelf.has(an_account("bob", "zom"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const Token token = shelf.has(a_token(phone, "for bob"));
    const Pending pending = shelf.has(a_pending(phone, 1));
    turn_into_version_1(shelf, {anna, bob});

    REQUIRE(open_on(shelf, kUpgradeDay));
    shelf.open();
    CHECK(version_of(shelf) == kSchemaVersion);
    anna.seen = bob.seen = kUpgradeDay;
    CHECK(shelf.account("anna") == anna);
    CHECK(shelf.account("bob", "zom") == bob);
    CHECK(shelf.devices_of(anna) == std::vector{phone});
    CHECK(shelf.tokens_of(anna) == std::vector{token.name});
    CHECK(shelf.pending() == std::vector{pending});
    Account found;
    CHECK(shelf.snapshot().find_account_by_auth("chat", anna.auth_token, found) == Lookup::found);
    CHECK(shelf.reader().damaged_count() == 0);
}

TEST_CASE("A database is upgraded once", "[store][upgrade]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    turn_into_version_1(shelf, {anna});
    REQUIRE(open_on(shelf, kUpgradeDay));
    REQUIRE(open_on(shelf, kUpgradeDay + hours(24)));
    shelf.open();
    CHECK(shelf.account("anna")->seen == kUpgradeDay);
}

TEST_CASE("A damaged account does not stop an upgrade, and stays damaged", "[store][upgrade]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Account bob = shelf.has(an_account("bob"));
    shelf.tamper([&](Rows& rows) {
        REQUIRE(rows.put(account_key(bob.id), as_bytes("nonsense that does not open")));
    });
    turn_into_version_1(shelf, {anna});
    REQUIRE(open_on(shelf, kUpgradeDay));
    shelf.open();
    CHECK(shelf.account("anna")->seen == kUpgradeDay);
    Account found;
    CHECK(shelf.snapshot().find_account("chat", "bob", found) == Lookup::damaged);
}

TEST_CASE("A database of version 2 goes on, and reports what dies from then on",
          "[store][upgrade]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    shelf.tamper([](Rows& rows) { REQUIRE(rows.put(RowKey(Table::format), encode_format(2))); });
    shelf.reopen();
    CHECK(version_of(shelf) == kSchemaVersion);
    CHECK(shelf.account("anna") == anna);
    CHECK(shelf.feedback().empty());
    CHECK(shelf.write(a_death(phone)) == WriteStatus::done);
    CHECK(shelf.feedback().size() == 1);
}

TEST_CASE("A database of version 3 keeps what waits", "[store][upgrade]") {
    Shelf shelf;
    const Device phone = shelf.has(a_device(shelf.has(an_account("anna")), "phone"));
    const Pending pending = shelf.has(a_pending(phone, 1));
    shelf.tamper([](Rows& rows) { REQUIRE(rows.put(RowKey(Table::format), encode_format(3))); });
    shelf.reopen();
    CHECK(version_of(shelf) == kSchemaVersion);
    CHECK(shelf.pending() == std::vector{pending});
}

TEST_CASE("In a database of version 4 no device is proven yet", "[store][upgrade]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    shelf.tamper([](Rows& rows) { REQUIRE(rows.put(RowKey(Table::format), encode_format(4))); });
    shelf.reopen();
    CHECK(version_of(shelf) == kSchemaVersion);
    CHECK(shelf.devices_of(anna) == std::vector{phone});
    CHECK(shelf.write(MarkDeviceProven{anna.id, phone.id, phone.registered, ProvenIn::sandbox}) ==
          WriteStatus::done);
    CHECK(shelf.devices_of(anna).front().proven_in == ProvenIn::sandbox);
}

TEST_CASE("An upgrade for which there is no room leaves the old database as it was",
          "[store][upgrade][failure]") {
    Shelf shelf;
    std::vector<Account> accounts;
    for (int i = 0; i < 200; ++i) accounts.push_back(shelf.has(an_account(std::to_string(i))));
    turn_into_version_1(shelf, accounts);
    const size_t size = read_file(shelf.directory() / "data.mdb").size();
    EnvOptions small{.directory = shelf.directory().path(),
                     .keys = some_keys(),
                     .now = kUpgradeDay,
                     .map_size = size};
    const auto refused = Env::open(small);
    REQUIRE_FALSE(refused);
    CHECK(std::string(refused.error().what) == "the database has reached its largest size");
    REQUIRE(open_on(shelf, kUpgradeDay));
    shelf.open();
    for (const Account& account : accounts) {
        CHECK(shelf.account(account.username)->seen == kUpgradeDay);
    }
}
