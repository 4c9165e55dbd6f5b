// SPDX-License-Identifier: GPL-3.0-or-later
// The tables of the reference server's database (chatsecure-push.md 8.3), and what a row of them is
// to us. Pure functions.
//
//     Layout layout = KNUCKLE_TRY(Layout::of(*source_of(dump.table()), dump.columns()));
//     Fate fate = decode(Row(layout, dump.fields()), terms, account);
//
// Where the two differ:
//   accounts   deactivated ones stay behind, with all that is theirs: we have no such state, and an
//              import must not let somebody in again. A name with which nobody could log in at the
//              API stays behind too (admins can make such). Passwords we cannot verify come along:
//              the app goes on with its auth token. Only the moment of import is known to be use.
//   devices    gcm ones are active, whatever their row says: forms had it wrong (8.1)
//   tokens     `date_expires` is no column: it is date_created and the lifetime in our
//              configuration. Without date_created, in rows older than that column, it counts from
//              the import: the reference still knocked with them.
//              Of two devices it was made for, the APNs one counts.
// Limits of texts are those of the API. Thread: any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "migrate/pg_dump.h"
#include "store/records.h"

namespace knuckle::migrate {

enum class Source : uint8_t { accounts, auth_tokens, apns_devices, gcm_devices, tokens };
inline constexpr size_t kSourceCount = 5;

[[nodiscard]] std::optional<Source> source_of(std::string_view table);
[[nodiscard]] std::string_view table_of(Source source);

// What became of a row.
enum class Fate : uint8_t {
    imported,
    already_there,
    // The rest was skipped.
    unreadable,
    bad_value,
    bad_text,
    bad_username,
    deactivated,
    taken,
    no_account,
    no_device,
    expired,
    over_quota,
    refused,
};
inline constexpr size_t kFateCount = 13;

// For people: why it was skipped.
[[nodiscard]] std::string_view describe(Fate fate);

// The columns we read, of all tables.
enum class Column : uint8_t {
    id,
    username,
    email,
    password,
    is_active,
    date_joined,
    key,
    user_id,
    name,
    active,
    date_created,
    registration_id,
    device_id,
    owner_id,
    token,
    apns_device_id,
    gcm_device_id,
};
inline constexpr size_t kColumnCount = 17;

// Where the columns of a table are in this dump.
class Layout {
public:
    // Errc::invalid if one is missing that every version of the reference has.
    static Result<Layout> of(Source source, std::span<const std::string> columns);

    [[nodiscard]] Source source() const { return source_; }
    [[nodiscard]] std::optional<size_t> index_of(Column column) const {
        return indices_[static_cast<size_t>(column)];
    }

private:
    explicit Layout(Source source) : source_(source) {}

    Source source_;
    std::array<std::optional<size_t>, kColumnCount> indices_;
};

// A row of the dump. Views what it is made of.
class Row {
public:
    Row(const Layout& layout, std::span<const PgDump::Field> fields)
        : layout_(layout), fields_(fields) {}

    // Null too where there is no such column.
    [[nodiscard]] PgDump::Field operator[](Column column) const;
    [[nodiscard]] Source source() const { return layout_.source(); }

private:
    const Layout& layout_;
    std::span<const PgDump::Field> fields_;
};

// What an import is done on.
struct Terms {
    std::string app;  // [apps.NAME]
    Duration token_lifetime;
    UnixTime now;
};

struct AuthToken {
    Uuid account;
    std::string text;
};

// `imported`, with the record filled in, or why not. An account comes without auth token.
[[nodiscard]] Fate decode(const Row& row, const Terms& terms, store::Account& account);
[[nodiscard]] Fate decode(const Row& row, const Terms& terms, AuthToken& auth_token);
[[nodiscard]] Fate decode(const Row& row, const Terms& terms, store::Device& device);
[[nodiscard]] Fate decode(const Row& row, const Terms& terms, store::Token& token);

}  // namespace knuckle::migrate
