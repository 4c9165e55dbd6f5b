// SPDX-License-Identifier: GPL-3.0-or-later
// Fields in, the members of a command out; or what is wrong with each field, in the words of the
// reference.
//
//     Fields fields(kKnockFields);  ...  read the body
//     const Knock knock = validate_knock(fields, errors);
//     if (!errors.is_empty()) refuse(errors.reply());       what was returned then means nothing
//
// Texts are trimmed as Python's str.strip() does: imported password hashes are over such texts.
// Limits: rest.h. Memory: views of the fields' texts, or of `scratch` (no more than the text's
// size).
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "api/command.h"
#include "api/fields.h"
#include "api/scratch.h"

namespace knuckle::api {

inline constexpr std::array<std::string_view, 3> kKnockFields = {"token", "data", "priority"};
inline constexpr std::array<std::string_view, 3> kLogInFields = {"username", "password", "email"};
inline constexpr std::array<std::string_view, 4> kDeviceFields = {
    "name", "active", "registration_id", "device_id"};
inline constexpr std::array<std::string_view, 3> kTokenFields = {
    "name", "apns_device", "gcm_device"};

// 400, an object from field name to a list of texts.
class FieldErrors {
public:
    void clear() { body_.clear(); }
    // Texts of one field are added one after the other.
    void add(std::string_view field, std::string_view text);
    [[nodiscard]] bool is_empty() const { return body_.empty(); }
    [[nodiscard]] Reply reply() const;

private:
    std::string body_;   // without the last brackets
    std::string field_;  // the last one
};

// PATCH asks for nothing, POST and PUT ask for what a whole object needs.
enum class Extent : uint8_t { whole, part };

[[nodiscard]] Knock validate_knock(const Fields& fields, FieldErrors& errors);
[[nodiscard]] LogIn validate_log_in(const Fields& fields, Scratch& scratch, FieldErrors& errors);
[[nodiscard]] DeviceFields validate_device(const Fields& fields,
                                           store::DeviceKind kind,
                                           Extent extent,
                                           Scratch& scratch,
                                           FieldErrors& errors);
[[nodiscard]] TokenFields validate_token(const Fields& fields, Extent extent, FieldErrors& errors);

}  // namespace knuckle::api
