// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "store/owned_tokens.h"
#include "store/rows.h"
#include "store/schema.h"
#include "store/sweep.h"
#include "store/vault.h"
#include "tests/support/full_disk.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

constexpr Duration kDay = hours(24);
constexpr Duration kLifetime = kDay * 400;

// A shelf that is swept. Anna made her account at noon and has a phone.
struct Swept {
    Shelf shelf;
    Sweep sweep{shelf.env(), shelf.committer(), kLifetime};
    Account anna = shelf.has(an_account("anna"));
    Device phone = shelf.has(a_device(anna, "phone"));

    [[nodiscard]] bool step(UnixTime now) { return must(sweep.step({.instant = {}, .unix = now})); }
    // A whole round; returns in how many steps.
    size_t round(UnixTime now) {
        size_t steps = 1;
        while (step(now)) ++steps;
        return steps;
    }
    Token token(const Device& device, const std::string& name, Duration lifetime) {
        Token token = a_token(device, name);
        set_lifetime(token, kNoon, lifetime);
        return shelf.has(token);
    }
    // Many, in few commits; their names are numbers.
    std::vector<Token> tokens(const Device& device, size_t count, Duration lifetime) {
        std::vector<Token> tokens;
        std::vector<Change> changes;
        for (size_t i = 0; i < count; ++i) {
            tokens.push_back(a_token(device, device.name + std::to_string(i)));
            set_lifetime(tokens.back(), kNoon, lifetime);
            changes.push_back(CreateToken{"chat", tokens.back(), 1'000'000});
        }
        shelf.write_many(std::move(changes));
        return tokens;
    }
    size_t count_there(const std::vector<Token>& tokens) {
        return static_cast<size_t>(std::ranges::count_if(
            tokens, [this](const Token& token) { return shelf.look_up(token) == Lookup::found; }));
    }
    uint32_t tally_of(const Account& account) {
        Transaction txn = shelf.begin_write();
        Rows rows(txn.get(), shelf.env().state());
        return must(OwnedTokens(rows).count(account.id));
    }
    // Rows of any table whose key begins with the account's id.
    size_t rows_of(const Account& account) {
        const Transaction txn = shelf.begin_read();
        Rows rows(txn.get(), shelf.env().state());
        size_t count = 0;
        for (const Table table : {Table::accounts,
                                  Table::devices,
                                  Table::owned_tokens,
                                  Table::pending,
                                  Table::latest_feedback}) {
            count += must(rows.list(RowKey(table).add(account.id.view()))).size();
        }
        return count;
    }
    RowKey key_of(const Token& token) {
        Vault vault(some_keys());
        return hashed_key(Table::tokens, vault.hash(Table::tokens, "chat", token.text));
    }
    // Changes one byte of a row's value.
    void damage(const RowKey& key, size_t at) {
        shelf.tamper([&](Rows& rows) {
            const ByteView value = must(rows.get(key)).value();
            std::string bytes(as_text(value));
            bytes[at < bytes.size() ? at : bytes.size() - 1] ^= 1;
            REQUIRE(rows.put(key, as_bytes(bytes)));
        });
    }
};

}  // namespace

TEST_CASE("An empty database has nothing to sweep", "[store][sweep]") {
    Shelf shelf;
    Sweep sweep(shelf.env(), shelf.committer(), kLifetime);
    const Now now{.instant = {}, .unix = kNoon};
    for (int round = 0; round < 3; ++round) {
        CHECK(must(sweep.step(now)) == true);  // the tokens
        CHECK(must(sweep.step(now)) == true);  // the accounts
        CHECK(must(sweep.step(now)) == false);
    }
    CHECK(sweep.counts().tokens.get() + sweep.counts().accounts.get() == 0);
}

TEST_CASE("Tokens go when they have expired, not before", "[store][sweep]") {
    Swept swept;
    const Token early = swept.token(swept.phone, "for bob", kDay);
    const Token late = swept.token(swept.phone, "for carol", kDay * 2);
    swept.round(kNoon + (kDay - microseconds(1)));
    CHECK(swept.shelf.look_up(early) == Lookup::found);

    swept.round(kNoon + kDay + seconds(1));
    CHECK(swept.shelf.look_up(early) == Lookup::absent);
    CHECK(swept.shelf.look_up(late) == Lookup::found);
    CHECK(swept.shelf.tokens_of(swept.anna) == std::vector<std::string>{"for carol"});
    CHECK(swept.tally_of(swept.anna) == 1);
    CHECK(swept.sweep.counts().tokens.get() == 1);

    swept.round(kNoon + kDay * 3);
    CHECK(swept.shelf.tokens_of(swept.anna).empty());
    CHECK(swept.rows_of(swept.anna) == 2);  // the account and the phone
    CHECK(swept.sweep.counts().tokens.get() == 2);
    CHECK(swept.sweep.counts().accounts.get() == 0);
}

TEST_CASE("A token's expired place is free for another", "[store][sweep]") {
    Swept swept;
    swept.token(swept.phone, "for bob", kDay);
    const Token next = a_token(swept.phone, "for carol");
    REQUIRE(swept.shelf.write(CreateToken{"chat", next, 1}) == WriteStatus::over_quota);
    swept.round(kNoon + kDay * 2);
    CHECK(swept.shelf.write(CreateToken{"chat", next, 1}) == WriteStatus::done);
}

TEST_CASE("Feedback goes when it is old, the oldest first", "[store][sweep]") {
    Swept swept;
    std::vector<Device> phones;
    std::vector<Change> deaths;
    for (size_t i = 0; i < kFeedbackTrimMax + 3; ++i) {
        phones.push_back(a_device(swept.anna, std::to_string(i)));
        REQUIRE(swept.shelf.write(CreateDevice{phones.back(), 1'000}) == WriteStatus::done);
        deaths.emplace_back(a_death(phones.back(), kNoon + kDay));
    }
    std::get<MarkDeviceDead>(deaths.back()).noticed = kNoon + kDay * 2;
    swept.shelf.write_all(deaths);
    const UnixTime end = kNoon + kDay + kFeedbackLifetime;
    swept.round(end + microseconds(-1));
    CHECK(swept.shelf.feedback().size() == phones.size());

    swept.round(end);
    const auto left = swept.shelf.feedback();
    REQUIRE(left.size() == 1);
    CHECK(left.front().number == phones.size());
    CHECK(swept.sweep.counts().feedback.get() == phones.size() - 1);
    FeedbackPage page;
    CHECK(swept.shelf.snapshot().read_feedback(0, 10, page) == Lookup::found);
    CHECK(page.is_trimmed);

    swept.round(end + kDay);
    CHECK(swept.shelf.feedback().empty());
    CHECK(swept.rows_of(swept.anna) == 2 + phones.size());  // the account and its devices
}

TEST_CASE("A damaged event does not keep older ones from going", "[store][sweep][damage]") {
    Swept swept;
    const Device tablet = swept.shelf.has(a_device(swept.anna, "tablet"));
    swept.shelf.write_all({a_death(swept.phone), a_death(tablet)});
    swept.damage(feedback_key(1), 30);
    swept.round(kNoon + kFeedbackLifetime);
    CHECK(swept.shelf.feedback().empty());
}

TEST_CASE("An event from the future does not keep older ones from going", "[store][sweep]") {
    Swept swept;
    const Device tablet = swept.shelf.has(a_device(swept.anna, "tablet"));
    swept.shelf.write_all({a_death(swept.phone, kNoon + kDay * 10'000), a_death(tablet)});
    swept.round(kNoon + (kFeedbackLifetime - microseconds(1)));
    CHECK(swept.shelf.feedback().size() == 2);
    swept.round(kNoon + kFeedbackLifetime);
    CHECK(swept.shelf.feedback().empty());
}

TEST_CASE("Any number of events from the future does not keep older ones from going",
          "[store][sweep]") {
    Swept swept;
    std::vector<Change> phones;
    std::vector<Change> deaths;
    for (size_t i = 0; i < 2 * kFeedbackTrimMax - 100; ++i) {
        const Device phone = a_device(swept.anna, std::to_string(i));
        phones.emplace_back(CreateDevice{phone, 1'000});
        deaths.emplace_back(a_death(phone, kNoon + kDay * 10'000));
    }
    std::get<MarkDeviceDead>(deaths.back()).noticed = kNoon;
    for (const WriteStatus status : swept.shelf.write_all(phones))
        REQUIRE(status == WriteStatus::done);
    swept.shelf.write_all(deaths);
    swept.round(kNoon + (kFeedbackLifetime - microseconds(1)));
    CHECK(swept.shelf.feedback().size() == deaths.size());
    swept.round(kNoon + kFeedbackLifetime);
    CHECK(swept.shelf.feedback().empty());
}

TEST_CASE("A step looks at so much and erases so much, and no more", "[store][sweep]") {
    Swept swept;
    const Device tablet = swept.shelf.has(a_device(swept.anna, "tablet"));
    SECTION("many rows, none of them expired") {
        const auto tokens = swept.tokens(swept.phone, 2 * kSweepTokensMax + 1, kDay * 30);
        CHECK(swept.round(kNoon + kDay) == 3 + 1 + 1);
        CHECK(swept.count_there(tokens) == tokens.size());
    }
    SECTION("all expired, on two devices") {
        const auto on_phone = swept.tokens(swept.phone, kSweepErasedMax, kDay);
        const auto on_tablet = swept.tokens(tablet, kSweepErasedMax + 100, kDay);
        size_t there = on_phone.size() + on_tablet.size();
        while (there > 0) {
            REQUIRE(swept.step(kNoon + kDay * 2));
            const size_t rest = swept.count_there(on_phone) + swept.count_there(on_tablet);
            REQUIRE(there - rest == std::min(there, kSweepErasedMax));
            REQUIRE(swept.tally_of(swept.anna) == rest);
            there = rest;
        }
    }
    SECTION("many accounts, all of them idle") {
        std::vector<Change> changes;
        for (int i = 0; i < 450; ++i) {
            changes.push_back(CreateAccount{an_account(std::to_string(i))});
        }
        swept.shelf.write_all(std::move(changes));
        CHECK(swept.round(kNoon + kLifetime + kDay) == 1 + 451 / kSweepErasedMax + 1 + 1);
        CHECK(swept.sweep.counts().accounts.get() == 451);
    }
}

TEST_CASE("Clients write between the steps of a round", "[store][sweep]") {
    Swept swept;
    const auto tokens = swept.tokens(swept.phone, 3 * kSweepErasedMax, kDay);
    const UnixTime later = kNoon + kDay * 2;
    REQUIRE(swept.step(later));
    // Some of those that the next steps would have erased, and the one the cursor stands on, too.
    std::vector<Token> rest;
    for (const Token& token : tokens) {
        if (swept.shelf.look_up(token) != Lookup::found) continue;
        if (rest.size() < 1'000 && swept.shelf.write(DeleteToken{
                                       "chat", swept.anna.id, token.text}) == WriteStatus::done) {
            rest.push_back(token);
        }
    }
    const Token renewed = swept.token(swept.phone, "for bob", kDay * 30);
    const Account bob = swept.shelf.has(an_account("bob"));
    swept.round(later);
    CHECK(swept.count_there(tokens) == 0);
    CHECK(swept.shelf.tokens_of(swept.anna) == std::vector<std::string>{renewed.name});
    CHECK(swept.shelf.account("bob") == bob);
}

TEST_CASE("An account goes with all that is its own when nobody has used it for its lifetime",
          "[store][sweep]") {
    Swept swept;
    const Account bob = swept.shelf.has(an_account("bob"));
    const Device tablet = swept.shelf.has(a_device(bob, "tablet"));
    swept.token(swept.phone, "for bob", kDay * 30);
    swept.shelf.has(a_pending(swept.phone, 1));
    swept.token(tablet, "for anna", kDay * 30);
    REQUIRE(swept.shelf.write(TouchAccount{bob.id, kNoon + kDay * 100}) == WriteStatus::done);

    // A day more, because when it was used last is only known to the day.
    swept.round(kNoon + kLifetime + (kDay - microseconds(1)));
    CHECK(swept.shelf.account("anna"));
    swept.round(kNoon + kLifetime + kDay);
    CHECK_FALSE(swept.shelf.account("anna"));
    CHECK(swept.rows_of(swept.anna) == 0);
    Account found;
    CHECK(swept.shelf.snapshot().find_account_by_auth("chat", swept.anna.auth_token, found) ==
          Lookup::absent);
    CHECK(swept.shelf.account("bob"));
    CHECK(swept.shelf.devices_of(bob).size() == 1);
    CHECK(swept.sweep.counts().accounts.get() == 1);

    swept.round(kNoon + kDay * 100 + kLifetime + kDay);
    CHECK_FALSE(swept.shelf.account("bob"));
    CHECK(swept.sweep.counts().accounts.get() == 2);
}

TEST_CASE("An account that is used while the sweep is on its way survives", "[store][sweep]") {
    Swept swept;
    const UnixTime later = kNoon + kLifetime + kDay;
    REQUIRE(swept.step(later));  // the tokens
    REQUIRE(swept.shelf.write(TouchAccount{swept.anna.id, later}) == WriteStatus::done);
    REQUIRE(swept.step(later));
    CHECK_FALSE(swept.step(later));  // the feedback
    CHECK(swept.shelf.account("anna"));
}

TEST_CASE("Being used is noted once a day, and never goes back", "[store][sweep]") {
    Swept swept;
    const auto seen_after = [&swept](Duration since_noon) {
        REQUIRE(swept.shelf.write(TouchAccount{swept.anna.id, kNoon + since_noon}) ==
                WriteStatus::done);
        return swept.shelf.account("anna")->seen - kNoon;
    };
    CHECK(seen_after(kSeenGrain - microseconds(1)) == Duration{});
    CHECK(seen_after(kSeenGrain) == kSeenGrain);
    CHECK(seen_after(kSeenGrain + hours(5)) == kSeenGrain);
    CHECK(seen_after(kDay * -50) == kSeenGrain);
    CHECK(seen_after(kDay * 7) == kDay * 7);
    CHECK(swept.shelf.write(TouchAccount{id_of("nobody"), kNoon}) == WriteStatus::not_found);
}

TEST_CASE("As long as a token lives, its account stays", "[store][sweep]") {
    Swept swept;  // made when lifetimes were others
    swept.token(swept.phone, "for bob", kLifetime * 2);
    swept.token(swept.phone, "for carol", kDay);
    swept.round(kNoon + kLifetime + kDay * 2);
    CHECK(swept.shelf.account("anna"));
    CHECK(swept.shelf.tokens_of(swept.anna) == std::vector<std::string>{"for bob"});
    swept.round(kNoon + kLifetime * 2 + seconds(1));
    CHECK_FALSE(swept.shelf.account("anna"));
    CHECK(swept.rows_of(swept.anna) == 0);
}

TEST_CASE("What does not open is counted and left as it is", "[store][sweep]") {
    Swept swept;
    const Account bob = swept.shelf.has(an_account("bob"));
    const Token broken = swept.token(swept.phone, "for bob", kDay);
    const Token lying = swept.token(swept.phone, "for carol", kDay * 30);
    const Token sound = swept.token(swept.phone, "for dora", kDay);
    swept.damage(swept.key_of(broken), SIZE_MAX);
    // In the clear it has expired, under its seal it has not.
    swept.shelf.tamper([&](Rows& rows) {
        std::string value(as_text(must(rows.get(swept.key_of(lying))).value()));
        value.replace(0, kExpirySize, as_text(encode_expiry(kNoon)));
        REQUIRE(rows.put(swept.key_of(lying), as_bytes(value)));
        REQUIRE(rows.put(RowKey(Table::tokens).add(as_bytes("short")), as_bytes("x")));
    });
    swept.damage(account_key(bob.id), SIZE_MAX);

    swept.round(kNoon + kDay * 2);
    CHECK(swept.shelf.look_up(broken) == Lookup::damaged);
    CHECK(swept.shelf.look_up(lying) == Lookup::found);
    CHECK(swept.shelf.look_up(sound) == Lookup::absent);
    CHECK(swept.tally_of(swept.anna) == 2);
    CHECK(swept.sweep.counts().damaged.get() == 4);
    CHECK(swept.sweep.counts().tokens.get() == 1);
    swept.round(kNoon + kDay * 2);
    CHECK(swept.sweep.counts().damaged.get() == 4);  // of the last round

    // A damaged token does not keep its account.
    swept.round(kNoon + kLifetime + kDay);
    CHECK_FALSE(swept.shelf.account("anna"));
    CHECK(swept.shelf.look_up(broken) == Lookup::absent);
}

TEST_CASE("A step that fails has erased nothing, and is made again", "[store][sweep][failure]") {
    Swept swept;
    const auto tokens = swept.tokens(swept.phone, kSweepErasedMax + 10, kDay);
    const Now later{.instant = {}, .unix = kNoon + kDay * 2};
    {
        const test::FullDisk disk;
        REQUIRE_FALSE(swept.sweep.step(later));
        REQUIRE_FALSE(swept.sweep.step(later));
    }
    CHECK(swept.count_there(tokens) == tokens.size());
    CHECK(swept.sweep.counts().tokens.get() == 0);
    swept.round(later.unix);
    CHECK(swept.count_there(tokens) == 0);
    CHECK(swept.tally_of(swept.anna) == 0);
    CHECK(swept.sweep.counts().tokens.get() == tokens.size());
}
