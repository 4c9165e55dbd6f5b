// SPDX-License-Identifier: GPL-3.0-or-later
// Reads multipart/form-data (RFC 7578, RFC 2046 5.1) strictly: the closing delimiter must be there,
// lines end in CRLF, every part has a name. A file is a text like any other; transfer encodings are
// not undone.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "api/command.h"
#include "api/fields.h"

namespace knuckle::api {

inline constexpr size_t kPartsMax = 32;
inline constexpr size_t kBoundaryMax = 70;  // RFC 2046 5.1.1

// The texts lie in `body`. Returns nothing if all went well.
[[nodiscard]] std::optional<Reply> read_multipart(std::string_view body,
                                                  std::string_view boundary,
                                                  Fields& fields);

}  // namespace knuckle::api
