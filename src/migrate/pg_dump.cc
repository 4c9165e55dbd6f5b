// SPDX-License-Identifier: GPL-3.0-or-later
#include "migrate/pg_dump.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace knuckle::migrate {

namespace {

constexpr std::string_view kEndOfTable = "\\.";
constexpr std::string_view kNull = "\\N";

// Takes `words` off the front of `rest`, with the blanks behind them.
bool take(std::string_view& rest, std::string_view words) {
    if (!rest.starts_with(words)) return false;
    rest.remove_prefix(words.size());
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    return true;
}

// An identifier off the front of `rest`, with or without quotes. False: there is none.
bool take_name(std::string_view& rest, std::string& name) {
    name.clear();
    if (!rest.starts_with('"')) {
        const size_t end = std::min(rest.find_first_of(" .,();\""), rest.size());
        name = rest.substr(0, end);
        take(rest, name);
        return !name.empty();
    }
    for (size_t at = 1; at < rest.size(); ++at) {
        if (rest[at] == '"') {
            if (at + 1 == rest.size() || rest[at + 1] != '"') {
                take(rest, rest.substr(0, at + 1));
                return !name.empty();
            }
            ++at;
        }
        name += rest[at];
    }
    return false;
}

// public.tokens_token: what stands last.
bool take_table(std::string_view& rest, std::string& table) {
    do {
        if (!take_name(rest, table)) return false;
    } while (take(rest, "."));
    return true;
}

// (id, token, name); none if there are no brackets.
bool take_columns(std::string_view& rest, std::vector<std::string>& columns) {
    columns.clear();
    if (!take(rest, "(")) return true;
    std::string name;
    while (columns.size() < kColumnsMax && take_name(rest, name)) {
        columns.push_back(name);
        if (take(rest, ")")) return true;
        if (!take(rest, ",")) return false;
    }
    return false;
}

// The value of a digit of base 8 or 16; -1 if it is none.
int digit(char c, int base) {
    const char lower = ascii_lower(c);
    if (lower >= '0' && lower <= '9') return lower - '0' < base ? lower - '0' : -1;
    return base == 16 && lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// At most `count_max` digits off the front of `rest`; empty if there is none.
std::optional<char> take_code(std::string_view& rest, int base, size_t count_max) {
    int code = 0;
    size_t count = 0;
    while (count < count_max && count < rest.size() && digit(rest[count], base) >= 0) {
        code = code * base + digit(rest[count++], base);
    }
    if (count == 0) return std::nullopt;
    rest.remove_prefix(count);
    return static_cast<char>(static_cast<uint8_t>(code & 0xff));
}

// What a backslash and that which follows it stand for; `rest` begins behind the backslash and is
// not empty.
char take_escape(std::string_view& rest) {
    constexpr std::string_view kLetters = "bfnrtv";
    constexpr std::string_view kMeanings = "\b\f\n\r\t\v";
    if (const auto code = take_code(rest, 8, 3)) return *code;
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c == 'x') return take_code(rest, 16, 2).value_or('x');
    const size_t at = kLetters.find(c);
    return at == std::string_view::npos ? c : kMeanings[at];
}

constexpr Error kCustomFormat =
    fail(Errc::invalid,
         "is a dump in PostgreSQL's custom format; make a plain one of it: pg_restore -f dump.sql "
         "FILE");
constexpr Error kCompressed = fail(Errc::invalid, "is compressed; give what is in it");
constexpr Error kForeignText =
    fail(Errc::invalid, "is not in UTF-8; make it anew with pg_dump --encoding=UTF8");
constexpr Error kTruncated =
    fail(Errc::invalid, "ends in the middle of a table; it was cut off, make or copy it anew");

// By its first line, a file that cannot be what it should.
Result<void> refuse(std::string_view line) {
    if (line.starts_with("PGDMP")) return kCustomFormat;
    for (const std::string_view magic : {"\x1f\x8b", "BZh", "\xfd\x37zXZ", "\x28\xb5\x2f\xfd"}) {
        if (line.starts_with(magic)) return kCompressed;
    }
    return {};
}

}  // namespace

void PgDump::restart() { *this = PgDump(); }

void PgDump::feed(ByteView bytes) { rest_ = bytes; }

// A view into what was fed, or into `gathered_`; an overlong line comes as its beginning.
std::optional<std::string_view> PgDump::next_line() {
    if (gives_up_gathered_) {
        gathered_.clear();
        gives_up_gathered_ = false;
        is_too_long_ = false;
    }
    if (rest_.empty()) return std::nullopt;
    const auto* const end =
        static_cast<const uint8_t*>(std::memchr(rest_.data(), '\n', rest_.size()));
    const size_t size = end == nullptr ? rest_.size() : static_cast<size_t>(end - rest_.data());
    std::string_view line = as_text(rest_.first(size));
    rest_ = rest_.subspan(end == nullptr ? size : size + 1);
    if (end == nullptr || !gathered_.empty() || line.size() > kLineMax) {
        const size_t room = kLineMax - gathered_.size();
        is_too_long_ |= line.size() > room;
        gathered_ += line.substr(0, room);
        if (end == nullptr) return std::nullopt;
        gives_up_gathered_ = true;
        line = gathered_;
    }
    ++line_number_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

Result<PgDump::Item> PgDump::next() {
    while (const auto line = next_line()) {
        if (line_number_ == 1) KNUCKLE_TRY(refuse(*line));
        if (is_in_table_) {
            if (*line == kEndOfTable && !is_too_long_) {
                is_in_table_ = false;
                return Item::end_of_table;
            }
            if (is_skipping_) continue;
            return read_row(*line);
        }
        const Item item = KNUCKLE_TRY(read_statement(*line));
        if (item != Item::need_more) return item;
    }
    return Item::need_more;
}

Result<void> PgDump::finish() const {
    if (is_in_table_) return kTruncated;
    return {};
}

// Item::need_more: nothing of interest.
Result<PgDump::Item> PgDump::read_statement(std::string_view line) {
    if (is_too_long_) return Item::need_more;
    std::string_view rest = line;
    if (take(rest, "COPY ")) {
        const bool is_copy =
            take_table(rest, table_) && take_columns(rest, columns_) && take(rest, "FROM stdin;");
        if (!is_copy) return Item::need_more;
        is_in_table_ = true;
        is_skipping_ = false;
        return Item::table;
    }
    if (take(rest, "INSERT INTO ")) {
        columns_.clear();
        return take_table(rest, table_) ? Item::insert : Item::need_more;
    }
    if (take(rest, "SET client_encoding = ") && rest != "'UTF8';" && rest != "'SQL_ASCII';") {
        return kForeignText;
    }
    is_complete_ |= line == "-- PostgreSQL database dump complete";
    return Item::need_more;
}

PgDump::Item PgDump::read_row(std::string_view line) {
    const bool is_sound = !is_too_long_ && split(line) && fields_.size() == columns_.size();
    return is_sound ? Item::row : Item::bad_row;
}

// False: a backslash ends the line, or there are too many fields.
bool PgDump::split(std::string_view line) {
    fields_.clear();
    text_.clear();
    text_.reserve(line.size());  // nothing grows by being unescaped, so the views stay good
    for (bool is_last = false; !is_last;) {
        const size_t end = line.find('\t');
        std::string_view raw = line.substr(0, end);
        is_last = end == std::string_view::npos;
        line.remove_prefix(is_last ? line.size() : end + 1);
        if (fields_.size() == kColumnsMax) return false;
        if (raw == kNull) {
            fields_.emplace_back();
            continue;
        }
        const size_t begin = text_.size();
        while (!raw.empty()) {
            const size_t plain = std::min(raw.find('\\'), raw.size());
            text_ += raw.substr(0, plain);
            raw.remove_prefix(plain);
            if (raw.empty()) break;
            raw.remove_prefix(1);
            if (raw.empty()) return false;
            text_ += take_escape(raw);
        }
        fields_.emplace_back(std::string_view(text_).substr(begin));
    }
    return true;
}

}  // namespace knuckle::migrate
