// SPDX-License-Identifier: GPL-3.0-or-later
// Views of bytes and of text, and the way between them. A view owns nothing: whoever hands one out
// says how long it lives. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace knuckle {

using ByteView = std::span<const uint8_t>;
using MutableBytes = std::span<uint8_t>;

inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

inline std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// memcpy that accepts empty views, whose data() may be null.
inline void copy_bytes(uint8_t* to, ByteView from) {
    if (!from.empty()) std::memcpy(to, from.data(), from.size());
}

}  // namespace knuckle
