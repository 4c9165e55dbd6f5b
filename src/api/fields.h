// SPDX-License-Identifier: GPL-3.0-or-later
// The members of a body that its endpoint knows, with what was sent for each. Plain values: who
// fills them says how long the texts live. Thread: its worker's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/assert.h"

namespace knuckle::api {

inline constexpr size_t kFieldsMax = 5;

struct Value {
    enum class Kind : uint8_t { absent, null, text, number, boolean, object, array };
    Kind kind = Kind::absent;
    // text: unescaped.  number: in decimal.  boolean: "true" or "false".
    // object: its JSON without white space, or nothing if that is longer than kExtraBytesMax.
    std::string_view text;
};

class Fields {
public:
    explicit Fields(std::span<const std::string_view> names) : names_(names) {
        KNUCKLE_ASSERT(names.size() <= kFieldsMax);
    }

    [[nodiscard]] std::optional<size_t> index_of(std::string_view name) const {
        for (size_t i = 0; i < names_.size(); ++i) {
            if (names_[i] == name) return i;
        }
        return std::nullopt;
    }
    Value& operator[](size_t index) { return values_[index]; }
    const Value& operator[](size_t index) const { return values_[index]; }
    [[nodiscard]] std::string_view name(size_t index) const { return names_[index]; }
    [[nodiscard]] size_t size() const { return names_.size(); }

    // A form has no null: where null may stand, an empty text means it.
    bool is_form = false;

private:
    std::span<const std::string_view> names_;
    std::array<Value, kFieldsMax> values_;
};

}  // namespace knuckle::api
