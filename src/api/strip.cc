// SPDX-License-Identifier: GPL-3.0-or-later
#include "api/strip.h"

#include <algorithm>
#include <cstddef>

namespace knuckle::api {

namespace {

constexpr bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }
constexpr bool is_ascii_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}

// U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000.
constexpr std::string_view kWideSpaces[] = {
    "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81",
    "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86",
    "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8",
    "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80",
};

// Bytes of the white space that `text` begins or ends with; 0: none.
size_t space_at_begin(std::string_view text) {
    if (text.empty()) return 0;
    if (is_ascii(text.front())) return is_ascii_space(text.front()) ? 1 : 0;
    const auto* const space = std::find_if(std::begin(kWideSpaces),
                                           std::end(kWideSpaces),
                                           [text](auto s) { return text.starts_with(s); });
    return space == std::end(kWideSpaces) ? 0 : space->size();
}

size_t space_at_end(std::string_view text) {
    if (text.empty()) return 0;
    if (is_ascii(text.back())) return is_ascii_space(text.back()) ? 1 : 0;
    const auto* const space = std::find_if(std::begin(kWideSpaces),
                                           std::end(kWideSpaces),
                                           [text](auto s) { return text.ends_with(s); });
    return space == std::end(kWideSpaces) ? 0 : space->size();
}

}  // namespace

std::string_view strip(std::string_view text) {
    while (const size_t size = space_at_begin(text)) text.remove_prefix(size);
    while (const size_t size = space_at_end(text)) text.remove_suffix(size);
    return text;
}

}  // namespace knuckle::api
