// SPDX-License-Identifier: GPL-3.0-or-later
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <catch_amalgamated.hpp>

#include "migrate/reference.h"

using namespace knuckle;
using namespace knuckle::migrate;

namespace {

constexpr UnixTime kNow{1'795'953'600'000'000};
const Terms kTerms{.app = "chat", .token_lifetime = hours(24 * 30), .now = kNow};
const std::string kId = "c2264edf-078e-4be8-84e3-929062f64f1e";
const std::string kOther = "638426e6-832f-4a45-ae9a-db409ba2fb4d";

// A row by the names of its columns, which a test may change.
struct TestRow {
    template <typename Record>
    Fate decode_to(Record& record) const {
        std::vector<std::string> columns;
        std::vector<PgDump::Field> fields;
        for (const auto& [column, text] : values) {
            columns.push_back(column);
            fields.push_back(text == "\\N" ? PgDump::Field() : PgDump::Field(text));
        }
        const auto layout = Layout::of(source, columns);
        REQUIRE(layout);
        return decode(Row(*layout, fields), kTerms, record);
    }
    template <typename Record>
    Fate fate_with(const std::string& column, const std::string& text) {
        const std::string before = std::exchange(values[column], text);
        Record record;
        const Fate fate = decode_to(record);
        values[column] = before;
        return fate;
    }

    Source source;
    std::map<std::string, std::string> values;
};

TestRow account_row() {
    return {Source::accounts,
            {{"id", kId},
             {"username", "anna"},
             {"email", "anna@example.org"},
             {"password", "pbkdf2_sha256$1$x$y"},
             {"is_active", "t"},
             {"date_joined", "2016-06-11 20:01:14.126+00"},
             {"is_staff", "f"}}};
}
TestRow device_row(Source source) {
    return {source,
            {{"id", kOther},
             {"name", "\\N"},
             {"active", "f"},
             {"date_created", "2016-06-11 20:01:14.126+00"},
             {"registration_id", "ab cd"},
             {"device_id", ""},
             {"owner_id", kId}}};
}
TestRow token_row() {
    return {Source::tokens,
            {{"token", "dd43cf25"},
             {"name", "Bert"},
             {"owner_id", kId},
             {"apns_device_id", kOther},
             {"gcm_device_id", "\\N"},
             {"date_created", "2026-11-20 00:00:00+00"}}};
}

}  // namespace

TEST_CASE("Tables and columns are found by their names", "[migrate]") {
    CHECK(source_of("tokens_token") == Source::tokens);
    CHECK(table_of(Source::apns_devices) == "devices_apnsdevice");
    CHECK_FALSE(source_of("django_session"));
    const std::vector<std::string> columns = {"user_id", "created", "key"};
    const auto layout = Layout::of(Source::auth_tokens, columns);
    REQUIRE(layout);
    CHECK(layout->index_of(Column::key) == 2);
    CHECK(layout->index_of(Column::user_id) == 0);
    CHECK_FALSE(layout->index_of(Column::token));
    CHECK_FALSE(Layout::of(Source::accounts, columns));
    CHECK(describe(Fate::expired) == "it has expired");
}

TEST_CASE("An account comes with its id and Django's hash, as used now", "[migrate]") {
    TestRow row = account_row();
    store::Account account;
    REQUIRE(row.decode_to(account) == Fate::imported);
    CHECK(account.id.text() == kId);
    CHECK(account.app == "chat");
    CHECK(account.username == "anna");
    CHECK(account.password_hash == "pbkdf2_sha256$1$x$y");
    CHECK(account.created == UnixTime{1'465'675'274'126'000});
    CHECK(account.seen == kNow);
    CHECK(row.fate_with<store::Account>("is_active", "f") == Fate::deactivated);
    for (const std::string& name : {std::string(), std::string(31, 'x'), std::string(" a")})
        CHECK(row.fate_with<store::Account>("username", name) == Fate::bad_username);
    CHECK(row.fate_with<store::Account>("username", std::string(30, 'x')) == Fate::imported);
    CHECK(row.fate_with<store::Account>("username", "\xff") == Fate::bad_value);
    CHECK(row.fate_with<store::Account>("id", "17") == Fate::bad_value);
    CHECK(row.fate_with<store::Account>("date_joined", "infinity") == Fate::bad_value);
    CHECK(row.fate_with<store::Account>("email", std::string(2'000, 'x')) == Fate::bad_text);
    // An empty hash would be taken for that of a new account.
    row.values["password"] = "";
    REQUIRE(row.decode_to(account) == Fate::imported);
    CHECK(account.password_hash == "!");
}

TEST_CASE("A device keeps its id; a gcm one is active, whatever its row says", "[migrate]") {
    TestRow row = device_row(Source::apns_devices);
    store::Device device;
    REQUIRE(row.decode_to(device) == Fate::imported);
    CHECK(device.id.text() == kOther);
    CHECK(device.account.text() == kId);
    CHECK(device.registration_id == "abcd");
    CHECK_FALSE(device.is_active);
    CHECK_FALSE(device.has_name);
    CHECK(device.has_device_id);
    CHECK(device.registered == UnixTime{1'465'675'274'126'000});
    CHECK(row.fate_with<store::Device>("owner_id", "\\N") == Fate::no_account);
    CHECK(row.fate_with<store::Device>("registration_id", " ") == Fate::bad_text);
    CHECK(row.fate_with<store::Device>("registration_id", "\\N") == Fate::bad_value);
    CHECK(row.fate_with<store::Device>("name", std::string(256, 'x')) == Fate::bad_text);
    REQUIRE(device_row(Source::gcm_devices).decode_to(device) == Fate::imported);
    CHECK(device.kind == store::DeviceKind::gcm);
    CHECK(device.is_active);
    CHECK(device.registration_id == "ab cd");
}

TEST_CASE("A token lives as long as our configuration says", "[migrate]") {
    TestRow row = token_row();
    store::Token token;
    REQUIRE(row.decode_to(token) == Fate::imported);
    CHECK(token.text == "dd43cf25");
    CHECK(token.account.text() == kId);
    CHECK(token.device.text() == kOther);
    CHECK(token.name == "Bert");
    CHECK(token.expires == token.created + hours(24 * 30));
    CHECK(row.fate_with<store::Token>("date_created", "2026-10-01 00:00:00+00") == Fate::expired);
    CHECK(row.fate_with<store::Token>("token", "a/b") == Fate::bad_value);
    CHECK(row.fate_with<store::Token>("apns_device_id", "\\N") == Fate::no_device);
    CHECK(row.fate_with<store::Token>("name", std::string(101, 'x')) == Fate::bad_text);
    row.values["date_created"] = "\\N";
    REQUIRE(row.decode_to(token) == Fate::imported);
    CHECK(token.expires == kNow + hours(24 * 30));
    row.values["date_created"] = "2030-01-01 00:00:00+00";  // by a clock that was wrong
    REQUIRE(row.decode_to(token) == Fate::imported);
    CHECK(token.created == kNow);
    // To whole seconds, never to end early.
    row.values["date_created"] = "2026-11-20 00:00:00.25+00";
    REQUIRE(row.decode_to(token) == Fate::imported);
    CHECK(token.created == UnixTime{1'795'132'800'000'000});
    CHECK(token.expires == token.created + hours(24 * 30) + seconds(1));
    CHECK(row.fate_with<store::Token>("date_created", "1970-01-01 00:00:00+14") == Fate::expired);
    row.values["gcm_device_id"] = kId;
    REQUIRE(row.decode_to(token) == Fate::imported);
    CHECK(token.kind == store::DeviceKind::apns);
}

TEST_CASE("An auth token is taken as it is", "[migrate]") {
    TestRow row{Source::auth_tokens, {{"key", "6b9b9b6d9cd27ea9"}, {"user_id", kId}}};
    AuthToken token;
    REQUIRE(row.decode_to(token) == Fate::imported);
    CHECK(token.text == "6b9b9b6d9cd27ea9");
    CHECK(token.account.text() == kId);
    CHECK(row.fate_with<AuthToken>("key", "two words") == Fate::bad_value);
    CHECK(row.fate_with<AuthToken>("user_id", "\\N") == Fate::bad_value);
}
