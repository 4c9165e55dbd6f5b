// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/mock/apns_behavior.h"

#include <algorithm>
#include <array>
#include <utility>

#include <simdjson.h>

#include "base/json.h"
#include "base/text.h"
#include "base/uuid.h"

namespace knuckle::mock {

namespace {

constexpr std::string_view kPath = "/3/device/";
constexpr std::string_view kScheme = "bearer ";
constexpr size_t kDeviceTokenMin = 64;  // hexadecimal digits
constexpr size_t kDeviceTokenMax = 200;
constexpr size_t kCollapseIdMax = 64;  // bytes
constexpr size_t kPayloadMax = 4'096;
constexpr size_t kVoipPayloadMax = 5'120;

// providers.md A.3: the push types, what their topic ends in, and the priorities they take.
struct PushType {
    std::string_view name;
    std::string_view topic_suffix;
    std::string_view priorities;  // a blank between them
};
constexpr std::array<PushType, 10> kPushTypes{{
    {"alert", "", "1 5 10"},
    {"background", "", "5"},
    {"voip", ".voip", "1 5 10"},
    {"complication", ".complication", "1 5 10"},
    {"fileprovider", ".pushkit.fileprovider", "1 5 10"},
    {"location", ".location-query", "1 5 10"},
    {"liveactivity", ".push-type.liveactivity", "5 10"},
    {"pushtotalk", ".voip-ptt", "1 5 10"},
    {"widgets", ".push-type.widgets", "1 5 10"},
    {"controls", ".push-type.controls", "1 5 10"},
}};

const PushType* find_push_type(std::string_view name) {
    const auto found = std::find_if(
        kPushTypes.begin(), kPushTypes.end(), [&](const auto& type) { return type.name == name; });
    return found != kPushTypes.end() ? &*found : nullptr;
}

bool has_word(std::string_view words, std::string_view word) {
    for (size_t at = 0; at <= words.size();) {
        const size_t end = std::min(words.find(' ', at), words.size());
        if (words.substr(at, end - at) == word) return true;
        at = end + 1;
    }
    return false;
}

// Lower case with its four dashes: the one spelling that Apple calls canonical.
bool is_canonical_uuid(std::string_view text) {
    if (text.size() != Uuid::kTextSize) return false;
    for (size_t i = 0; i < text.size(); ++i) {
        const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        const bool is_digit =
            (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (is_dash ? text[i] != '-' : !is_digit) return false;
    }
    return true;
}

bool has_field(const Http2Request& request, std::string_view name) {
    return std::any_of(request.fields.begin(), request.fields.end(), [&](const Http2Field& field) {
        return field.name == name;
    });
}

bool is_device_token(std::string_view text) {
    return text.size() >= kDeviceTokenMin && text.size() <= kDeviceTokenMax &&
           text.size() % 2 == 0 && is_lower_hex(text);
}

// What a refusal takes from the error budget.
uint32_t cost_of(uint16_t status, std::string_view reason) {
    if (status == 200 || status == 410) return 0;
    return reason == "BadDeviceToken" ? 2 : 1;
}

}  // namespace

std::string_view device_in(std::string_view path) {
    return path.starts_with(kPath) ? path.substr(kPath.size()) : std::string_view();
}

struct ApnsBehavior::Json {
    simdjson::dom::parser parser;
};

// Status 200: none.
struct ApnsBehavior::Refusal {
    uint16_t status = 200;
    std::string_view reason{};
    std::optional<uint64_t> timestamp_ms{};

    explicit operator bool() const { return status != 200; }
};

std::string_view ApnsAnswer::body(std::span<char> storage) const {
    if (reason.empty()) return {};
    JsonWriter json(storage);
    json.begin_object().key("reason").string(reason);
    if (timestamp_ms) json.key("timestamp").number(*timestamp_ms);
    json.end_object();
    return json.text();
}

ApnsBehavior::ApnsBehavior(const ApnsOptions& options)
    : options_(options), ledger_(options.arrivals_max), json_(std::make_unique<Json>()) {}
ApnsBehavior::~ApnsBehavior() = default;

void ApnsBehavior::set_device(std::string_view token, const ApnsDevice& device) {
    devices_.insert_or_assign(std::string(token), device);
}

void ApnsBehavior::reset() {
    devices_.clear();
    failure_.reset();
    key_scope_ = {};
    ledger_.clear();
}

ApnsAnswer ApnsBehavior::answer(const Http2Request& request, ApnsConnection& connection, Now now) {
    make_ids(request);
    Refusal refusal = injected(now);
    if (!refusal && options_.checks_requests) refusal = check(request, connection, now);
    if (!options_.checks_requests) connection.has_seen_valid_token = true;
    return conclude(request, connection, refusal, now);
}

ApnsAnswer ApnsBehavior::refuse(const Http2Request& request,
                                ApnsConnection& connection,
                                uint16_t status,
                                std::string_view reason,
                                Now now) {
    make_ids(request);
    return conclude(request, connection, {status, reason}, now);
}

void ApnsBehavior::note_unknown(const Http2Request& request, Now now) {
    ledger_.note_unknown(request.field("apns-id"), now);
}

ApnsAnswer ApnsBehavior::conclude(const Http2Request& request,
                                  ApnsConnection& connection,
                                  const Refusal& refusal,
                                  Now now) {
    ApnsAnswer answer;
    answer.status = refusal.status;
    answer.reason = refusal.reason;
    answer.timestamp_ms = refusal.timestamp_ms;
    answer.id = id_;
    if (options_.is_sandbox && !refusal) answer.unique_id = unique_id_;
    if (connection.has_seen_valid_token && !connection.has_raised_streams) {
        connection.has_raised_streams = true;
        answer.streams_max = options_.streams_max;
    }
    connection.errors += cost_of(answer.status, answer.reason);
    answer.ends_connection =
        options_.error_budget > 0 && connection.errors >= options_.error_budget;

    ledger_.record(id_, device_in(request.path), answer.reason, now);
    const auto expiration = parse_decimal(request.field("apns-expiration"));
    if (expiration && *expiration != 0 &&
        static_cast<int64_t>(*expiration) < to_unix_seconds(now.unix)) {
        ledger_.note_expired();
    }
    if (ledger_.keeps_arrivals()) keep(request, answer, connection, now);
    return answer;
}

ApnsBehavior::Refusal ApnsBehavior::injected(Now now) {
    if (!failure_) return {};
    if (failure_->requests == 0 || now.instant >= failure_->until) {
        failure_.reset();
        return {};
    }
    --failure_->requests;
    return {failure_->status, failure_->reason};
}

ApnsBehavior::Refusal ApnsBehavior::check(const Http2Request& request,
                                          ApnsConnection& connection,
                                          Now now) {
    if (request.method != "POST") return {405, "MethodNotAllowed"};
    if (!request.path.starts_with(kPath)) return {404, "BadPath"};
    if (request.has_duplicate_field) return {400, "DuplicateHeaders"};
    if (const Refusal refusal = check_token(request, connection, now)) return refusal;
    if (const Refusal refusal = check_fields(request)) return refusal;
    if (const Refusal refusal = check_scope(request.field("apns-topic"), connection))
        return refusal;
    const std::string_view device = device_in(request.path);
    if (device.empty()) return {400, "MissingDeviceToken"};
    if (!is_device_token(device)) return {400, "BadDeviceToken"};
    if (const Refusal refusal = check_payload(request)) return refusal;
    if (const Refusal refusal = check_device(device)) return refusal;
    if (connection.bound_to == nullptr) connection.bound_to = connection.token;
    return {};
}

// providers.md A.2. What follows an expired token on a connection fails too, as Pushy found.
ApnsBehavior::Refusal ApnsBehavior::check_token(const Http2Request& request,
                                                ApnsConnection& connection,
                                                Now now) {
    const std::string_view authorization = request.field("authorization");
    if (connection.has_certificate && authorization.empty()) {
        connection.has_seen_valid_token = true;
        return {};
    }
    if (!authorization.starts_with(kScheme) || authorization.size() == kScheme.size()) {
        return {403, "MissingProviderToken"};
    }
    const std::string_view text = authorization.substr(kScheme.size());
    const ProviderToken* const token = connection.token != nullptr && connection.token->text == text
                                           ? connection.token
                                           : tokens_.find(text);
    if (token == nullptr) return {403, "InvalidProviderToken"};
    const int64_t age = to_unix_seconds(now.unix) - token->issued_at;
    if (connection.is_wedged || age > to_seconds(options_.token_age_max)) {
        connection.is_wedged = true;
        return {403, "ExpiredProviderToken"};
    }
    if (-age > to_seconds(options_.token_future_max)) return {403, options_.future_token_reason};
    if (token != connection.token) {
        const Instant allowed = connection.token_since + options_.token_update_min;
        if (connection.token != nullptr && now.instant < allowed) {
            connection.updates_allowed_at = allowed;
        } else {
            connection.token = token;
            connection.token_since = now.instant;
        }
    }
    if (now.instant < connection.updates_allowed_at) return {429, "TooManyProviderTokenUpdates"};
    const ProviderToken* const bound = connection.bound_to;
    if (bound != nullptr && bound->team_id != token->team_id) return {403, "InvalidProviderToken"};
    if (bound != nullptr && bound->key_id != token->key_id) return {403, "UnrelatedKeyIdInToken"};
    // As the wire says it; the documentation has BadEnvironmentKeyIdInToken.
    if (key_scope_.is_sandbox.value_or(options_.is_sandbox) != options_.is_sandbox)
        return {403, "BadEnvironmentKeyInToken"};
    connection.has_seen_valid_token = true;
    return {};
}

ApnsBehavior::Refusal ApnsBehavior::check_fields(const Http2Request& request) const {
    const std::string_view id = request.field("apns-id");
    if (has_field(request, "apns-id") && !is_canonical_uuid(id)) return {400, "BadMessageId"};

    if (has_field(request, "apns-expiration") && !parse_decimal(request.field("apns-expiration"))) {
        return {400, "BadExpirationDate"};
    }
    const std::string_view priority =
        has_field(request, "apns-priority") ? request.field("apns-priority") : "10";
    if (!has_word("1 5 10", priority)) return {400, "BadPriority"};
    // Optional for older systems; whoever leaves it out gets pushes delayed or dropped.
    const PushType* const type = find_push_type(request.field("apns-push-type"));
    if (type == nullptr) return {400, "InvalidPushType"};
    if (!has_word(type->priorities, priority)) return {400, "BadPriority"};
    if (const Refusal refusal = check_topic(request.field("apns-topic"), type->name)) {
        return refusal;
    }
    if (request.field("apns-collapse-id").size() > kCollapseIdMax) return {400, "BadCollapseId"};
    return {};
}

// A bundle id of the team, and behind it what belongs to the push type.
ApnsBehavior::Refusal ApnsBehavior::check_topic(std::string_view topic,
                                                std::string_view type) const {
    if (topic.empty()) return {400, "MissingTopic"};
    const std::string_view suffix = find_push_type(type)->topic_suffix;
    bool is_ours = false;
    for (const std::string& bundle : options_.topics) {
        if (topic.size() == bundle.size() + suffix.size() && topic.starts_with(bundle) &&
            topic.ends_with(suffix)) {
            return {};
        }
        is_ours |= topic == bundle || topic.starts_with(bundle + ".");
    }
    return {400, is_ours ? "BadTopic" : "TopicDisallowed"};
}

// What the credential of the connection allows of the team's topics.
ApnsBehavior::Refusal ApnsBehavior::check_scope(std::string_view topic,
                                                const ApnsConnection& connection) const {
    const bool is_by_certificate = connection.has_certificate && connection.token == nullptr;
    const std::vector<std::string>& allowed =
        is_by_certificate ? connection.certificate_topics : key_scope_.topics;
    if (allowed.empty() || std::ranges::find(allowed, topic) != allowed.end()) return {};
    return {400, "TopicDisallowed"};
}

ApnsBehavior::Refusal ApnsBehavior::check_payload(const Http2Request& request) {
    const std::string_view type = request.field("apns-push-type");
    if (request.body_size > (type == "voip" ? kVoipPayloadMax : kPayloadMax)) {
        return {413, "PayloadTooLarge"};
    }
    simdjson::dom::object payload;
    const std::string_view text = as_text(request.body);
    if (text.empty() || has_field(request, "content-encoding") ||
        json_->parser.parse(text.data(), text.size()).get(payload) != simdjson::SUCCESS) {
        return {400, "PayloadEmpty"};
    }
    simdjson::dom::object aps;
    const bool has_aps = payload["aps"].get(aps) == simdjson::SUCCESS;
    const auto has = [&](std::string_view name) {
        return has_aps && aps[name].error() == simdjson::SUCCESS;
    };
    const bool is_seen = has("alert") || has("badge") || has("sound");
    // A background push only wakes; an alert push must have something to show or to play.
    if (type == "background" && (is_seen || !has("content-available"))) {
        return {400, "InvalidPushType"};
    }
    if (type == "alert" && !is_seen) return {400, "InvalidPushType"};
    return {};
}

ApnsBehavior::Refusal ApnsBehavior::check_device(std::string_view token) const {
    if (devices_.empty()) return {};
    const auto found = devices_.find(std::string(token));
    if (found == devices_.end()) return {};
    const ApnsDevice& device = found->second;
    if (device.is_sandbox.value_or(options_.is_sandbox) != options_.is_sandbox)
        return {400, "BadDeviceToken"};
    switch (device.state) {
        case DeviceState::good:
            return {};
        case DeviceState::unregistered:
            return {410, "Unregistered", device.timestamp_ms};
        case DeviceState::expired:
            return {410, "ExpiredToken", device.timestamp_ms};
        case DeviceState::bad:
            return {400, "BadDeviceToken"};
        case DeviceState::wrong_topic:
            return {400, "DeviceTokenNotForTopic"};
    }
    return {};
}

// The id is echoed, or made up if the request has none that can be echoed.
void ApnsBehavior::make_ids(const Http2Request& request) {
    const std::string_view id = request.field("apns-id");
    const bool is_echoed = is_canonical_uuid(id);
    if (is_echoed) id_ = id;
    if (is_echoed && !options_.is_sandbox) return;
    std::array<uint8_t, 16> bytes{};
    uint64_t number = ++ids_made_;
    for (size_t i = 0; i < 8; ++i, number >>= 8) bytes[15 - i] = static_cast<uint8_t>(number);
    unique_id_.resize(Uuid::kTextSize);
    Uuid::from_random(bytes).format(unique_id_.data());
    if (!is_echoed) id_ = unique_id_;
}

void ApnsBehavior::keep(const Http2Request& request,
                        const ApnsAnswer& answer,
                        const ApnsConnection& connection,
                        Now now) {
    Arrival arrival;
    arrival.at = now;
    arrival.connection = connection.number;
    arrival.method = request.method;
    arrival.path = request.path;
    for (const Http2Field& field : request.fields) {
        arrival.fields.push_back({std::string(field.name), std::string(field.value)});
    }
    arrival.payload = as_text(request.body);
    arrival.status = answer.status;
    arrival.reason = answer.reason;
    ledger_.keep(std::move(arrival));
}

}  // namespace knuckle::mock
