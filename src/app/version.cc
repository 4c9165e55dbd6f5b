// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/version.h"

namespace knuckle::app {

std::string_view version() { return KNUCKLE_VERSION; }

}  // namespace knuckle::app
