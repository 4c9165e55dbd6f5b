// SPDX-License-Identifier: GPL-3.0-or-later
// A UUID (RFC 9562) as 16 bytes; the identity of accounts, devices and pushes. Any thread.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace knuckle {

struct Uuid {
    static constexpr size_t kTextSize = 36;

    std::array<uint8_t, 16> bytes{};

    auto operator<=>(const Uuid&) const = default;

    [[nodiscard]] ByteView view() const { return bytes; }
    // Lower case, 8-4-4-4-12; `to` holds kTextSize characters.
    void format(char* to) const;
    [[nodiscard]] std::string text() const;
    // Either case, with the four dashes or with none.
    [[nodiscard]] static std::optional<Uuid> parse(std::string_view text);
    // Version 4 from 16 random bytes.
    [[nodiscard]] static Uuid from_random(std::array<uint8_t, 16> random);
};

}  // namespace knuckle
