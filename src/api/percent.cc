// SPDX-License-Identifier: GPL-3.0-or-later
#include "api/percent.h"

#include <cstddef>

#include "base/text.h"

namespace knuckle::api {

std::string_view percent_decode(std::string_view text, PlusSign plus, Scratch& scratch) {
    const bool has_spaces = plus == PlusSign::means_space;
    if (text.find_first_of(has_spaces ? "%+" : "%") == std::string_view::npos) return text;
    char* const begin = scratch.room(text.size());
    size_t size = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        uint8_t byte = 0;
        if (text[i] == '%' && decode_hex(text.substr(i + 1, 2), {&byte, 1})) {
            begin[size++] = static_cast<char>(byte);
            i += 2;
        } else {
            begin[size++] = has_spaces && text[i] == '+' ? ' ' : text[i];
        }
    }
    return scratch.keep(size);
}

}  // namespace knuckle::api
