// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/reading.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "config/values.h"

namespace knuckle::config {

namespace {

using Type = Value::Type;

std::string_view name_of(Type type) {
    switch (type) {
        case Type::text:
            return "a text";
        case Type::integer:
            return "a whole number";
        case Type::real:
            return "a number with a fraction";
        case Type::boolean:
            return "true or false";
        case Type::date:
            return "a date or time";
        case Type::list:
            return "a list";
        case Type::table:
            return "a table";
    }
    return "";
}

std::string quoted(std::string_view text) { return '"' + without_control_characters(text) + '"'; }

// "[admin]", or what to call the keys before the first table.
std::string called(std::string_view table) {
    return table.empty() ? "the top of the file" : "[" + std::string(table) + "]";
}

std::string join(std::string_view table, std::string_view key) {
    const bool is_bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
    });
    std::string path(table);
    if (!path.empty()) path += '.';
    return path + (is_bare ? std::string(key) : quoted(key));
}

// A misspelt key is near to the right one: one slip for every three letters, and never more than
// three.
bool is_near(std::string_view key, std::string_view known) {
    if (key.size() > 64) return false;
    const size_t allowed = std::clamp<size_t>(known.size() / 3, 1, 3);
    return edit_distance(key, known) <= allowed;
}

}  // namespace

void Reading::add_mistake(Place place, std::string key, std::string text) {
    mistakes_.push_back({place.line, place.column, std::move(key), std::move(text)});
}

std::string Reading::advice(const Unknown& unknown) const {
    const Known* nearest = nullptr;
    std::string all;
    for (const Known& known : known_) {
        if (known.table != unknown.table) continue;
        all += (all.empty() ? "" : ", ") + known.key;
        if (!is_near(unknown.key, known.key)) continue;
        if (nearest == nullptr ||
            edit_distance(unknown.key, known.key) < edit_distance(unknown.key, nearest->key)) {
            nearest = &known;
        }
    }
    if (nearest != nullptr) return "did you mean " + nearest->key + "?";
    for (const Known& known : known_) {
        if (known.key == unknown.key) return "it belongs to " + called(known.table);
    }
    return called(unknown.table) + " knows " + all;
}

std::vector<Mistake> Reading::finish() {
    for (const Unknown& unknown : unknown_) {
        add_mistake(
            unknown.place, join(unknown.table, unknown.key), "unknown key; " + advice(unknown));
    }
    unknown_.clear();
    std::stable_sort(mistakes_.begin(), mistakes_.end(), [](const Mistake& a, const Mistake& b) {
        return std::tie(a.line, a.column) < std::tie(b.line, b.column);
    });
    return std::move(mistakes_);
}

Table::Table(Reading& reading, const Value* value, std::string path)
    : reading_(reading), value_(value), path_(std::move(path)) {}

std::string Table::path_of(std::string_view key) const { return join(path_, key); }

const Value* Table::find(std::string_view key) const {
    if (value_ == nullptr) return nullptr;
    const auto found = std::find_if(value_->children.begin(),
                                    value_->children.end(),
                                    [key](const Value& child) { return child.key == key; });
    return found == value_->children.end() ? nullptr : &*found;
}

const Value* Table::ask(std::string_view key,
                        Type type,
                        std::string_view wanted,
                        std::string_view hint) {
    known_.emplace_back(key);
    const Value* const value = find(key);
    if (value == nullptr) {
        reading_.absent_.push_back(path_of(key));
        if (!hint.empty())
            add_mistake(key, "missing; " + called(path_) + " needs it: " + std::string(hint));
        return nullptr;
    }
    if (value->type != type) {
        add_wrong_type(*value, path_of(key), wanted);
        return nullptr;
    }
    if (type == Type::text && has_control_characters(value->text)) {
        add_mistake(key,
                    "has a line break or another control character in it; " + std::string(wanted) +
                        " has none");
        return nullptr;
    }
    if (type == Type::text && value->text.empty() && !hint.empty()) {
        add_mistake(key, "is empty; " + called(path_) + " needs it: " + std::string(hint));
        return nullptr;
    }
    return value;
}

void Table::add_wrong_type(const Value& value, std::string_view key, std::string_view wanted) {
    reading_.add_mistake(
        value.place,
        std::string(key),
        "is " + std::string(name_of(value.type)) + ", must be " + std::string(wanted));
}

void Table::add_mistake(std::string_view key, std::string text) {
    const Value* const value = find(key);
    reading_.add_mistake(value == nullptr ? place() : value->place, path_of(key), std::move(text));
}

bool Table::has(std::string_view key) const {
    const Value* const value = find(key);
    const bool is_container =
        value != nullptr && (value->type == Type::list || value->type == Type::table);
    return value != nullptr && !(is_container && value->children.empty());
}

bool Table::text(std::string_view key, std::string& to, std::string_view hint) {
    const Value* const value = ask(key, Type::text, "a text", hint);
    if (value == nullptr) return false;
    to = value->text;
    return true;
}

bool Table::word(std::string_view key, std::string& to, std::span<const std::string_view> words) {
    std::string wanted;
    for (const std::string_view word : words) {
        if (!wanted.empty()) wanted += word == words.back() ? " or " : ", ";
        wanted += quoted(word);
    }
    const Value* const value = ask(key, Type::text, wanted);
    if (value == nullptr) return false;
    if (std::find(words.begin(), words.end(), value->text) == words.end()) {
        add_mistake(key, "must be " + wanted);
        return false;
    }
    to = value->text;
    return true;
}

bool Table::file(std::string_view key, std::string& to, std::string_view hint) {
    const Value* const value = ask(key, Type::text, "the name of a file", hint);
    if (value == nullptr) return false;
    if (const char* mistake = mistake_in_file_name(value->text)) {
        add_mistake(key, mistake);
        return false;
    }
    to = value->text;
    resolve(to);
    return true;
}

void Table::resolve(std::string& file) const {
    const bool is_relative =
        !file.empty() && file.front() != '/' && !file.starts_with(kCredentialPrefix);
    if (is_relative && !reading_.folder_.empty()) file = reading_.folder_ + "/" + file;
}

bool Table::boolean(std::string_view key, bool& to) {
    const Value* const value = ask(key, Type::boolean, "true or false");
    if (value == nullptr) return false;
    to = value->boolean;
    return true;
}

bool Table::whole(std::string_view key, uint32_t& to, uint32_t min, uint32_t max) {
    const std::string wanted =
        "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
    const Value* const value = ask(key, Type::integer, wanted);
    if (value == nullptr) return false;
    if (value->integer < int64_t{min} || value->integer > int64_t{max}) {
        add_mistake(key, "is " + std::to_string(value->integer) + ", must be " + wanted);
        return false;
    }
    to = static_cast<uint32_t>(value->integer);
    return true;
}

bool Table::duration(std::string_view key, Duration& to, Duration min, Duration max) {
    const std::string wanted =
        "a duration from " + format_duration(min) + " to " + format_duration(max);
    // Both "2s" and 2 are durations; whatever else it is, it should have been a text.
    const Value* const found = find(key);
    const bool is_number = found != nullptr && found->type == Type::integer;
    const Value* const value =
        ask(key, is_number ? Type::integer : Type::text, wanted + ", such as \"2s\"");
    if (value == nullptr) return false;
    const int64_t longest = to_seconds(max) + 1;
    const Result<Duration> duration =
        is_number ? seconds(std::clamp<int64_t>(value->integer, -1, longest))
                  : parse_duration(value->text);
    if (!duration && duration.error().code != Errc::limit) {
        add_mistake(key, duration.error().what);
        return false;
    }
    if (!duration || *duration < min || *duration > max) {
        const std::string given =
            is_number ? std::to_string(value->integer) + " seconds" : value->text;
        add_mistake(key, "is " + given + ", must be " + wanted);
        return false;
    }
    to = *duration;
    return true;
}

bool Table::rate(std::string_view key, Rate& to, Duration interval_max) {
    const Value* const value = ask(key, Type::text, "a rate, such as \"30 per minute\"");
    if (value == nullptr) return false;
    const Result<Rate> rate = parse_rate(value->text);
    if (!rate) {
        add_mistake(key, rate.error().what);
        return false;
    }
    if (rate->count != 0 && rate->period.ns / rate->count > interval_max.ns) {
        add_mistake(
            key,
            "is " + value->text + ", must be at least one in " + format_duration(interval_max));
        return false;
    }
    to = *rate;
    return true;
}

bool Table::address(std::string_view key, Address& to, std::string_view hint) {
    const Value* const value =
        ask(key, Type::text, "an address such as \"127.0.0.1:8080\" or \"unix:/path\"", hint);
    if (value == nullptr) return false;
    Result<Address> address = parse_address(value->text);
    if (!address) {
        add_mistake(key, address.error().what);
        return false;
    }
    resolve(address->unix_path);
    if (address->unix_path.size() > kUnixPathMax) {
        add_mistake(key,
                    "is too long; the path of a socket has at most " +
                        std::to_string(kUnixPathMax) + " bytes");
        return false;
    }
    to = std::move(*address);
    return true;
}

std::vector<const Value*> Table::texts(std::string_view key) {
    const Value* const list = ask(key, Type::list, "a list of texts");
    std::vector<const Value*> items;
    if (list == nullptr) return items;
    for (const Value& item : list->children) {
        if (item.type == Type::text) {
            items.push_back(&item);
        } else {
            add_wrong_type(item, path_of(key), "a text");
        }
    }
    return items;
}

const Value* Table::table(std::string_view key) {
    return ask(key, Type::table, "a table: [" + path_of(key) + "]");
}

std::vector<const Value*> Table::tables(std::string_view key) {
    const std::string wanted = "a list of tables: [[" + path_of(key) + "]]";
    const Value* const list = ask(key, Type::list, wanted);
    std::vector<const Value*> items;
    if (list == nullptr) return items;
    for (const Value& item : list->children) {
        if (item.type == Type::table) {
            items.push_back(&item);
        } else {
            add_wrong_type(item, path_of(key), wanted);
        }
    }
    return items;
}

std::vector<const Value*> Table::named_tables() {
    std::vector<const Value*> items;
    if (value_ == nullptr) return items;
    for (const Value& child : value_->children) {
        known_.push_back(child.key);
        if (child.type == Type::table) {
            items.push_back(&child);
        } else {
            add_wrong_type(child, path_of(child.key), "a table: [" + path_of(child.key) + "]");
        }
    }
    return items;
}

void Table::finish() {
    for (const std::string& key : known_) {
        const bool is_new = std::none_of(
            reading_.known_.begin(), reading_.known_.end(), [&](const Reading::Known& k) {
                return k.table == path_ && k.key == key;
            });
        if (is_new) reading_.known_.push_back({path_, key});
    }
    if (value_ == nullptr) return;
    for (const Value& child : value_->children) {
        if (std::find(known_.begin(), known_.end(), child.key) == known_.end()) {
            reading_.unknown_.push_back({child.key_place, path_, child.key});
        }
    }
}

}  // namespace knuckle::config
