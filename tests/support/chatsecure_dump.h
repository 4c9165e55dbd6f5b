// SPDX-License-Identifier: GPL-3.0-or-later
// Dumps of the reference's database as pg_dump writes them (chatsecure-push.md 8.3): one of rows
// that a test writes by hand, and one as large as one likes.
//
//     DumpRows rows;
//     rows.accounts = "pbkdf2_sha256$...\t\\N\tf\tanna\t...\n";
//     dir.write("dump.sql", dump_text(rows));
//
// Columns are not in the order in which anybody would write them down, as in real dumps.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace knuckle::test {

// Lines, each ending in LF; the columns are those of the headers in chatsecure_dump.cc.
struct DumpRows {
    std::string accounts;      // password last_login is_superuser username email is_active
                               // date_joined id
    std::string auth_tokens;   // key created user_id
    std::string apns_devices;  // name active date_created id device_id registration_id owner_id
    std::string gcm_devices;   // the same
    std::string tokens;        // id name token date_created apns_device_id gcm_device_id owner_id
};

enum class DumpOrder : uint8_t { as_pg_dump, reversed };
[[nodiscard]] std::string dump_text(const DumpRows& rows, DumpOrder order = DumpOrder::as_pg_dump);

// As PostgreSQL writes a time, `hours` ago.
[[nodiscard]] std::string hours_ago(int64_t hours);

// Each account has one phone; the tokens are dealt out in turn.
struct LargeDump {
    uint64_t accounts = 0;
    uint64_t tokens = 0;
};
void write_large_dump(const std::string& path, const LargeDump& size);
// What its rows say.
[[nodiscard]] std::string large_dump_username(uint64_t account);
[[nodiscard]] std::string large_dump_auth_token(uint64_t account);
[[nodiscard]] std::string large_dump_token(uint64_t token);

}  // namespace knuckle::test
