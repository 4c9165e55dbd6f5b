// SPDX-License-Identifier: GPL-3.0-or-later
// The answer to OPTIONS: what an endpoint is for and, for who sends credentials, which fields it
// takes.
#pragma once

#include <cstdint>

#include "api/command.h"
#include "api/route.h"

namespace knuckle::api {

enum class Audience : uint8_t { anyone, account };

[[nodiscard]] Reply describe(Endpoint endpoint, Audience audience);

}  // namespace knuckle::api
