// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/uuid.h"

#include "base/text.h"

namespace knuckle {

namespace {

// Bytes in each of the five groups of the text form.
constexpr std::array<size_t, 5> kGroups = {4, 2, 2, 2, 6};

}  // namespace

void Uuid::format(char* to) const {
    size_t at = 0;
    for (const size_t size : kGroups) {
        if (at > 0) *to++ = '-';
        encode_hex(view().subspan(at, size), to);
        to += size * 2;
        at += size;
    }
}

std::string Uuid::text() const {
    std::string text(kTextSize, '\0');
    format(text.data());
    return text;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
    Uuid uuid;
    if (text.size() == 32) {
        if (!decode_hex(text, uuid.bytes)) return std::nullopt;
        return uuid;
    }
    if (text.size() != kTextSize) return std::nullopt;
    size_t at = 0;
    for (const size_t size : kGroups) {
        if (at > 0) {
            if (text.front() != '-') return std::nullopt;
            text.remove_prefix(1);
        }
        const MutableBytes group = MutableBytes(uuid.bytes).subspan(at, size);
        if (!decode_hex(text.substr(0, size * 2), group)) return std::nullopt;
        text.remove_prefix(size * 2);
        at += size;
    }
    return uuid;
}

Uuid Uuid::from_random(std::array<uint8_t, 16> random) {
    random[6] = static_cast<uint8_t>((random[6] & 0x0f) | 0x40);
    random[8] = static_cast<uint8_t>((random[8] & 0x3f) | 0x80);
    return Uuid{random};
}

}  // namespace knuckle
