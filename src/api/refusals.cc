// SPDX-License-Identifier: GPL-3.0-or-later
#include "api/refusals.h"

#include <algorithm>
#include <string>

#include "api/json_text.h"
#include "api/rest.h"
#include "base/text.h"

namespace knuckle::api {

namespace {

constexpr size_t kExcerptMax = 100;

Reply one_member(uint16_t status, std::string_view name, std::string_view text) {
    Reply reply;
    reply.status = status;
    append_json(reply.body, json_size_max(name) + json_size_max(text) + 2, [&](JsonWriter& json) {
        json.begin_object().key(name).string(text).end_object();
    });
    return reply;
}

Reply field_error(std::string_view field, std::string_view text) {
    Reply reply;
    reply.status = 400;
    append_json(reply.body, json_size_max(field) + json_size_max(text) + 4, [&](JsonWriter& json) {
        json.begin_object().key(field).begin_array().string(text).end_array().end_object();
    });
    return reply;
}

Reply unauthorized(std::string_view text) {
    Reply reply = refusal(401, text);
    reply.asks_for_token = true;
    return reply;
}

Reply without_body(uint16_t status) {
    Reply reply;
    reply.status = status;
    reply.content_type = {};
    return reply;
}

}  // namespace

Reply refusal(uint16_t status, std::string_view text) { return one_member(status, "detail", text); }

Reply unknown_path() {
    return {.status = 404,
            .body = "<h1>Not Found</h1><p>The requested resource was not found on this server.</p>",
            .content_type = "text/html"};
}

Reply not_acceptable() { return refusal(406, "Could not satisfy the request Accept header."); }

Reply method_not_allowed(std::string_view method_name) {
    return refusal(405, "Method \"" + std::string(excerpt(method_name)) + "\" not allowed.");
}

Reply unsupported_media_type(std::string_view media_type) {
    return refusal(
        415, "Unsupported media type \"" + std::string(excerpt(media_type)) + "\" in request.");
}

Reply auth_header_malformed(std::string_view what) {
    return unauthorized("Invalid token header. " + std::string(what));
}

Reply parse_error(std::string_view format, std::string_view what) {
    return refusal(400, std::string(format) + " parse error - " + std::string(what));
}

Reply body_is_null() { return field_error("non_field_errors", "No data provided"); }

Reply body_is_no_object(std::string_view python_type) {
    return field_error(
        "non_field_errors",
        "Invalid data. Expected a dictionary, but got " + std::string(python_type) + ".");
}

std::string_view excerpt(std::string_view text) {
    if (!is_valid_utf8(text)) return "?";
    if (text.size() <= kExcerptMax) return text;
    size_t end = kExcerptMax;
    while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    return text.substr(0, end);
}

// Below: what the engine refuses with, see rest.h.

Reply no_content() { return without_body(204); }
Reply token_not_found() { return without_body(404); }
Reply not_found() { return refusal(404, "Not found."); }
Reply credentials_missing() {
    return unauthorized("Authentication credentials were not provided.");
}
Reply auth_token_invalid() { return unauthorized("Invalid token."); }
Reply login_refused() { return one_member(401, "error", "Invalid credentials"); }
Reply device_does_not_exist(store::DeviceKind kind, const Uuid& id) {
    return field_error(kind == store::DeviceKind::apns ? "apns_device" : "gcm_device",
                       "Invalid pk \"" + id.text() + "\" - object does not exist.");
}

Reply quota_reached(std::string_view what) {
    const std::string things(what);
    return refusal(403,
                   "This account has as many " + things + " as it may have. Delete " + things +
                       " that are no longer used.");
}

Reply throttled(Duration wait) {
    const int64_t wait_seconds = std::max<int64_t>(to_seconds(wait + seconds(1) - Duration{1}), 1);
    Reply reply =
        refusal(429,
                "Request was throttled. Expected available in " + std::to_string(wait_seconds) +
                    (wait_seconds == 1 ? " second." : " seconds."));
    reply.retry_after_seconds = static_cast<uint32_t>(wait_seconds);
    return reply;
}

Reply unavailable(std::string_view detail, uint32_t retry_after_seconds) {
    Reply reply = refusal(503, detail);
    reply.retry_after_seconds = retry_after_seconds;
    return reply;
}

Reply malformed(uint16_t status, std::string_view detail) { return refusal(status, detail); }

}  // namespace knuckle::api
