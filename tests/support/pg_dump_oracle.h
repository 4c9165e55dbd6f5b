// SPDX-License-Identifier: GPL-3.0-or-later
// What must hold for migrate::PgDump, and for what reads its rows, whatever the bytes of a file:
// the same items come out however the bytes arrive, a row has as many fields as its table has
// columns, and what is decoded of one can be stored.
//
//     std::string complaint = test::check_pg_dump(bytes);     empty if all is well
//
// Used by the unit tests and by the fuzz target.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "migrate/pg_dump.h"
#include "migrate/reference.h"
#include "store/schema.h"

namespace knuckle::test {

// One line for each item, and one for how it ended.
struct DumpReading {
    std::string items;
    std::string complaint;
};

template <typename Record>
bool decodes_to_what_fits(const migrate::Row& row) {
    const migrate::Terms terms{.app = "chat", .token_lifetime = hours(1), .now = {1}};
    Record record;
    if (migrate::decode(row, terms, record) != migrate::Fate::imported) return true;
    if constexpr (requires(store::PlainBytes& plain) { store::encode(record, plain); }) {
        store::PlainBytes plain;
        return !store::encode(record, plain).empty();
    }
    return true;
}

inline bool has_sound_records(const migrate::Row& row) {
    switch (row.source()) {
        case migrate::Source::accounts:
            return decodes_to_what_fits<store::Account>(row);
        case migrate::Source::auth_tokens:
            return decodes_to_what_fits<migrate::AuthToken>(row);
        case migrate::Source::apns_devices:
        case migrate::Source::gcm_devices:
            return decodes_to_what_fits<store::Device>(row);
        case migrate::Source::tokens:
            return decodes_to_what_fits<store::Token>(row);
    }
    return true;
}

inline DumpReading read_dump(ByteView bytes, size_t piece_size) {
    using Item = migrate::PgDump::Item;
    migrate::PgDump dump;
    DumpReading reading;
    std::optional<migrate::Layout> layout;
    for (size_t begin = 0; begin < bytes.size(); begin += piece_size) {
        // A block of its own, gone as soon as it is read.
        const ByteView piece = bytes.subspan(begin, std::min(piece_size, bytes.size() - begin));
        const std::vector<uint8_t> copy(piece.begin(), piece.end());
        dump.feed(copy);
        for (;;) {
            const auto item = dump.next();
            if (!item) {
                reading.items += std::string("error ") + item.error().what;
                return reading;
            }
            if (*item == Item::need_more) break;
            reading.items += std::to_string(static_cast<int>(*item)) + " " +
                             std::to_string(dump.line()) + " " + std::string(dump.table());
            if (*item == Item::table) {
                layout.reset();
                const auto source = migrate::source_of(dump.table());
                if (!source && dump.table() == "skipped") dump.skip_table();
                if (source) {
                    auto made = migrate::Layout::of(*source, dump.columns());
                    if (made) layout = *made;
                }
                for (const std::string& column : dump.columns()) reading.items += "," + column;
            }
            if (*item == Item::row) {
                if (dump.fields().size() != dump.columns().size())
                    reading.complaint = "a row that does not fit its table";
                for (const auto& field : dump.fields())
                    reading.items += field ? "\t=" + std::string(*field) : "\tnull";
                if (layout && !has_sound_records(migrate::Row(*layout, dump.fields())))
                    reading.complaint = "a record that cannot be stored";
            }
            reading.items += '\n';
        }
    }
    reading.items += dump.finish() ? "whole" : "truncated";
    if (dump.is_complete()) reading.items += ", complete";
    return reading;
}

inline std::string check_pg_dump(ByteView bytes) {
    const DumpReading whole = read_dump(bytes, bytes.size() + 1);
    if (!whole.complaint.empty()) return whole.complaint;
    for (const size_t size : {1, 2, 7, 64}) {
        if (read_dump(bytes, size).items != whole.items)
            return "other items in pieces of " + std::to_string(size);
    }
    return "";
}

}  // namespace knuckle::test
