// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/json.h"

#include <cstring>

#include "base/text.h"

namespace knuckle {

JsonWriter& JsonWriter::key(std::string_view name) {
    separate();
    quote(name);
    put(':');
    needs_comma_ = false;
    return *this;
}

JsonWriter& JsonWriter::string(std::string_view text) {
    separate();
    quote(text);
    return *this;
}

JsonWriter& JsonWriter::number(uint64_t value) {
    DecimalText storage;
    return raw(format_decimal(value, storage));
}

JsonWriter& JsonWriter::raw(std::string_view value) {
    separate();
    put(value);
    return *this;
}

JsonWriter& JsonWriter::open(char bracket) {
    separate();
    put(bracket);
    needs_comma_ = false;
    return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
    put(bracket);
    needs_comma_ = true;
    return *this;
}

void JsonWriter::separate() {
    if (needs_comma_) put(',');
    needs_comma_ = true;
}

void JsonWriter::quote(std::string_view text) {
    put('"');
    size_t plain_begin = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        put(text.substr(plain_begin, i - plain_begin));
        plain_begin = i + 1;
        if (c == '"' || c == '\\') {
            put('\\');
            put(text[i]);
        } else {
            const uint8_t byte = c;
            char escape[6] = {'\\', 'u', '0', '0', 0, 0};
            encode_hex({&byte, 1}, escape + 4);
            put({escape, sizeof escape});
        }
    }
    put(text.substr(plain_begin));
    put('"');
}

void JsonWriter::put(std::string_view text) {
    if (!fits_ || text.size() > storage_.size() - size_) {
        fits_ = false;
        return;
    }
    if (!text.empty()) std::memcpy(storage_.data() + size_, text.data(), text.size());
    size_ += text.size();
}

}  // namespace knuckle
