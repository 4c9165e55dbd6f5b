// SPDX-License-Identifier: GPL-3.0-or-later
// Writes a response as bytes (RFC 9112 section 4). `date` is the value of the Date field (RFC 9110
// 6.6.1), which the caller renews once a second with format_http_date; empty leaves the field out.
// Fields are written as they are: their names and values must be ours, without CR and LF. A head is
// at most Chunk::kSize.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/time.h"
#include "http1/message.h"

namespace knuckle::http1 {

void write_response(const Response& response, std::string_view date, Buffer& out);
void write_continue(Buffer& out);

// "Mon, 23 Nov 2026 15:04:05 GMT" (IMF-fixdate); the other way no other form is taken.
[[nodiscard]] std::string format_http_date(UnixTime time);
[[nodiscard]] std::optional<UnixTime> parse_http_date(std::string_view date);
[[nodiscard]] std::string_view reason_phrase(uint16_t status);

}  // namespace knuckle::http1
