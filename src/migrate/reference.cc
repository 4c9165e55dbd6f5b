// SPDX-License-Identifier: GPL-3.0-or-later
#include "migrate/reference.h"

#include <algorithm>
#include <iterator>

#include "api/rest.h"
#include "api/strip.h"
#include "base/text.h"
#include "migrate/pg_value.h"

namespace knuckle::migrate {

namespace {

constexpr std::array<std::string_view, kSourceCount> kTables = {"accounts_pushuser",
                                                                "authtoken_token",
                                                                "devices_apnsdevice",
                                                                "devices_gcmdevice",
                                                                "tokens_token"};
static_assert(static_cast<size_t>(Source::tokens) + 1 == kSourceCount);

constexpr std::array<std::string_view, kFateCount> kFates = {
    "imported",
    "already there",
    "the line cannot be read: a wrong number of fields, or too long",
    "a value is missing, or not of the kind of its column",
    "a text is empty or longer than the API allows",
    "nobody can log in with such a username",
    "the account is deactivated",
    "another account has it already",
    "its account is not here",
    "its device is not here",
    "it has expired",
    "its account has as many as devices_max or tokens_max allows",
    "the database refused it",
};
static_assert(static_cast<size_t>(Fate::refused) + 1 == kFateCount);

constexpr std::array<std::string_view, kColumnCount> kColumns = {
    "id",
    "username",
    "email",
    "password",
    "is_active",
    "date_joined",
    "key",
    "user_id",
    "name",
    "active",
    "date_created",
    "registration_id",
    "device_id",
    "owner_id",
    "token",
    "apns_device_id",
    "gcm_device_id",
};
static_assert(static_cast<size_t>(Column::gcm_device_id) + 1 == kColumnCount);

// What we cannot do without. Dates are younger than the tables.
std::span<const Column> needed_by(Source source) {
    static constexpr Column kOfAccounts[] = {
        Column::id, Column::username, Column::email, Column::password, Column::is_active};
    static constexpr Column kOfAuthTokens[] = {Column::key, Column::user_id};
    static constexpr Column kOfDevices[] = {Column::id,
                                            Column::name,
                                            Column::active,
                                            Column::registration_id,
                                            Column::device_id,
                                            Column::owner_id};
    static constexpr Column kOfTokens[] = {Column::token,
                                           Column::name,
                                           Column::owner_id,
                                           Column::apns_device_id,
                                           Column::gcm_device_id};
    switch (source) {
        case Source::accounts:
            return kOfAccounts;
        case Source::auth_tokens:
            return kOfAuthTokens;
        case Source::apns_devices:
        case Source::gcm_devices:
            return kOfDevices;
        case Source::tokens:
            return kOfTokens;
    }
    return {};
}

// As Django writes a password that opens nothing.
constexpr std::string_view kNoPassword = "!";

bool is_valid(const PgDump::Field& field) { return !field || is_valid_utf8(*field); }

bool is_within(std::string_view text, size_t chars_max) {
    return text.size() <= chars_max || count_code_points(text) <= chars_max;
}

// Auth tokens and whitelist tokens: what fits into a header and into a path as it is.
bool is_token(std::string_view text) {
    const auto is_url_safe = [](char c) {
        return (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    };
    return !text.empty() && text.size() <= store::kTokenTextMax &&
           std::ranges::all_of(text, is_url_safe);
}

std::optional<Uuid> parse_uuid(const PgDump::Field& field) {
    return field ? Uuid::parse(*field) : std::nullopt;
}

// False: there is a date that we cannot read.
bool read_date(const PgDump::Field& field, UnixTime now, UnixTime& date) {
    date = now;
    if (!field) return true;
    const auto parsed = parse_timestamp(*field);
    if (parsed) date = std::min(*parsed, now);
    return parsed.has_value();
}

void assign(std::string& text, bool& has_text, const PgDump::Field& field) {
    has_text = field.has_value();
    text = field.value_or(std::string_view());
}

}  // namespace

std::optional<Source> source_of(std::string_view table) {
    const auto* const found = std::ranges::find(kTables, table);
    if (found == kTables.end()) return std::nullopt;
    return static_cast<Source>(found - kTables.begin());
}

std::string_view table_of(Source source) { return kTables[static_cast<size_t>(source)]; }

std::string_view describe(Fate fate) { return kFates[static_cast<size_t>(fate)]; }

Result<Layout> Layout::of(Source source, std::span<const std::string> columns) {
    Layout layout(source);
    for (size_t i = 0; i < columns.size(); ++i) {
        const auto* const column = std::ranges::find(kColumns, columns[i]);
        if (column != kColumns.end())
            layout.indices_[static_cast<size_t>(column - kColumns.begin())] = i;
    }
    for (const Column column : needed_by(source)) {
        if (layout.index_of(column)) continue;
        return fail(Errc::invalid,
                    "lacks a column that the table has in the reference's database; make the dump "
                    "with pg_dump as it comes, without --inserts");
    }
    return layout;
}

PgDump::Field Row::operator[](Column column) const {
    const auto index = layout_.index_of(column);
    return index ? fields_[*index] : std::nullopt;
}

Fate decode(const Row& row, const Terms& terms, store::Account& account) {
    const auto id = parse_uuid(row[Column::id]);
    const auto is_active = parse_bool(row[Column::is_active].value_or(""));
    const PgDump::Field username = row[Column::username];
    const PgDump::Field email = row[Column::email];
    const PgDump::Field password = row[Column::password];
    account = {};
    const bool is_sound = id && is_active && username && is_valid(username) && is_valid(email) &&
                          is_valid(password) &&
                          read_date(row[Column::date_joined], terms.now, account.created);
    if (!is_sound) return Fate::bad_value;
    if (!*is_active) return Fate::deactivated;
    const bool is_usable = !username->empty() && api::strip(*username) == *username &&
                           is_within(*username, api::kUsernameCharsMax);
    if (!is_usable) return Fate::bad_username;
    account.id = *id;
    account.app = terms.app;
    account.username = *username;
    account.email = email.value_or("");
    account.password_hash = password.value_or("");
    if (account.password_hash.empty()) account.password_hash = kNoPassword;
    account.seen = terms.now;
    const bool fits = account.email.size() <= store::kNameMax &&
                      account.password_hash.size() <= store::kPasswordHashMax;
    return fits ? Fate::imported : Fate::bad_text;
}

Fate decode(const Row& row, const Terms&, AuthToken& auth_token) {
    const auto account = parse_uuid(row[Column::user_id]);
    const PgDump::Field key = row[Column::key];
    if (!account || !key || !is_token(*key)) return Fate::bad_value;
    auth_token = {.account = *account, .text = std::string(*key)};
    return Fate::imported;
}

Fate decode(const Row& row, const Terms& terms, store::Device& device) {
    const bool is_gcm = row.source() == Source::gcm_devices;
    const auto id = parse_uuid(row[Column::id]);
    const auto is_active = parse_bool(row[Column::active].value_or(""));
    const PgDump::Field registration = row[Column::registration_id];
    const PgDump::Field name = row[Column::name];
    const PgDump::Field device_id = row[Column::device_id];
    device = {};
    if (!row[Column::owner_id]) return Fate::no_account;
    const auto owner = parse_uuid(row[Column::owner_id]);
    const bool is_sound = id && owner && is_active && registration && is_valid(registration) &&
                          is_valid(name) && is_valid(device_id) &&
                          read_date(row[Column::date_created], terms.now, device.created);
    if (!is_sound) return Fate::bad_value;
    device.id = *id;
    device.account = *owner;
    device.kind = is_gcm ? store::DeviceKind::gcm : store::DeviceKind::apns;
    device.is_active = is_gcm || *is_active;
    device.registration_id = *registration;
    if (!is_gcm) std::erase(device.registration_id, ' ');
    assign(device.name, device.has_name, name);
    assign(device.device_id, device.has_device_id, device_id);
    device.registered = device.created;
    const bool fits = !device.registration_id.empty() &&
                      device.registration_id.size() <= api::kRegistrationBytesMax &&
                      is_within(device.name, api::kDeviceNameCharsMax) &&
                      device.device_id.size() <= api::kDeviceIdBytesMax;
    return fits ? Fate::imported : Fate::bad_text;
}

Fate decode(const Row& row, const Terms& terms, store::Token& token) {
    const PgDump::Field text = row[Column::token];
    const PgDump::Field name = row[Column::name];
    const PgDump::Field apns_device = row[Column::apns_device_id];
    const PgDump::Field device_field = apns_device ? apns_device : row[Column::gcm_device_id];
    UnixTime created;
    token = {};
    if (!row[Column::owner_id]) return Fate::no_account;
    if (!device_field) return Fate::no_device;
    const auto owner = parse_uuid(row[Column::owner_id]);
    const auto device = parse_uuid(device_field);
    const bool is_sound = owner && device && text && is_token(*text) && is_valid(name) &&
                          read_date(row[Column::date_created], terms.now, created);
    if (!is_sound) return Fate::bad_value;
    store::set_lifetime(token, created, terms.token_lifetime);
    if (token.expires <= terms.now) return Fate::expired;
    token.text = *text;
    token.account = *owner;
    token.device = *device;
    token.kind = apns_device ? store::DeviceKind::apns : store::DeviceKind::gcm;
    assign(token.name, token.has_name, name);
    return is_within(token.name, api::kTokenNameCharsMax) ? Fate::imported : Fate::bad_text;
}

}  // namespace knuckle::migrate
