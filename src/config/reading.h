// SPDX-License-Identifier: GPL-3.0-or-later
// Reads a document key by key and gathers everything that is wrong with it.
//
//     Reading reading(folder);
//     Table table(reading, root, "");
//     if (table.whole("workers", config.workers, 0, 128)) ...         true: it was there and right
//     table.finish();                          after the last key: the rest is unknown
//     std::vector<Mistake> mistakes = reading.finish();       after the last table
//
// A value is left alone unless what stands in the document is right, so it keeps its default.
// Tables that are absent are read as well: that is how their required keys are missed and how
// suggestions know of all keys. `hint` says what a required key is for; a key without a hint is
// optional. Owner: read_config(), for the time of one load.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "config/config.h"
#include "config/document.h"

namespace knuckle::config {

class Reading {
public:
    // Relative file names are relative to `folder`; if it is empty they are left alone.
    explicit Reading(std::string folder) : folder_(std::move(folder)) {}

    void add_mistake(Place place, std::string key, std::string text);
    // The mistakes in the order of the text, those about the whole file first.
    [[nodiscard]] std::vector<Mistake> finish();

    // Dotted keys that were asked for and are not in the document.
    [[nodiscard]] const std::vector<std::string>& absent() const { return absent_; }

private:
    friend class Table;

    struct Unknown {
        Place place;
        std::string table;
        std::string key;
    };
    struct Known {
        std::string table;
        std::string key;
    };
    [[nodiscard]] std::string advice(const Unknown& unknown) const;

    std::string folder_;
    std::vector<Mistake> mistakes_;
    std::vector<Known> known_;
    std::vector<std::string> absent_;
    std::vector<Unknown> unknown_;
};

class Table {
public:
    // `value` may be null: the table is absent. `path` is its dotted key, empty for the document
    // itself.
    Table(Reading& reading, const Value* value, std::string path);

    bool text(std::string_view key, std::string& to, std::string_view hint = {});
    bool word(std::string_view key, std::string& to, std::span<const std::string_view> words);
    bool file(std::string_view key, std::string& to, std::string_view hint = {});
    bool boolean(std::string_view key, bool& to);
    bool whole(std::string_view key, uint32_t& to, uint32_t min, uint32_t max);
    bool duration(std::string_view key, Duration& to, Duration min, Duration max);
    // At least one each `interval_max`, or "off".
    bool rate(std::string_view key, Rate& to, Duration interval_max = hours(24));
    bool address(std::string_view key, Address& to, std::string_view hint = {});
    // The items of a list of texts; items that are no texts are reported and left out.
    [[nodiscard]] std::vector<const Value*> texts(std::string_view key);
    // A table in this one, null if absent.
    [[nodiscard]] const Value* table(std::string_view key);
    // The tables of a list of tables, as in [[listen]].
    [[nodiscard]] std::vector<const Value*> tables(std::string_view key);
    // All tables in this one, whatever their names.
    [[nodiscard]] std::vector<const Value*> named_tables();

    // A mistake at the key's value, or at the table if the key is absent.
    void add_mistake(std::string_view key, std::string text);
    void finish();

    // There in any form: an empty list or table is not.
    [[nodiscard]] bool has(std::string_view key) const;
    // Of its header; none for the document itself and for an absent table.
    [[nodiscard]] Place place() const {
        return value_ == nullptr || path_.empty() ? Place{} : value_->place;
    }
    [[nodiscard]] std::string path_of(std::string_view key) const;

private:
    [[nodiscard]] const Value* find(std::string_view key) const;
    // Notes that the key exists; the value if it is there and of the type, which is a mistake if it
    // is not.
    const Value* ask(std::string_view key,
                     Value::Type type,
                     std::string_view wanted,
                     std::string_view hint = {});
    void add_wrong_type(const Value& value, std::string_view key, std::string_view wanted);
    void resolve(std::string& file) const;

    Reading& reading_;
    const Value* value_;
    std::string path_;
    std::vector<std::string> known_;
};

}  // namespace knuckle::config
