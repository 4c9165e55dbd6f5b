// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/json.h"

#include <cstring>

#include "base/text.h"

namespace knuckle {

namespace {

bool is_plain(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; }

// How many bytes from `at` on go into a string as they are. Eight are looked at together: nearly
// every text is plain to its end, and a knock writes some hundred bytes of it.
size_t count_plain(std::string_view text, size_t at) {
    constexpr uint64_t kOnes = 0x0101'0101'0101'0101;
    constexpr uint64_t kTops = 0x80 * kOnes;
    const size_t begin = at;
    for (; text.size() - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        uint64_t word = 0;
        std::memcpy(&word, text.data() + at, sizeof word);
        // The top bit of each byte that is less than its limit, or equal to a character (after
        // which it is zero, less than one). A borrow may mark a plain byte above one that is not,
        // never leave one out.
        const auto less = [](uint64_t bytes, uint64_t limit) {
            return (bytes - limit * kOnes) & ~bytes & kTops;
        };
        const uint64_t marked =
            less(word, 0x20) | less(word ^ '"' * kOnes, 1) | less(word ^ '\\' * kOnes, 1);
        if (marked != 0) break;
    }
    while (at < text.size() && is_plain(text[at])) ++at;
    return at - begin;
}

}  // namespace

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

JsonWriter& JsonWriter::verbatim(std::string_view piece) {
    put(piece);
    needs_comma_ = false;
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
    for (size_t at = 0;;) {
        const size_t plain = count_plain(text, at);
        put(text.substr(at, plain));
        at += plain;
        if (at == text.size()) break;
        const char c = text[at++];
        if (c == '"' || c == '\\') {
            const char escape[2] = {'\\', c};
            put({escape, sizeof escape});
        } else {
            const auto byte = static_cast<uint8_t>(c);
            char escape[6] = {'\\', 'u', '0', '0', 0, 0};
            encode_hex({&byte, 1}, escape + 4);
            put({escape, sizeof escape});
        }
    }
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
