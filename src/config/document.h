// SPDX-License-Identifier: GPL-3.0-or-later
// A TOML document (toml.io, version 1.0) as plain values that know their place in the text.
//
//     Value root;
//     std::optional<Mistake> mistake = parse_document(text, root);     the parser stops at its
//     first mistake
//
// document.cc is the only file that sees the TOML library. Places count lines and code points
// from 1. Owner: whoever parses; values own their text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace knuckle::config {

// Deeper tables and lists are left out; the deepest that we know is apps.NAME.apns.hosts.
inline constexpr int kDepthMax = 8;

struct Place {
    uint32_t line = 0;
    uint32_t column = 0;
};

struct Value {
    enum class Type : uint8_t { text, integer, real, boolean, date, list, table };

    Type type = Type::table;
    Place place;
    std::string key;  // its name in the table around it; empty in a list
    Place key_place;
    std::string text;
    int64_t integer = 0;
    bool boolean = false;
    std::vector<Value> children;  // of a table or a list, in the order of the text
};

[[nodiscard]] std::optional<Mistake> parse_document(std::string_view text, Value& root);

}  // namespace knuckle::config
