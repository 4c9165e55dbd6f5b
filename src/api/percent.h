// SPDX-License-Identifier: GPL-3.0-or-later
// Percent-encoding (RFC 3986 2.1), as paths and forms use it. The result may be any bytes: check
// it. A '%' that is not followed by two hexadecimal digits stands for itself, as in browsers and in
// the reference.
#pragma once

#include <cstdint>
#include <string_view>

#include "api/scratch.h"

namespace knuckle::api {

enum class PlusSign : uint8_t { literal, means_space };

// `text` itself if there is nothing to decode; else at most text.size() characters of `scratch`.
[[nodiscard]] std::string_view percent_decode(std::string_view text,
                                              PlusSign plus,
                                              Scratch& scratch);

}  // namespace knuckle::api
