// SPDX-License-Identifier: GPL-3.0-or-later
// Writes compact JSON (RFC 8259) into memory the caller owns. Writing only: reading is simdjson's.
//
//     JsonWriter json(storage);
//     json.begin_object().key("token").string(token).key("data").null().end_object();
//     if (!json.fits()) ...                  nothing is written past the end, fits() says so
//     std::string_view text = json.text();
//
// Strings must be UTF-8 (bytes >= 0x80 pass through); quotes, backslashes and control characters
// are escaped. Commas are put where they belong. Owner and thread: the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace knuckle {

class JsonWriter {
public:
    explicit JsonWriter(std::span<char> storage) : storage_(storage) {}

    JsonWriter& begin_object() { return open('{'); }
    JsonWriter& end_object() { return close('}'); }
    JsonWriter& begin_array() { return open('['); }
    JsonWriter& end_array() { return close(']'); }
    JsonWriter& key(std::string_view name);
    JsonWriter& string(std::string_view text);
    JsonWriter& number(uint64_t value);
    JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
    JsonWriter& null() { return raw("null"); }
    // One complete JSON value that is known to be well formed.
    JsonWriter& raw(std::string_view value);
    // A piece of a document, as it stands. No comma is put before it, nor before what follows.
    JsonWriter& verbatim(std::string_view piece);

    [[nodiscard]] bool fits() const { return fits_; }
    [[nodiscard]] std::string_view text() const { return {storage_.data(), size_}; }

private:
    JsonWriter& open(char bracket);
    JsonWriter& close(char bracket);
    void separate();
    void quote(std::string_view text);
    void put(std::string_view text);
    void put(char c) { put(std::string_view(&c, 1)); }

    std::span<char> storage_;
    size_t size_ = 0;
    bool needs_comma_ = false;
    bool fits_ = true;
};

}  // namespace knuckle
