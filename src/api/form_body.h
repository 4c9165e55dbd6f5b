// SPDX-License-Identifier: GPL-3.0-or-later
// Reads application/x-www-form-urlencoded (URL Standard, "urlencoded parsing") as UTF-8.
#pragma once

#include <optional>
#include <string_view>

#include "api/command.h"
#include "api/fields.h"
#include "api/scratch.h"

namespace knuckle::api {

// Uses at most body.size() of `scratch`. Returns nothing if all went well.
[[nodiscard]] std::optional<Reply> read_form(std::string_view body,
                                             Fields& fields,
                                             Scratch& scratch);

}  // namespace knuckle::api
