// SPDX-License-Identifier: GPL-3.0-or-later
#include <cstdlib>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "store/lmdb_env.h"
#include "store/rows.h"
#include "store/schema.h"
#include "store/vault.h"
#include "tests/support/store_shelf.h"

// Every allocation of the process is counted, LMDB's and the crypto library's too. A sanitizer has
// its own malloc, which is left alone.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define KNUCKLE_COUNTS_ALLOCATIONS 1
namespace {
size_t g_allocations = 0;
}
extern "C" {
void* __libc_malloc(size_t size);                 // NOLINT
void* __libc_calloc(size_t count, size_t size);   // NOLINT
void* __libc_realloc(void* memory, size_t size);  // NOLINT
void* malloc(size_t size) {
    ++g_allocations;
    return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
    ++g_allocations;
    return __libc_calloc(count, size);
}
void* realloc(void* memory, size_t size) {
    ++g_allocations;
    return __libc_realloc(memory, size);
}
}
#endif

using namespace knuckle;
using namespace knuckle::store;

namespace {

// The same bytes but one.
std::string bent(ByteView value) {
    std::string bytes(as_text(value));
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    return bytes;
}

// Bends the value of a row in its middle.
void bend(Shelf& shelf, const RowKey& key) {
    shelf.tamper([&key](Rows& rows) {
        const auto value = must(rows.get(key));
        REQUIRE(value);
        REQUIRE(rows.put(key, as_bytes(bent(*value))));
    });
}

RowKey token_row(const Token& token, const std::string& app = "chat") {
    return hashed_key(Table::tokens, Vault(some_keys()).hash(Table::tokens, app, token.text));
}

}  // namespace

TEST_CASE("A token leads to its owner, its device and its expiry", "[store][snapshot]") {
    Shelf shelf;
    const Device phone = shelf.has(a_device(shelf.has(an_account("anna")), "phone"));
    const Token token = shelf.has(a_token(phone, "for bob"));

    Snapshot snapshot = shelf.snapshot();
    TokenOwner owner;
    REQUIRE(snapshot.find_token("chat", token.text, owner) == Lookup::found);
    CHECK(owner.account == phone.account);
    CHECK(owner.device == phone.id);
    CHECK(owner.expires == token.expires);
    Token whole;
    REQUIRE(snapshot.find_token("chat", token.text, whole) == Lookup::found);
    CHECK(whole == token);

    CHECK(snapshot.find_token("chat", secret_of("another"), owner) == Lookup::absent);
    CHECK(snapshot.find_token("chat", "", owner) == Lookup::absent);
    CHECK(snapshot.find_token("chat", std::string(100'000, 'a'), whole) == Lookup::absent);
    std::string upper = token.text;
    std::ranges::transform(
        upper, upper.begin(), [](char c) { return c >= 'a' ? char(c - 32) : c; });
    CHECK(snapshot.find_token("chat", upper, owner) == Lookup::absent);
}

TEST_CASE("An expired token is found, with its expiry", "[store][snapshot]") {
    Shelf shelf;
    const Device phone = shelf.has(a_device(shelf.has(an_account("anna")), "phone"));
    Token old = a_token(phone, "for bob");
    old.expires = from_unix_seconds(1);
    shelf.has(old);
    TokenOwner owner;
    REQUIRE(shelf.snapshot().find_token("chat", old.text, owner) == Lookup::found);
    CHECK(owner.expires == from_unix_seconds(1));
}

TEST_CASE("A knock goes to each active, living device once", "[store][snapshot]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const auto device = [&](const std::string& name, auto change) {
        Device made = a_device(anna, name);
        change(made);
        shelf.has(made);
    };
    device("phone", [](Device&) {});
    device("phone, registered again",
           [](Device& d) { d.registration_id = registration_of("phone"); });
    device("off", [](Device& d) { d.is_active = false; });
    device("dead", [](Device& d) { d.is_dead = true; });
    device("other make", [](Device& d) {
        d.kind = DeviceKind::gcm;
        d.registration_id = "dJ8x:APA91b";
    });
    device("same text, other make", [](Device& d) {
        d.kind = DeviceKind::gcm;
        d.registration_id = registration_of("phone");
    });
    device("longest", [](Device& d) { d.registration_id = std::string(kRegistrationMax, 'X'); });
    const Account bob = shelf.has(an_account("bob"));
    shelf.has(a_device(bob, "bob's phone"));

    std::vector<std::string> targets = shelf.targets_of(anna);
    std::ranges::sort(targets);
    std::vector<std::string> expected = {registration_of("phone"),
                                         registration_of("phone"),
                                         "dJ8x:APA91b",
                                         std::string(kRegistrationMax, 'X')};
    std::ranges::sort(expected);
    CHECK(targets == expected);
    CHECK(shelf.targets_of(bob) == std::vector{registration_of("bob's phone")});
}

TEST_CASE("A target is all that a push needs, and one may look up more meanwhile",
          "[store][snapshot]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    Device tablet = a_device(anna, "tablet");
    tablet.proven_in = ProvenIn::production;
    tablet = shelf.has(tablet);
    const Token token = shelf.has(a_token(phone, "for bob"));
    Snapshot snapshot = shelf.snapshot();
    size_t visits = 0;
    const Lookup lookup = snapshot.for_each_target(anna.id, [&](const Target& target) {
        const Device& device = target.device == phone.id ? phone : tablet;
        TokenOwner owner;
        CHECK(snapshot.find_token("chat", token.text, owner) == Lookup::found);
        Account account;
        CHECK(snapshot.find_account("chat", "anna", account) == Lookup::found);
        CHECK(target.device == device.id);
        CHECK(target.kind == device.kind);
        CHECK(target.registered == device.registered);
        CHECK(target.proven_in == device.proven_in);
        CHECK(target.registration_id() == device.registration_id);
        ++visits;
    });
    CHECK(lookup == Lookup::found);
    CHECK(visits == 2);
}

TEST_CASE("Nobody to wake is not the same as nobody there", "[store][snapshot]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const auto visit = [](const Target&) { FAIL("nobody was expected"); };
    CHECK(shelf.snapshot().for_each_target(anna.id, visit) == Lookup::absent);
    Device phone = a_device(anna, "phone");
    phone.is_dead = true;
    shelf.has(phone);
    CHECK(shelf.snapshot().for_each_target(anna.id, visit) == Lookup::found);
    CHECK(shelf.snapshot().for_each_target(id_of("nobody"), visit) == Lookup::absent);
}

TEST_CASE("An account is found by name, by id and by its auth token", "[store][snapshot]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    Snapshot snapshot = shelf.snapshot();
    Account found;
    CHECK(snapshot.find_account("chat", "anna", found) == Lookup::found);
    CHECK(found == anna);
    found = {};
    CHECK(snapshot.find_account(anna.id, found) == Lookup::found);
    CHECK(found == anna);
    found = {};
    CHECK(snapshot.find_account_by_auth("chat", anna.auth_token, found) == Lookup::found);
    CHECK(found == anna);
    CHECK(snapshot.find_account("chat", "Anna", found) == Lookup::absent);
    CHECK(snapshot.find_account("chat", std::string(kNameMax + 1, 'a'), found) == Lookup::absent);
    CHECK(snapshot.find_account(id_of("bob"), found) == Lookup::absent);
    CHECK(snapshot.find_account_by_auth("chat", secret_of("?"), found) == Lookup::absent);
    CHECK(snapshot.find_account_by_auth("chat", std::string(101, 'a'), found) == Lookup::absent);
}

TEST_CASE("What belongs to one app is invisible to another", "[store][snapshot][apps]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna", "chat"));
    const Account other_anna = shelf.has(an_account("anna", "zom"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const Token token = shelf.has(a_token(phone, "for bob"), "chat");

    CHECK(shelf.account("anna", "chat")->id == anna.id);
    CHECK(shelf.account("anna", "zom")->id == other_anna.id);
    CHECK_FALSE(shelf.account("anna", "chatt"));
    CHECK(shelf.look_up(token, "chat") == Lookup::found);
    CHECK(shelf.look_up(token, "zom") == Lookup::absent);
    Account found;
    CHECK(shelf.snapshot().find_account_by_auth("zom", anna.auth_token, found) == Lookup::absent);
    CHECK(shelf.write(DeleteToken{"zom", anna.id, token.text}) == WriteStatus::not_found);
    CHECK(shelf.write(UpdateToken{"zom", token}) == WriteStatus::not_found);
}

TEST_CASE("Devices and tokens are listed whole, pending knocks oldest first", "[store][snapshot]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Account bob = shelf.has(an_account("bob"));
    std::vector<Device> devices;
    for (const char* name : {"phone", "tablet", "watch"}) {
        devices.push_back(shelf.has(a_device(anna, name)));
    }
    const Device bobs = shelf.has(a_device(bob, "phone"));
    std::ranges::sort(devices, {}, &Device::id);
    CHECK(shelf.devices_of(anna) == devices);
    Device found;
    CHECK(shelf.snapshot().find_device(anna.id, devices[1].id, found) == Lookup::found);
    CHECK(found == devices[1]);
    CHECK(shelf.snapshot().find_device(bob.id, devices[1].id, found) == Lookup::absent);

    std::vector<std::string> names;
    for (int i = 10; i < 80; ++i) {
        names.push_back("token " + std::to_string(i));
        shelf.has(a_token(devices[static_cast<size_t>(i) % 3], names.back()));
    }
    shelf.has(a_token(bobs, "bob's"));
    CHECK(shelf.tokens_of(anna) == names);
    std::vector<Token> none;
    CHECK(shelf.snapshot().list_tokens(id_of("nobody"), none) == Lookup::absent);
    std::vector<Device> no_device;
    CHECK(shelf.snapshot().list_devices(id_of("nobody"), no_device) == Lookup::absent);

    std::vector<Pending> pending;
    CHECK(list_pending(shelf.snapshot(), pending) == Lookup::absent);
    Pending row;
    CHECK(shelf.snapshot().find_pending(anna.id, devices[0].id, row) == Lookup::absent);
    const Pending third = shelf.has(a_pending(devices[0], 9));
    const Pending first = shelf.has(a_pending(devices[1], 2));
    const Pending fourth = shelf.has(a_pending(bobs, 11));
    const Pending second = shelf.has(a_pending(devices[2], 5));
    CHECK(shelf.pending() == std::vector{first, second, third, fourth});
    CHECK(list_pending(shelf.snapshot(), pending) == Lookup::found);
    CHECK(shelf.snapshot().for_each_pending([&](const PendingRow& each) {
        const auto whole = std::ranges::find(pending, each.device, &Pending::device);
        REQUIRE(whole != pending.end());
        CHECK(each.account == whole->account);
        CHECK(each.app == whole->app);
        CHECK(each.serial == whole->serial);
        CHECK(each.unseen_serial == whole->unseen_serial);
        CHECK(each.accepted == whole->accepted);
        CHECK(each.expires == whole->expires);
    }) == Lookup::found);
}

TEST_CASE("A snapshot sees what was committed before it, and nothing after", "[store][snapshot]") {
    Shelf shelf;
    Account found;
    {
        Snapshot before = shelf.snapshot();
        shelf.has(an_account("anna"));
        CHECK(before.find_account("chat", "anna", found) == Lookup::absent);
        Snapshot moved = std::move(before);
        CHECK(moved.find_account("chat", "anna", found) == Lookup::absent);
    }
    CHECK(shelf.snapshot().find_account("chat", "anna", found) == Lookup::found);
    Reader another(shelf.env());
    CHECK(another.snapshot().find_account("chat", "anna", found) == Lookup::found);
}

TEST_CASE("Damage is never taken for absence, and is counted", "[store][snapshot][damage]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const Device tablet = shelf.has(a_device(anna, "tablet"));
    const Token token = shelf.has(a_token(phone, "for bob"));
    const Token second = shelf.has(a_token(phone, "for carol"));
    shelf.has(a_pending(phone, 1));
    shelf.has(a_pending(tablet, 2));
    TokenOwner owner;
    Account account;
    CHECK(shelf.reader().damaged_count() == 0);

    SECTION("a token") {
        bend(shelf, token_row(token));
        CHECK(shelf.look_up(token) == Lookup::damaged);
        Token whole;
        CHECK(shelf.snapshot().find_token("chat", token.text, whole) == Lookup::damaged);
        std::vector<Token> tokens;
        CHECK(shelf.snapshot().list_tokens(anna.id, tokens) == Lookup::damaged);
        CHECK(tokens == std::vector{second});
        CHECK(shelf.reader().damaged_count() == 3);
    }
    SECTION("a token cut to every length") {
        std::string value;
        shelf.tamper(
            [&](Rows& rows) { value = as_text(must(rows.get(token_row(token))).value()); });
        for (size_t size = 0; size < value.size(); ++size) {
            shelf.tamper([&](Rows& rows) {
                REQUIRE(rows.put(token_row(token), as_bytes(value).first(size)));
            });
            CHECK(shelf.look_up(token) == Lookup::damaged);
        }
    }
    SECTION("a token in another's place") {
        shelf.tamper([&](Rows& rows) {
            const std::string value(as_text(must(rows.get(token_row(second))).value()));
            REQUIRE(rows.put(token_row(token), as_bytes(value)));
        });
        CHECK(shelf.look_up(token) == Lookup::damaged);
    }
    SECTION("one device of two") {
        bend(shelf, device_key({anna.id, phone.id}));
        CHECK(shelf.targets_of(anna) == std::vector{tablet.registration_id});
        std::vector<Device> devices;
        CHECK(shelf.snapshot().list_devices(anna.id, devices) == Lookup::damaged);
        CHECK(devices == std::vector{tablet});
        Device device;
        CHECK(shelf.snapshot().find_device(anna.id, phone.id, device) == Lookup::damaged);
    }
    SECTION("all devices") {
        bend(shelf, device_key({anna.id, phone.id}));
        bend(shelf, device_key({anna.id, tablet.id}));
        CHECK(shelf.snapshot().for_each_target(anna.id, [](const Target&) {}) == Lookup::damaged);
    }
    SECTION("an account") {
        bend(shelf, account_key(anna.id));
        CHECK(shelf.snapshot().find_account("chat", "anna", account) == Lookup::damaged);
        CHECK(shelf.snapshot().find_account(anna.id, account) == Lookup::damaged);
        CHECK(shelf.snapshot().find_account_by_auth("chat", anna.auth_token, account) ==
              Lookup::damaged);
        CHECK(shelf.write(DeleteAccount{anna.id}) == WriteStatus::failed);
        CHECK(shelf.write(SetPasswordHash{anna.id, "hash"}) == WriteStatus::failed);
    }
    SECTION("a name without its account") {
        shelf.tamper([&](Rows& rows) { REQUIRE(rows.erase(account_key(anna.id))); });
        CHECK(shelf.snapshot().find_account("chat", "anna", account) == Lookup::damaged);
        CHECK(shelf.snapshot().find_account_by_auth("chat", anna.auth_token, account) ==
              Lookup::damaged);
        CHECK(shelf.snapshot().find_account(anna.id, account) == Lookup::absent);
    }
    SECTION("a list of tokens") {
        shelf.tamper([&](Rows& rows) {
            REQUIRE(rows.put(owned_key({anna.id, phone.id}, 0), as_bytes("nonsense")));
        });
        std::vector<Token> tokens;
        CHECK(shelf.snapshot().list_tokens(anna.id, tokens) == Lookup::damaged);
        CHECK(tokens.empty());
        CHECK(shelf.look_up(token) == Lookup::found);
    }
    SECTION("a pending knock") {
        bend(shelf, pending_key({anna.id, phone.id}));
        std::vector<Pending> pending;
        CHECK(list_pending(shelf.snapshot(), pending) == Lookup::damaged);
        CHECK(pending.size() == 1);
        Pending row;
        CHECK(shelf.snapshot().find_pending(anna.id, phone.id, row) == Lookup::damaged);
        // A new knock takes its place; a settled one takes it away.
        CHECK(shelf.write(PutPending{a_pending(phone, 0)}) == WriteStatus::done);
        bend(shelf, pending_key({anna.id, phone.id}));
        CHECK(shelf.write(ClearPending{anna.id, phone.id, 0}) == WriteStatus::done);
        CHECK(shelf.pending().size() == 1);
    }
    SECTION("rows with strange keys") {
        shelf.tamper([&](Rows& rows) {
            REQUIRE(rows.put(devices_of(anna.id), as_bytes("too short")));
            REQUIRE(rows.put(RowKey(Table::pending), as_bytes("far too short")));
        });
        CHECK(shelf.targets_of(anna).size() == 2);
        std::vector<Pending> pending;
        CHECK(list_pending(shelf.snapshot(), pending) == Lookup::damaged);
        CHECK(pending.size() == 2);
    }
}

TEST_CASE("What cannot be trusted can still be replaced or deleted", "[store][snapshot][damage]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const Token token = shelf.has(a_token(phone, "for bob"));
    bend(shelf, device_key({anna.id, phone.id}));
    bend(shelf, token_row(token));
    CHECK(shelf.write(MarkDeviceDead{anna.id, phone.id, kNoon}) == WriteStatus::failed);
    CHECK(shelf.write(UpdateToken{"chat", token}) == WriteStatus::failed);
    CHECK(shelf.write(DeleteToken{"chat", anna.id, token.text}) == WriteStatus::failed);
    CHECK(shelf.write(UpdateDevice{phone}) == WriteStatus::done);
    CHECK(shelf.devices_of(anna) == std::vector{phone});
    CHECK(shelf.write(DeleteDevice{anna.id, phone.id}) == WriteStatus::done);
    CHECK(shelf.look_up(token) == Lookup::absent);
}

TEST_CASE("The lookups of a knock allocate nothing", "[store][snapshot]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    for (int i = 0; i < 20; ++i) shelf.has(a_device(anna, "device " + std::to_string(i)));
    const Token token = shelf.has(a_token(phone, "for bob"));
    const auto knock = [&] {
        Snapshot snapshot = shelf.snapshot();
        TokenOwner owner;
        size_t targets = 0;
        static_cast<void>(snapshot.find_token("chat", token.text, owner));
        static_cast<void>(snapshot.find_token("chat", "unknown", owner));
        static_cast<void>(
            snapshot.for_each_target(owner.account, [&targets](const Target&) { ++targets; }));
        return targets;
    };
    CHECK(knock() == 21);
    shelf.has(a_token(phone, "for carol"));  // the next snapshot is of another state
#ifdef KNUCKLE_COUNTS_ALLOCATIONS
    const size_t before = g_allocations;
    size_t targets = 0;
    for (int i = 0; i < 100; ++i) targets += knock();
    CHECK(g_allocations == before);
    CHECK(targets == 2'100);
#endif
}
