// SPDX-License-Identifier: GPL-3.0-or-later
// Appends what a JsonWriter writes to a string.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "base/json.h"

namespace knuckle::api {

// The most that a text takes as a JSON string with its quotes, a comma and a colon: "\u0000" for
// each byte.
constexpr size_t json_size_max(std::string_view text) { return text.size() * 6 + 4; }

// `write(JsonWriter&)` writes at most `size_max` bytes.
template <typename Write>
void append_json(std::string& to, size_t size_max, Write write) {
    const size_t size = to.size();
    to.resize(size + size_max);
    JsonWriter json({to.data() + size, size_max});
    write(json);
    KNUCKLE_ASSERT(json.fits());
    to.resize(size + json.text().size());
}

}  // namespace knuckle::api
