// SPDX-License-Identifier: GPL-3.0-or-later
// The rules that a request head must keep beyond its grammar, which llhttp has checked by then: one
// space between the parts of the request line, versions 1.0 and 1.1, origin-form or "*" as target,
// one sane Host, and exactly one way to know how long the body is (RFC 9112 sections 3 and 6). They
// are a pure function of one head that lies in memory in one piece. Owner: http1::Parser.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "http1/message.h"
#include "http1/parser.h"

namespace knuckle::http1 {

// What several places say.
inline constexpr ParseError kNoRequestLine{400, "A request must begin with a method."};
inline constexpr ParseError kBadRequestLine{
    400, "The request line must be a method, a target and HTTP/1.1, with one space between them."};
inline constexpr ParseError kUnsupportedVersion{505, "Only HTTP/1.1 and HTTP/1.0 are supported."};

// What a head says about the bytes behind it.
struct Framing {
    size_t content_length = 0;  // 0 if chunked
    bool is_chunked = false;
    bool awaits_continue = false;  // "Expect: 100-continue" in a request with a body
    bool is_http11 = false;        // and not 1.0
};

// `head` begins with the method; `request.path` is the whole target and lies in it, as the fields
// do. Fills in `framing` and the request's method, method_name, path and query, and trims the
// fields' values; or returns what is wrong.
[[nodiscard]] std::optional<ParseError> check_head(std::string_view head,
                                                   std::span<Field> fields,
                                                   Request& request,
                                                   Framing& framing);

// RFC 9110 section 5.6.2.
[[nodiscard]] bool is_token(std::string_view text);

}  // namespace knuckle::http1
