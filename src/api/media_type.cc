// SPDX-License-Identifier: GPL-3.0-or-later
#include "api/media_type.h"

#include <algorithm>
#include <cstddef>

#include "base/text.h"

namespace knuckle::api {

namespace {

// Takes what stands before the first of `ends` from the front of `text`.
std::string_view take_until(std::string_view& text, std::string_view ends) {
    const std::string_view taken = text.substr(0, text.find_first_of(ends));
    text.remove_prefix(taken.size());
    return taken;
}

// Takes one parameter's value, behind its '=', from the front of `text`.
std::string_view take_value(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    if (!text.starts_with('"')) return trim(take_until(text, ";"));
    size_t end = 1;
    while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? size_t{2} : size_t{1};
    end = std::min(end, text.size());
    const std::string_view value = text.substr(1, end - 1);
    text.remove_prefix(end);
    return value;
}

bool is_zero(std::string_view quality) {
    return !quality.empty() && quality.find_first_not_of("0.") == std::string_view::npos;
}

// How closely a media range names application/json; 0: not at all (RFC 9110 12.5.1).
uint8_t precedence_for_json(std::string_view range) {
    if (equal_ignoring_case(range, "application/json")) return 3;
    if (equal_ignoring_case(range, "application/*")) return 2;
    return range == "*/*" || range == "*" ? 1 : 0;
}

}  // namespace

std::string_view media_type_of(std::string_view field) {
    return trim(field.substr(0, field.find(';')));
}

std::optional<std::string_view> find_parameter(std::string_view field, std::string_view name) {
    take_until(field, ";");
    while (field.starts_with(';')) {
        field.remove_prefix(1);
        const std::string_view candidate = trim(take_until(field, "=;"));
        if (!field.starts_with('=')) continue;
        field.remove_prefix(1);
        const std::string_view value = take_value(field);
        if (equal_ignoring_case(candidate, name)) return value;
        take_until(field, ";");
    }
    return std::nullopt;
}

void Acceptance::add(std::string_view field) {
    while (!field.empty()) {
        const size_t comma = field.find(',');
        add_range(trim(field.substr(0, comma)));
        field.remove_prefix(comma == std::string_view::npos ? field.size() : comma + 1);
    }
}

void Acceptance::add_range(std::string_view range) {
    if (range.empty()) return;
    names_any_ = true;
    const std::string_view type = media_type_of(range);
    const bool is_taken =
        type.size() == range.size() || !is_zero(find_parameter(range, "q").value_or("1"));
    const uint8_t precedence = precedence_for_json(type);
    if (precedence > precedence_ || (precedence > 0 && precedence == precedence_ && is_taken)) {
        precedence_ = precedence;
        takes_json_ = is_taken;
    }
    if (equal_ignoring_case(type, "text/html") || equal_ignoring_case(type, "text/*"))
        takes_html_ = takes_html_ || is_taken;
}

}  // namespace knuckle::api
