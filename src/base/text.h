// SPDX-License-Identifier: GPL-3.0-or-later
// Small questions about text: ASCII case, white space, numbers, hexadecimal. Locale-free.
// Nothing here allocates but the functions that return std::string. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/time.h"

namespace knuckle {

constexpr char ascii_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b);
[[nodiscard]] std::string to_lower(std::string_view text);

// Without the white space (ASCII) at both ends.
[[nodiscard]] std::string_view trim(std::string_view text);

// The whole text as a decimal number without sign; nothing else, no overflow.
[[nodiscard]] std::optional<uint64_t> parse_decimal(std::string_view text);

// Writes `value` in decimal and returns the text, which points into `storage`.
using DecimalText = std::array<char, 20>;
[[nodiscard]] std::string_view format_decimal(uint64_t value, DecimalText& storage);

// Lower-case hexadecimal. `to` must hold twice as many characters as there are bytes.
void encode_hex(ByteView bytes, char* to);
[[nodiscard]] std::string to_hex(ByteView bytes);
// Either case; false unless the text is exactly 2 * to.size() hexadecimal digits.
[[nodiscard]] bool decode_hex(std::string_view text, MutableBytes to);
[[nodiscard]] bool is_lower_hex(std::string_view text);

// RFC 3339 in UTC with six digits, whole seconds: "2026-11-23T01:51:10.000000Z". The digits are
// always zeros because the two client SDKs read other fractions differently
// (chatsecure-push.md 3.2).
inline constexpr size_t kDateTextSize = 27;
[[nodiscard]] std::string format_date(UnixTime time);

[[nodiscard]] bool is_valid_utf8(std::string_view text);
// Code points of valid UTF-8.
[[nodiscard]] size_t count_code_points(std::string_view text);

}  // namespace knuckle
