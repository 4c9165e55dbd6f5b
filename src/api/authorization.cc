// SPDX-License-Identifier: GPL-3.0-or-later
#include "api/authorization.h"

#include "api/refusals.h"
#include "base/text.h"

namespace knuckle::api {

std::optional<Reply> read_authorization(std::string_view field, std::string_view& auth_token) {
    field = trim(field);
    const std::string_view scheme = field.substr(0, field.find_first_of(" \t"));
    if (!equal_ignoring_case(scheme, "Token")) return std::nullopt;
    const std::string_view token = trim(field.substr(scheme.size()));
    if (token.empty()) return auth_header_malformed("No credentials provided.");
    if (token.find_first_of(" \t") != std::string_view::npos) {
        return auth_header_malformed("Token string should not contain spaces.");
    }
    if (!is_valid_utf8(token))
        return auth_header_malformed("Token string should not contain invalid characters.");
    auth_token = token;
    return std::nullopt;
}

}  // namespace knuckle::api
