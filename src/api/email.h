// SPDX-License-Identifier: GPL-3.0-or-later
// Is it an e-mail address? Dots and atoms before the '@', a host name of two labels or "localhost"
// behind it. Narrower than RFC 5322 on purpose: no quotes, no address literals. Nothing is ever
// sent to it.
#pragma once

#include <string_view>

namespace knuckle::api {

[[nodiscard]] bool is_email_address(std::string_view text);

}  // namespace knuckle::api
