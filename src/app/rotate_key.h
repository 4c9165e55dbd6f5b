// SPDX-License-Identifier: GPL-3.0-or-later
// `knuckle rotate-key`: puts a fresh seal key in front of the present one in the key file, and says
// what comes next. The gateway may run meanwhile; its next start re-seals the database
// (store/reseal.h).
#pragma once

#include "config/config.h"

namespace knuckle::app {

// The exit status; what is wrong stands on stderr.
[[nodiscard]] int rotate_key(const config::Config& config);

}  // namespace knuckle::app
