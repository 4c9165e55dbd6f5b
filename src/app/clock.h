// SPDX-License-Identifier: GPL-3.0-or-later
// The civil time, for commands that have no event loop to hand it in. Any thread.
#pragma once

#include <chrono>

#include "base/time.h"

namespace knuckle::app {

[[nodiscard]] inline UnixTime read_clock() {
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::microseconds>(since_1970).count()};
}

}  // namespace knuckle::app
