// SPDX-License-Identifier: GPL-3.0-or-later
// Trims a text as Python's str.strip() does, and thus the reference: Unicode white space, and
// U+001C to U+001F. Who signed up there with a password that ends in a no-break space must be able
// to log in here.
#pragma once

#include <string_view>

namespace knuckle::api {

// `text` is UTF-8.
[[nodiscard]] std::string_view strip(std::string_view text);

}  // namespace knuckle::api
