// SPDX-License-Identifier: GPL-3.0-or-later
// One HTTP/1.1 request and one response as values (RFC 9110, RFC 9112). HTTP/2 in front, when it
// comes, speaks the same two. Views: see http1/parser.h for how long they live.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace knuckle::http1 {

enum class Method : uint8_t { get, head, post, put, patch, del, options, other };

struct Field {
    std::string_view name;   // as sent; compare ignoring case
    std::string_view value;  // without surrounding white space
};

struct Request {
    // Readable (not meaningful) bytes behind `body`: what simdjson wants to run into.
    static constexpr size_t kBodyPadding = 64;

    Method method = Method::other;
    std::string_view method_name;  // as sent, for "Method \"X\" not allowed."
    std::string_view path;   // the target up to '?', percent-encoding untouched; "/..." or "*"
    std::string_view query;  // behind '?', may be empty
    std::span<const Field> fields;
    ByteView body;
    bool keep_alive = true;  // may another request follow on this connection?

    // The value of the first field of that name; data() == nullptr if there is none.
    [[nodiscard]] std::string_view field(std::string_view name) const;
};

struct Response {
    uint16_t status = 200;
    std::string_view content_type{};  // no field if empty
    std::string_view body{};
    std::span<const Field> fields{};  // besides Content-Type, Content-Length, Connection and Date
    bool keep_alive = true;           // false adds "Connection: close"
    bool is_to_head = false;          // Content-Length of the body, but no body
};

}  // namespace knuckle::http1
