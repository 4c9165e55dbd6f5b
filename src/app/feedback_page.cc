// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/feedback_page.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"

namespace knuckle::app {

namespace {

// What stands around and between the texts of a page, and of an event.
constexpr size_t kPageFrameMax = 128;
constexpr size_t kEventFrameMax = 384;
// A byte becomes \u00xx at worst.
constexpr size_t kEscapedMax = 6;
constexpr size_t kQuotedFieldMax = 64;

std::string_view name_of(store::FeedbackKind kind) {
    return kind == store::FeedbackKind::dead ? "dead" : "revived";
}

std::string_view name_of(store::DeviceKind kind) {
    return kind == store::DeviceKind::apns ? "apns" : "gcm";
}

// Or null: the word is the provider's, and may be anything.
void write_reason(JsonWriter& json, const std::string& reason) {
    const bool is_word = !reason.empty() && is_valid_utf8(reason);
    is_word ? json.string(reason) : json.null();
}

void write_time(JsonWriter& json, UnixTime time) {
    time.us > 0 ? json.string(format_date(time)) : json.null();
}

void write_event(JsonWriter& json, const store::Feedback& event) {
    json.begin_object();
    json.key("cursor").number(event.number);
    json.key("event").string(name_of(event.kind));
    json.key("app").string(event.app);
    json.key("device").string(event.device.text());
    json.key("kind").string(name_of(event.device_kind));
    json.key("reason");
    write_reason(json, event.reason);
    json.key("dead_since");
    write_time(json, event.dead_since);
    json.key("noticed");
    write_time(json, event.noticed);
    json.end_object();
}

}  // namespace

std::string parse_feedback_query(std::string_view query, FeedbackQuery& result) {
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(pair.size() + 1, query.size()));
        const std::string_view name = pair.substr(0, pair.find('='));
        const auto value = parse_decimal(pair.substr(std::min(name.size() + 1, pair.size())));
        if (name == "after") {
            if (!value) return encode_mistake(name, "Must be a cursor, a whole number.");
            result.after = *value;
        } else if (name == "limit") {
            if (!value || *value == 0 || *value > kFeedbackPageMax)
                return encode_mistake(name, "Must be a whole number from 1 to 1000.");
            result.limit = static_cast<uint32_t>(*value);
        } else if (!name.empty()) {
            return encode_mistake(is_valid_utf8(name) ? name : "query",
                                  "Unknown. There are after and limit.");
        }
    }
    return {};
}

std::string encode_feedback(const store::FeedbackPage& page) {
    size_t size_max = kPageFrameMax;
    for (const store::Feedback& event : page.events)
        size_max += kEventFrameMax + kEscapedMax * (event.app.size() + event.reason.size());
    std::string text(size_max, '\0');
    JsonWriter json(text);
    json.begin_object().key("events").begin_array();
    for (const store::Feedback& event : page.events) write_event(json, event);
    json.end_array();
    json.key("next").number(page.next);
    json.key("more").boolean(page.has_more);
    json.key("trimmed").boolean(page.is_trimmed);
    json.end_object();
    text.resize(json.text().size());
    return text;
}

bool is_readable(store::Lookup lookup, const store::FeedbackPage& page) {
    return lookup != store::Lookup::damaged || page.last > 0;
}

FeedbackAnswer answer_feedback(const FeedbackQuery& query,
                               store::Lookup lookup,
                               const store::FeedbackPage& page) {
    if (!is_readable(lookup, page))
        return {503, encode_mistake("detail", "The log cannot be read at the moment.")};
    if (query.after > page.last)
        return {400,
                encode_mistake("after",
                               "No event has this number yet. Was the database restored from a "
                               "copy?")};
    return {200, encode_feedback(page)};
}

std::string encode_mistake(std::string_view field, std::string_view what) {
    field = field.substr(0, kQuotedFieldMax);
    if (!is_valid_utf8(field)) field = "query";  // cut in the middle of a character
    std::string text(kPageFrameMax + kEscapedMax * (field.size() + what.size()), '\0');
    JsonWriter json(text);
    json.begin_object().key(field).begin_array().string(what).end_array().end_object();
    text.resize(json.text().size());
    return text;
}

}  // namespace knuckle::app
