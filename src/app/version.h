// SPDX-License-Identifier: GPL-3.0-or-later
// The version this binary was built from. Any thread.
#pragma once

#include <string_view>

namespace knuckle::app {

[[nodiscard]] std::string_view version();

}  // namespace knuckle::app
