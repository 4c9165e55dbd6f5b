// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/chatsecure_dump.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "base/uuid.h"

namespace knuckle::test {

namespace {

constexpr std::string_view kHead =
    "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 9.6.16\n\n"
    "SET statement_timeout = 0;\nSET client_encoding = 'UTF8';\n"
    "SET standard_conforming_strings = on;\n\n"
    "CREATE TABLE public.django_session (\n    session_key character varying(40) NOT NULL\n);\n\n"
    "COPY public.django_session (session_key) FROM stdin;\nCOPY public.x (y) FROM stdin;\n\\.\n\n";
constexpr std::string_view kTail = "--\n-- PostgreSQL database dump complete\n--\n\n";

constexpr std::string_view kAccounts =
    "accounts_pushuser (password, last_login, is_superuser, username, email, is_active, "
    "date_joined, id)";
constexpr std::string_view kAuthTokens = "authtoken_token (key, created, user_id)";
constexpr std::string_view kDeviceColumns =
    " (name, active, date_created, id, device_id, registration_id, owner_id)";
constexpr std::string_view kTokens =
    "tokens_token (id, name, token, date_created, apns_device_id, gcm_device_id, owner_id)";

std::string begin_of(std::string_view table) {
    return "COPY public." + std::string(table) + " FROM stdin;\n";
}
constexpr std::string_view kEnd = "\\.\n\n";

std::string begin_of_devices(std::string_view kind) {
    return begin_of("devices_" + std::string(kind) + "device" + std::string(kDeviceColumns));
}

enum class Thing : uint64_t { account = 1, auth_token, device, token };

std::array<uint8_t, 20> bytes_of(Thing thing, uint64_t number) {
    Random random(static_cast<uint64_t>(thing) << 56 ^ number);
    std::array<uint8_t, 20> bytes;
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.next() >> 56);
    return bytes;
}

std::string uuid_of(Thing thing, uint64_t number) {
    Uuid uuid;
    const auto bytes = bytes_of(thing, number);
    std::copy_n(bytes.begin(), uuid.bytes.size(), uuid.bytes.begin());
    return uuid.text();
}

class Output {
public:
    explicit Output(const std::string& path) : file_(std::fopen(path.c_str(), "w")) {
        if (file_ == nullptr) throw std::runtime_error("cannot write " + path);
    }
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;
    ~Output() { std::fclose(file_); }
    Output& operator<<(std::string_view text) {
        std::fwrite(text.data(), 1, text.size(), file_);
        return *this;
    }

private:
    std::FILE* file_;
};

}  // namespace

std::string dump_text(const DumpRows& rows, DumpOrder order) {
    const std::vector<std::string> tables = {
        begin_of(kAccounts) + rows.accounts,
        begin_of(kAuthTokens) + rows.auth_tokens,
        begin_of_devices("apns") + rows.apns_devices,
        begin_of_devices("gcm") + rows.gcm_devices,
        begin_of(kTokens) + rows.tokens,
    };
    std::string text(kHead);
    for (size_t i = 0; i < tables.size(); ++i) {
        text += tables[order == DumpOrder::as_pg_dump ? i : tables.size() - 1 - i];
        text += kEnd;
    }
    return text.append(kTail);
}

std::string hours_ago(int64_t hours) {
    using std::chrono::duration_cast;
    const auto then = std::chrono::system_clock::now() - std::chrono::hours(hours);
    const UnixTime time{duration_cast<std::chrono::microseconds>(then.time_since_epoch()).count()};
    std::string text = format_date(time);  // 2026-11-23T01:51:10.000000Z
    text[10] = ' ';
    return text.substr(0, text.size() - 1) + "+00";
}

std::string large_dump_username(uint64_t account) {
    return to_hex(bytes_of(Thing::account, account)).substr(0, 30);
}
std::string large_dump_auth_token(uint64_t account) {
    return to_hex(bytes_of(Thing::auth_token, account));
}
std::string large_dump_token(uint64_t token) { return to_hex(bytes_of(Thing::token, token)); }

void write_large_dump(const std::string& path, const LargeDump& size) {
    Output out(path);
    const std::string date = hours_ago(1);
    out << kHead << begin_of(kAccounts);
    for (uint64_t i = 0; i < size.accounts; ++i) {
        out << "pbkdf2_sha256$150000$Zk3XmM8QdVbW$mQnueSakb748zqBAC1tmWVZsZbi2zPGZarEzTGdfmso=\t\\N"
               "\tf\t"
            << large_dump_username(i) << "\t\tt\t" << date << "\t" << uuid_of(Thing::account, i)
            << "\n";
    }
    out << kEnd << begin_of(kAuthTokens);
    for (uint64_t i = 0; i < size.accounts; ++i) {
        out << large_dump_auth_token(i) << "\t" << date << "\t" << uuid_of(Thing::account, i)
            << "\n";
    }
    out << kEnd << begin_of_devices("apns");
    for (uint64_t i = 0; i < size.accounts; ++i) {
        const std::string digits = to_hex(bytes_of(Thing::device, i));
        out << "\\N\tt\t" << date << "\t" << uuid_of(Thing::device, i) << "\t\\N\t" << digits
            << std::string_view(digits).substr(0, 24) << "\t" << uuid_of(Thing::account, i) << "\n";
    }
    out << kEnd << begin_of_devices("gcm") << kEnd << begin_of(kTokens);
    for (uint64_t i = 0; i < size.tokens; ++i) {
        const uint64_t owner = i % size.accounts;
        out << std::to_string(i + 1) << "\t\\N\t" << large_dump_token(i) << "\t" << date << "\t"
            << uuid_of(Thing::device, owner) << "\t\\N\t" << uuid_of(Thing::account, owner) << "\n";
    }
    out << kEnd << kTail;
}

}  // namespace knuckle::test
