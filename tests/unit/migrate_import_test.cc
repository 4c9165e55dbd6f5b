// SPDX-License-Identifier: GPL-3.0-or-later
// The joins, and what is there already; whole dumps are tests/integration/import_test.cc.
#include <string>
#include <string_view>

#include <catch_amalgamated.hpp>

#include "migrate/import.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::migrate;

namespace {

const std::string kAnna = "c2264edf-078e-4be8-84e3-929062f64f1e";
const std::string kPhone = "638426e6-832f-4a45-ae9a-db409ba2fb4d";
const std::string kAccounts =
    "COPY accounts_pushuser (id, username, email, password, is_active) FROM stdin;\n" + kAnna +
    "\tanna\t\tx\tt\n\\.\n";
const std::string kAuthTokens =
    "COPY authtoken_token (key, user_id) FROM stdin;\nabcd\t" + kAnna + "\n\\.\n";
const std::string kDevices =
    "COPY devices_apnsdevice (id, name, active, registration_id, device_id, owner_id) FROM "
    "stdin;\n" +
    kPhone + "\t\\N\tt\tef\t\\N\t" + kAnna + "\n\\.\n";
const std::string kTokens =
    "COPY tokens_token (token, name, owner_id, apns_device_id, gcm_device_id) FROM stdin;\nt1\t"
    "\\N\t" +
    kAnna + "\t" + kPhone + "\t\\N\nt2\t\\N\t" + kAnna + "\t" + kPhone + "\t\\N\n\\.\n";

struct Importing {
    // How many passes it took.
    int import(const std::string& dump) {
        Import import(shelf.env(),
                      shelf.committer(),
                      shelf.random(),
                      {.terms = {.app = app, .token_lifetime = hours(1), .now = store::kNoon},
                       .devices_max = 100,
                       .tokens_max = tokens_max});
        int passes = 0;
        for (bool has_more = true; has_more; ++passes) {
            import.begin_pass();
            REQUIRE(import.feed(as_bytes(dump)));
            auto ended = import.end_pass();
            REQUIRE(ended);
            has_more = *ended;
        }
        ledger = import.ledger();
        return passes;
    }
    [[nodiscard]] bool has_all(Fate fate) const {
        return ledger.count(Source::accounts, fate) == 1 &&
               ledger.count(Source::auth_tokens, fate) == 1 &&
               ledger.count(Source::apns_devices, fate) == 1 &&
               ledger.count(Source::tokens, fate) == 2 && ledger.rows() == 5;
    }

    store::Shelf shelf;
    std::string app = "chat";
    uint32_t tokens_max = 100;
    Ledger ledger;
};

}  // namespace

TEST_CASE("Tables are joined in any order, in no more passes than are needed", "[migrate]") {
    const std::string gcm =
        "COPY devices_gcmdevice (id, name, active, registration_id, device_id, owner_id) FROM "
        "stdin;\n\\.\n";
    Importing here;
    SECTION("as pg_dump writes them") {
        CHECK(here.import(kAccounts + kAuthTokens + kDevices + gcm + kTokens) == 1);
    }
    SECTION("tokens first") {
        CHECK(here.import(kTokens + kAccounts + kDevices + gcm + kAuthTokens) == 2);
    }
    SECTION("the other way round") {
        CHECK(here.import(kTokens + gcm + kDevices + kAuthTokens + kAccounts) == 3);
    }
    SECTION("without a table, of which the first pass cannot know that it will not come") {
        CHECK(here.import(kAccounts + kAuthTokens + kDevices + kTokens) == 2);
    }
    CHECK(here.has_all(Fate::imported));
    const auto anna = here.shelf.account("anna");
    REQUIRE(anna);
    CHECK(anna->auth_token == "abcd");
    CHECK(here.shelf.tokens_of(*anna).size() == 2);
    here.import(kAccounts + kAuthTokens + kDevices + gcm + kTokens);
    CHECK(here.has_all(Fate::already_there));
}

TEST_CASE("Somebody else who has the name keeps it", "[migrate]") {
    Importing here;
    const store::Account anna = here.shelf.has(store::an_account("anna"));
    here.import(kAccounts + kAuthTokens + kDevices + kTokens);
    CHECK(here.ledger.count(Source::accounts, Fate::taken) == 1);
    CHECK(here.ledger.count(Source::auth_tokens, Fate::no_account) == 1);
    CHECK(here.ledger.count(Source::apns_devices, Fate::no_account) == 1);
    CHECK(here.ledger.count(Source::tokens, Fate::no_device) == 2);
    CHECK(here.shelf.account("anna") == anna);
}

TEST_CASE("Quotas hold for imported rows", "[migrate]") {
    Importing here;
    here.tokens_max = 1;
    here.import(kAccounts + kAuthTokens + kDevices + kTokens);
    CHECK(here.ledger.count(Source::tokens, Fate::imported) == 1);
    CHECK(here.ledger.count(Source::tokens, Fate::over_quota) == 1);
}

TEST_CASE("What one app has brought in is not another's", "[migrate]") {
    Importing here;
    here.import(kAccounts + kAuthTokens + kDevices + kTokens);
    here.app = "other";
    here.import(kAccounts + kAuthTokens + kDevices + kTokens);
    CHECK(here.ledger.count(Source::accounts, Fate::taken) == 1);
    CHECK(here.ledger.count(Source::auth_tokens, Fate::taken) == 1);
    CHECK(here.ledger.count(Source::apns_devices, Fate::taken) == 1);
    CHECK(here.ledger.count(Source::tokens, Fate::no_device) == 2);
    store::TokenOwner owner;
    CHECK(here.shelf.snapshot().find_token("other", "t1", owner) == store::Lookup::absent);
    CHECK(here.shelf.snapshot().find_token("chat", "t1", owner) == store::Lookup::found);
}

TEST_CASE("A file that changes between the passes is refused at last", "[migrate]") {
    store::Shelf shelf;
    Import import(shelf.env(),
                  shelf.committer(),
                  shelf.random(),
                  {.terms = {.app = "chat", .token_lifetime = hours(1), .now = store::kNoon},
                   .devices_max = 100,
                   .tokens_max = 100});
    const auto pass = [&import](const std::string& dump) {
        import.begin_pass();
        REQUIRE(import.feed(as_bytes(dump)));
        return import.end_pass();
    };
    CHECK(store::must(pass(kTokens + kDevices + kAccounts)) == true);
    // Somebody has begun to write it anew.
    CHECK(store::must(pass(kAccounts)) == true);
    const auto last = pass(kAccounts);
    REQUIRE_FALSE(last);
    CHECK(std::string(last.error().what).find("has changed while it was read") == 0);
}
