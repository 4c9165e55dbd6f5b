// SPDX-License-Identifier: GPL-3.0-or-later
#include "api/validate.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

#include "api/email.h"
#include "api/json_text.h"
#include "api/refusals.h"
#include "api/rest.h"
#include "api/strip.h"
#include "base/text.h"

namespace knuckle::api {

namespace {

static_assert(kDeviceNameCharsMax * 4 <= store::kNameMax &&
              kTokenNameCharsMax * 4 <= store::kNameMax &&
              kUsernameCharsMax * 4 <= store::kNameMax && kEmailCharsMax * 4 <= store::kNameMax);
static_assert(kDeviceIdBytesMax <= store::kNameMax &&
              kRegistrationBytesMax <= store::kRegistrationMax);

// What a text field may be.
struct TextRule {
    size_t max = 0;
    bool counts_bytes = false;  // else code points
    bool is_required = false;
    bool may_be_null = false;
    bool may_be_blank = false;
    bool takes_numbers = true;
};

size_t measure(std::string_view text, const TextRule& rule) {
    return rule.counts_bytes || text.size() <= rule.max ? text.size() : count_code_points(text);
}

void add_too_long(std::string_view field, size_t max, FieldErrors& errors) {
    errors.add(field, "Ensure this field has no more than " + std::to_string(max) + " characters.");
}

// A text that could be stored comes back trimmed; anything else comes back as absent, or null.
OptionalText validate_text(const Fields& fields,
                           size_t index,
                           const TextRule& rule,
                           FieldErrors& errors) {
    const Value& value = fields[index];
    const std::string_view name = fields.name(index);
    const bool is_text = value.kind == Value::Kind::text;
    if (value.kind == Value::Kind::absent) {
        if (rule.is_required) errors.add(name, "This field is required.");
        return {};
    }
    if (value.kind == Value::Kind::null ||
        (is_text && fields.is_form && value.text.empty() && rule.may_be_null)) {
        if (!rule.may_be_null) errors.add(name, "This field may not be null.");
        return {.text = {}, .is_present = true, .is_null = true};
    }
    if (!is_text && !(value.kind == Value::Kind::number && rule.takes_numbers)) {
        errors.add(name, "Not a valid string.");
        return {};
    }
    const std::string_view text = strip(value.text);
    if (text.empty() && !rule.may_be_blank) {
        errors.add(name, "This field may not be blank.");
        return {};
    }
    if (measure(text, rule) > rule.max) add_too_long(name, rule.max, errors);
    if (text.find('\0') != std::string_view::npos)
        errors.add(name, "Null characters are not allowed.");
    return {.text = text, .is_present = true};
}

// The words of the reference for yes and no.
constexpr std::string_view kTrue[] = {
    "t", "T", "y", "Y", "yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "1"};
constexpr std::string_view kFalse[] = {
    "f", "F", "n", "N", "no", "NO", "false", "False", "FALSE", "off", "Off", "OFF", "0"};

bool is_one_of(std::string_view text, std::span<const std::string_view> words) {
    return std::find(words.begin(), words.end(), text) != words.end();
}

// An empty form value is an absent one. Of numbers, 1 and 0 count, also as floats.
std::optional<bool> validate_boolean(const Fields& fields, size_t index, FieldErrors& errors) {
    const Value& value = fields[index];
    switch (value.kind) {
        case Value::Kind::absent:
            return std::nullopt;
        case Value::Kind::null:
            errors.add(fields.name(index), "This field may not be null.");
            return std::nullopt;
        case Value::Kind::boolean:
            return value.text == "true";
        case Value::Kind::number:
            if (value.text == "1" || value.text == "1.0") return true;
            if (value.text == "0" || value.text == "0.0" || value.text == "-0.0") return false;
            break;
        case Value::Kind::text:
            if (value.text.empty() && fields.is_form) return std::nullopt;
            if (is_one_of(value.text, kTrue)) return true;
            if (is_one_of(value.text, kFalse)) return false;
            break;
        case Value::Kind::object:
        case Value::Kind::array:
            break;
    }
    errors.add(fields.name(index), "Must be a valid boolean.");
    return std::nullopt;
}

// Null and blank mean none.
std::optional<Uuid> validate_uuid(const Fields& fields, size_t index, FieldErrors& errors) {
    const Value& value = fields[index];
    switch (value.kind) {
        case Value::Kind::absent:
        case Value::Kind::null:
            return std::nullopt;
        case Value::Kind::array:
            errors.add(fields.name(index), "Incorrect type. Expected pk value, received list.");
            return std::nullopt;
        case Value::Kind::object:
            errors.add(fields.name(index), "Incorrect type. Expected pk value, received dict.");
            return std::nullopt;
        case Value::Kind::boolean:
        case Value::Kind::number:
        case Value::Kind::text:
            break;
    }
    const std::string_view text = strip(value.text);
    if (text.empty()) return std::nullopt;
    const auto uuid = Uuid::parse(text);
    if (!uuid)
        errors.add(fields.name(index), "'" + std::string(excerpt(text)) + "' is not a valid UUID.");
    return uuid;
}

// What a text takes in a JSON string, as JsonWriter escapes it.
size_t json_size(std::string_view text) {
    size_t size = text.size();
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x20) size += 5;
        if (c == '"' || c == '\\') size += 1;
    }
    return size;
}

KnockExtra validate_extra(const Fields& fields, size_t index, FieldErrors& errors) {
    const Value& value = fields[index];
    const std::string_view name = fields.name(index);
    if (value.kind == Value::Kind::object) {
        if (value.text.empty()) add_too_long(name, kExtraBytesMax, errors);
        return {KnockExtra::Kind::object, value.text};
    }
    const TextRule rule = {.max = SIZE_MAX, .counts_bytes = true, .may_be_null = true};
    const OptionalText extra = validate_text(fields, index, rule, errors);
    if (!extra.is_present || extra.is_null) return {};
    if (json_size(extra.text) > kExtraBytesMax) add_too_long(name, kExtraBytesMax, errors);
    return {KnockExtra::Kind::text, extra.text};
}

std::string_view without_spaces(std::string_view text, Scratch& scratch) {
    if (text.find(' ') == std::string_view::npos) return text;
    char* const begin = scratch.room(text.size());
    const char* const end =
        std::copy_if(text.begin(), text.end(), begin, [](char c) { return c != ' '; });
    return scratch.keep(static_cast<size_t>(end - begin));
}

std::string_view with_lower_case_domain(std::string_view address, Scratch& scratch) {
    char* const begin = scratch.room(address.size());
    const size_t at = address.rfind('@');
    std::copy(address.begin(), address.end(), begin);
    std::transform(begin + at, begin + address.size(), begin + at, ascii_lower);
    return scratch.keep(address.size());
}

}  // namespace

void FieldErrors::add(std::string_view field, std::string_view text) {
    const bool is_first = body_.empty();
    const bool is_same_field = !is_first && field == field_;
    body_ += is_first ? "{" : is_same_field ? "," : "],";
    append_json(body_, json_size_max(field) + json_size_max(text) + 1, [&](JsonWriter& json) {
        if (is_same_field) {
            json.string(text);
        } else {
            json.key(field).begin_array().string(text);
        }
    });
    field_ = field;
}

Reply FieldErrors::reply() const { return {.status = 400, .body = body_ + "]}"}; }

Knock validate_knock(const Fields& fields, FieldErrors& errors) {
    Knock knock;
    knock.token =
        validate_text(fields, 0, {.max = kMessageTokenCharsMax, .is_required = true}, errors).text;
    knock.extra = validate_extra(fields, 1, errors);
    knock.priority =
        validate_text(fields, 2, {.max = kPriorityCharsMax, .may_be_null = true}, errors);
    // chatsecure-push.md 4.3: what phones send, which is nothing, is not what the reference took it
    // for, low.
    if (knock.priority.is_present) {
        knock.urgency = knock.priority.text == "high" ? push::Urgency::high : push::Urgency::low;
    }
    return knock;
}

LogIn validate_log_in(const Fields& fields, Scratch& scratch, FieldErrors& errors) {
    LogIn log_in;
    log_in.username =
        validate_text(fields, 0, {.max = kUsernameCharsMax, .is_required = true}, errors).text;
    log_in.password =
        validate_text(fields, 1, {.max = kPasswordCharsMax, .is_required = true}, errors).text;
    const OptionalText email =
        validate_text(fields, 2, {.max = kEmailCharsMax, .may_be_null = true}, errors);
    if (!email.is_present || email.is_null) return log_in;
    if (is_email_address(email.text)) {
        log_in.email = with_lower_case_domain(email.text, scratch);
    } else {
        errors.add(fields.name(2), "Enter a valid email address.");
    }
    return log_in;
}

DeviceFields validate_device(const Fields& fields,
                             store::DeviceKind kind,
                             Extent extent,
                             Scratch& scratch,
                             FieldErrors& errors) {
    const bool is_apns = kind == store::DeviceKind::apns;
    DeviceFields device;
    device.name = validate_text(
        fields, 0, {.max = kDeviceNameCharsMax, .may_be_null = true, .may_be_blank = true}, errors);
    device.is_active = validate_boolean(fields, 1, errors);
    const TextRule registration = {.max = kRegistrationBytesMax,
                                   .counts_bytes = true,
                                   .is_required = extent == Extent::whole,
                                   .takes_numbers = !is_apns};
    device.registration_id = validate_text(fields, 2, registration, errors);
    if (is_apns) device.registration_id.text = without_spaces(device.registration_id.text, scratch);
    device.device_id = validate_text(
        fields,
        3,
        {.max = kDeviceIdBytesMax, .counts_bytes = true, .may_be_null = true, .may_be_blank = true},
        errors);
    return device;
}

TokenFields validate_token(const Fields& fields, Extent extent, FieldErrors& errors) {
    TokenFields token;
    token.name = validate_text(
        fields, 0, {.max = kTokenNameCharsMax, .may_be_null = true, .may_be_blank = true}, errors);
    token.apns_device = validate_uuid(fields, 1, errors);
    token.gcm_device = validate_uuid(fields, 2, errors);
    if (!errors.is_empty()) return token;
    if (token.apns_device && token.gcm_device)
        errors.add("non_field_errors", "Only one APNS or one GCM device may be specified");
    if (extent == Extent::whole && !token.apns_device && !token.gcm_device) {
        errors.add("non_field_errors", "Either an APNS or GCM device must be specified");
    }
    return token;
}

}  // namespace knuckle::api
