// SPDX-License-Identifier: GPL-3.0-or-later
// An error in words for people: what failed, and what the system or a library had to say. Any
// thread.
#pragma once

#include <string>

#include "base/result.h"

namespace knuckle::app {

[[nodiscard]] std::string describe(Error error);

}  // namespace knuckle::app
