// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/document.h"

#include <algorithm>
#include <tuple>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
// The library checks what a table's name begins with twice: first with an assertion, then with a
// proper error. The text is not ours, so only the error may speak.
#define TOML_ASSERT(condition) static_assert(true)
#include <toml++/toml.h>

#include "config/values.h"

namespace knuckle::config {

namespace {

Place place_of(const toml::source_region& region) {
    return {region.begin.line, region.begin.column};
}

Value::Type type_of(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::string:
            return Value::Type::text;
        case toml::node_type::integer:
            return Value::Type::integer;
        case toml::node_type::floating_point:
            return Value::Type::real;
        case toml::node_type::boolean:
            return Value::Type::boolean;
        case toml::node_type::array:
            return Value::Type::list;
        case toml::node_type::table:
            return Value::Type::table;
        default:
            return Value::Type::date;
    }
}

Value convert(const toml::node& node, int depth) {
    Value value;
    value.type = type_of(node);
    value.place = place_of(node.source());
    if (const auto* text = node.as_string()) value.text = text->get();
    if (const auto* integer = node.as_integer()) value.integer = integer->get();
    if (const auto* boolean = node.as_boolean()) value.boolean = boolean->get();
    if (depth == kDepthMax) return value;
    if (const auto* list = node.as_array()) {
        for (const toml::node& item : *list) value.children.push_back(convert(item, depth + 1));
    }
    if (const auto* table = node.as_table()) {
        for (const auto& [key, child] : *table) {
            value.children.push_back(convert(child, depth + 1));
            value.children.back().key = key.str();
            value.children.back().key_place = place_of(key.source());
        }
        // The library's tables are sorted by key.
        std::stable_sort(
            value.children.begin(), value.children.end(), [](const Value& a, const Value& b) {
                return std::tie(a.key_place.line, a.key_place.column) <
                       std::tie(b.key_place.line, b.key_place.column);
            });
    }
    return value;
}

}  // namespace

std::optional<Mistake> parse_document(std::string_view text, Value& root) {
    const toml::parse_result result = toml::parse(text);
    if (!result) {
        const Place place = place_of(result.error().source());
        const std::string what = without_control_characters(result.error().description());
        return Mistake{
            place.line, place.column, "", what + "; nothing after this place has been read"};
    }
    root = convert(result.table(), 0);
    return std::nullopt;
}

}  // namespace knuckle::config
