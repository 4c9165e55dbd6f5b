// SPDX-License-Identifier: GPL-3.0-or-later
// Values as PostgreSQL writes them in text. Any thread.
#pragma once

#include <optional>
#include <string_view>

#include "base/time.h"

namespace knuckle::migrate {

// "t" or "f".
[[nodiscard]] std::optional<bool> parse_bool(std::string_view text);

// "2016-06-11 20:01:14.126+02", as pg_dump writes them (DateStyle ISO): up to six digits of a
// fraction, an offset of hours, minutes and seconds or none for UTC. Years 1970 to 9999, which
// leaves out infinity and what is before Christ.
[[nodiscard]] std::optional<UnixTime> parse_timestamp(std::string_view text);

}  // namespace knuckle::migrate
