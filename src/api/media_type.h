// SPDX-License-Identifier: GPL-3.0-or-later
// Header fields about media types: Content-Type (RFC 9110 8.3), Content-Disposition, Accept (RFC
// 9110 12.5.1). Views into the field; nothing allocates.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace knuckle::api {

// What stands before the parameters: "text/html" of "text/html; charset=utf-8".
[[nodiscard]] std::string_view media_type_of(std::string_view field);

// The value of the first parameter of that name, without its quotes, with its backslashes.
[[nodiscard]] std::optional<std::string_view> find_parameter(std::string_view field,
                                                             std::string_view name);

// Would the client take JSON? add() each Accept field. Who asks for HTML gets JSON: it is a person
// with a browser, for whom the reference had a page. Quality matters only when it is 0, which
// excludes.
class Acceptance {
public:
    void add(std::string_view field);
    [[nodiscard]] bool allows_json() const { return !names_any_ || takes_json_ || takes_html_; }

private:
    void add_range(std::string_view range);

    bool names_any_ = false;
    bool takes_json_ = false;
    bool takes_html_ = false;
    uint8_t precedence_ = 0;  // of the range that decided takes_json_
};

}  // namespace knuckle::api
