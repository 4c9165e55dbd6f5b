// SPDX-License-Identifier: GPL-3.0-or-later
// Single values out of a JSON text, by JSON pointer (RFC 6901). Throws std::runtime_error, with the
// text, when it is no JSON or the value is not there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace knuckle::test {

[[nodiscard]] std::string json_string(std::string_view text, std::string_view pointer);
[[nodiscard]] int64_t json_number(std::string_view text, std::string_view pointer);
[[nodiscard]] bool is_json_null(std::string_view text, std::string_view pointer);
// The elements of an array, each as JSON text.
[[nodiscard]] std::vector<std::string> json_elements(std::string_view text,
                                                     std::string_view pointer = "");
// Names and types in their order, and of a list the shape of its elements, which must be alike:
// {"a":1,"b":[{"c":null},{"c":null}]} is {a:number,b:[{c:null}]}.
[[nodiscard]] std::string json_shape(std::string_view text);

}  // namespace knuckle::test
