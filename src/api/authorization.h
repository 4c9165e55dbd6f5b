// SPDX-License-Identifier: GPL-3.0-or-later
// The Authorization field: "Token <auth token>". Other schemes count as no credentials, as in the
// reference.
#pragma once

#include <optional>
#include <string_view>

#include "api/command.h"

namespace knuckle::api {

// Sets `auth_token` if there is one. The reply to send if the field is malformed.
[[nodiscard]] std::optional<Reply> read_authorization(std::string_view field,
                                                      std::string_view& auth_token);

}  // namespace knuckle::api
