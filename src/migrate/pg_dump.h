// SPDX-License-Identifier: GPL-3.0-or-later
// Reads the text that pg_dump writes, as a stream: which tables are in it, and their rows.
//
//     PgDump dump;
//     dump.feed(bytes);                              they must stay until next() says need_more
//     switch (KNUCKLE_TRY(dump.next())) {
//         case need_more:     feed more, or at the end of the file finish()
//         case table:         table(), columns(); then its rows, unless skip_table() is called
//         case row:           field(i) of line()
//         case bad_row:       line() cannot be read; the next one can
//         case end_of_table:  go on
//         case insert:        a row of table() as an INSERT statement, which is not taken apart
//     }
//
// What is read of SQL is one statement, as it stands in every plain dump (PostgreSQL's manual,
// COPY, "Text Format"); all else is passed over:
//
//     COPY public.tokens_token (id, token, name) FROM stdin;
//     17<tab>1daf13e0...<tab>\N                      one row, its fields escaped by backslashes
//     \.
//
// Lines may end in CR LF, as on files that came through Windows.
// Errors: what is no plain dump in UTF-8 is refused in words that say how to make one, and so is
// one that ends within a table. Memory: a line, and the same once more.  Limits: below.
// Owner: migrate::Import.  Thread: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace knuckle::migrate {

inline constexpr size_t kLineMax = 256 * 1024;  // a longer row is bad_row
inline constexpr size_t kColumnsMax = 1'600;    // PostgreSQL's own; more make bad rows

class PgDump {
public:
    enum class Item : uint8_t { need_more, table, row, bad_row, end_of_table, insert };
    // Empty: null.
    using Field = std::optional<std::string_view>;

    // From the beginning of the file.
    void restart();
    void feed(ByteView bytes);
    Result<Item> next();
    // At the end of the file.
    [[nodiscard]] Result<void> finish() const;

    // Of this table nothing more comes but its end.
    void skip_table() { is_skipping_ = true; }

    // Without its schema.
    [[nodiscard]] std::string_view table() const { return table_; }
    [[nodiscard]] std::span<const std::string> columns() const { return columns_; }
    // As many as there are columns. Valid until next().
    [[nodiscard]] std::span<const Field> fields() const { return fields_; }
    // Of the last item, counted from 1.
    [[nodiscard]] uint64_t line() const { return line_number_; }
    // Has the line been seen that pg_dump writes last?
    [[nodiscard]] bool is_complete() const { return is_complete_; }

private:
    [[nodiscard]] std::optional<std::string_view> next_line();
    Result<Item> read_statement(std::string_view line);
    [[nodiscard]] Item read_row(std::string_view line);
    [[nodiscard]] bool split(std::string_view line);

    ByteView rest_;         // of what was fed
    std::string gathered_;  // the front of a line that came in pieces
    bool is_too_long_ = false;
    bool gives_up_gathered_ = false;  // the line in `gathered_` was handed out
    uint64_t line_number_ = 0;
    bool is_in_table_ = false;
    bool is_skipping_ = false;
    bool is_complete_ = false;
    std::string table_;
    std::vector<std::string> columns_;
    std::vector<Field> fields_;
    std::string text_;  // what the fields point into
};

}  // namespace knuckle::migrate
