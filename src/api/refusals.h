// SPDX-License-Identifier: GPL-3.0-or-later
// The refusals that decoding itself decides; those of the engine are in rest.h. The texts are those
// of the reference (Django REST framework 3.10), which old logs and scripts know; no client reads
// them.
#pragma once

#include <string_view>

#include "api/command.h"

namespace knuckle::api {

// `status` {"detail": text}
[[nodiscard]] Reply refusal(uint16_t status, std::string_view text);

[[nodiscard]] Reply unknown_path();                                       // 404, HTML
[[nodiscard]] Reply not_acceptable();                                     // 406
[[nodiscard]] Reply method_not_allowed(std::string_view method_name);     // 405
[[nodiscard]] Reply unsupported_media_type(std::string_view media_type);  // 415
[[nodiscard]] Reply auth_header_malformed(std::string_view what);         // 401

// 400 {"detail": "JSON parse error - ..."}
[[nodiscard]] Reply parse_error(std::string_view format, std::string_view what);
// 400 {"non_field_errors": [...]}
[[nodiscard]] Reply body_is_null();
[[nodiscard]] Reply body_is_no_object(std::string_view python_type);

// The first characters of a text that somebody sent, for quoting it: at most 100 bytes, always
// UTF-8.
[[nodiscard]] std::string_view excerpt(std::string_view text);

}  // namespace knuckle::api
