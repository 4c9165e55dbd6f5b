// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <catch_amalgamated.hpp>

#include "store/rows.h"
#include "store/schema.h"
#include "store/sweep.h"
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

// A token as versions 1 to 5 wrote it, with microseconds.
ByteView record_of_version_5(const Token& token, PlainBytes& storage) {
    FieldWriter fields(storage);
    fields.uuid(token.account)
        .uuid(token.device)
        .time(token.expires)
        .time(token.created)
        .byte(static_cast<uint8_t>(static_cast<uint8_t>(token.kind) | (token.has_name ? 0x10 : 0)))
        .packed(token.text, kTokenTextMax);
    if (token.has_name) fields.text(token.name, kNameMax);
    return fields.bytes();
}

RowKey key_of(const Token& token) {
    return hashed_key(Table::tokens, Vault(some_keys()).hash(Table::tokens, "chat", token.text));
}

void put_as_version_5(Shelf& shelf, Rows& rows, const std::vector<Token>& tokens) {
    Vault vault(some_keys());
    for (const Token& token : tokens) {
        const RowKey key = key_of(token);
        PlainBytes plain;
        SealedBytes sealed;
        std::string value(as_text(encode_expiry(token.expires)));
        value += as_text(
            vault.seal(key.view(), record_of_version_5(token, plain), shelf.random(), sealed));
        REQUIRE(rows.put(key, as_bytes(value)));
    }
}

// These tokens of the shelf, and its version, as version 5 would have left them.
void turn_into_version_5(Shelf& shelf, const std::vector<Token>& tokens) {
    shelf.tamper([&](Rows& rows) {
        put_as_version_5(shelf, rows, tokens);
        REQUIRE(rows.put(RowKey(Table::format), encode_format(5)));
    });
}

// The database of the shelf as version 1 would have left it; closed.
void turn_into_version_1(Shelf& shelf,
                         const std::vector<Account>& accounts,
                         const std::vector<Token>& tokens = {}) {
    shelf.tamper([&](Rows& rows) {
        put_as_version_5(shelf, rows, tokens);
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

Token token_of(Shelf& shelf, const Token& token) {
    Token found;
    REQUIRE(shelf.snapshot().find_token("chat", token.text, found) == Lookup::found);
    return found;
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
    turn_into_version_1(shelf, {anna, bob}, {token});

    REQUIRE(open_on(shelf, kUpgradeDay));
    shelf.open();
    CHECK(version_of(shelf) == kSchemaVersion);
    anna.seen = bob.seen = kUpgradeDay;
    CHECK(shelf.account("anna") == anna);
    CHECK(shelf.account("bob", "zom") == bob);
    CHECK(shelf.devices_of(anna) == std::vector{phone});
    CHECK(token_of(shelf, token) == token);
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

TEST_CASE("The tokens of a version 5 keep all but the parts of a second, and end no earlier",
          "[store][upgrade]") {
    Shelf shelf;
    const Device phone = shelf.has(a_device(shelf.has(an_account("anna")), "phone"));
    Token whole = shelf.has(a_token(phone, "for bob"));
    Token parts = shelf.has(a_token(phone, "for carol"));
    Token nameless = a_token(phone, "for dora");
    nameless.name.clear();
    nameless.has_name = false;
    nameless.text = "Not Hexadecimal";
    shelf.has(nameless);
    Token wrong = shelf.has(a_token(phone, "by a clock that was wrong"));
    parts.created = kNoon;
    parts.expires = kNoon + hours(24);
    wrong.created = {-1};
    wrong.expires = {INT64_MAX};
    turn_into_version_5(shelf, {whole, parts, nameless, wrong});
    shelf.reopen();

    CHECK(version_of(shelf) == kSchemaVersion);
    CHECK(token_of(shelf, whole) == whole);
    CHECK(token_of(shelf, nameless) == nameless);
    parts.created = second_before(kNoon);
    parts.expires = second_after(kNoon + hours(24));
    CHECK(token_of(shelf, parts) == parts);
    wrong.created = {};
    wrong.expires = kTokenTimeMax;
    CHECK(token_of(shelf, wrong) == wrong);
    CHECK(shelf.reader().damaged_count() == 0);
    parts.name = "for everybody";
    CHECK(shelf.write(UpdateToken{"chat", parts}) == WriteStatus::done);
    CHECK(token_of(shelf, parts) == parts);
    // The sweep finds them when they have ended.
    Sweep sweep(shelf.env(), shelf.committer(), hours(24 * 400));
    CHECK(must(sweep.step({.instant = {}, .unix = kNoon + hours(25)})));
    CHECK(shelf.look_up(parts) == Lookup::absent);
    CHECK(shelf.look_up(whole) == Lookup::found);
}

TEST_CASE("More tokens than are read at a time are all upgraded", "[store][upgrade]") {
    const auto count = static_cast<size_t>(GENERATE(999, 1'000, 1'001, 2'500));
    Shelf shelf;
    const Device phone = shelf.has(a_device(shelf.has(an_account("anna")), "phone"));
    std::vector<Token> tokens;
    std::vector<Change> changes;
    for (size_t i = 0; i < count; ++i) {
        tokens.push_back(a_token(phone, std::to_string(i)));
        changes.emplace_back(CreateToken{"chat", tokens.back(), 10'000});
    }
    shelf.write_many(std::move(changes));
    turn_into_version_5(shelf, tokens);
    shelf.reopen();
    CHECK(std::ranges::all_of(tokens,
                              [&](const Token& token) { return token_of(shelf, token) == token; }));
}

TEST_CASE("A damaged token does not stop an upgrade, and stays damaged", "[store][upgrade]") {
    Shelf shelf;
    const Device phone = shelf.has(a_device(shelf.has(an_account("anna")), "phone"));
    const Token sound = shelf.has(a_token(phone, "for bob"));
    const Token nonsense = shelf.has(a_token(phone, "for carol"));
    const Token tiny = shelf.has(a_token(phone, "for dora"));
    const Token cut = shelf.has(a_token(phone, "for eve"));
    const Token strange = shelf.has(a_token(phone, "for frank"));
    turn_into_version_5(shelf, {sound});
    shelf.tamper([&](Rows& rows) {
        const auto put_sealed = [&](const Token& token, const std::string& plain) {
            const RowKey key = key_of(token);
            SealedBytes sealed;
            const ByteView secret =
                Vault(some_keys()).seal(key.view(), as_bytes(plain), shelf.random(), sealed);
            REQUIRE(rows.put(key, as_bytes("1234" + std::string(as_text(secret)))));
        };
        REQUIRE(rows.put(key_of(nonsense), as_bytes("nonsense that does not open")));
        REQUIRE(rows.put(key_of(tiny), as_bytes("x")));
        put_sealed(cut, std::string(40, 'x'));
        put_sealed(strange, std::string(60, 'x'));
        REQUIRE(rows.put(RowKey(Table::tokens).add(as_bytes(std::string(kKeyMax - 1, 'k'))),
                         as_bytes("a key that is none of ours")));
    });
    shelf.reopen();
    CHECK(version_of(shelf) == kSchemaVersion);
    CHECK(token_of(shelf, sound) == sound);
    for (const Token& token : {nonsense, tiny, cut, strange}) {
        CHECK(shelf.look_up(token) == Lookup::damaged);
    }
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
