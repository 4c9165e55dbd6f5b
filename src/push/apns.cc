// SPDX-License-Identifier: GPL-3.0-or-later
#include "push/apns.h"

#include <algorithm>
#include <cstring>

#include <simdjson.h>

#include "base/json.h"
#include "base/text.h"

namespace knuckle::push::apns {

namespace {

constexpr std::string_view kPathPrefix = "/3/device/";

// A payload but for its token and what the sender added (chatsecure-push.md 4.3). Every installed
// ChatSecure and Zom app has "New Message!" in its string table, and tidies up exactly this text.
struct PayloadText {
    std::string_view before_token;
    std::string_view before_data;
    std::string_view end;
};
constexpr PayloadText kAlert = {
    R"({"aps":{"alert":{"body":"New Message!","loc-key":"New Message!","message":{"token":)",
    R"(,"data":)",
    R"(}},"sound":"default","content-available":1,"thread-id":"New Message!"}})",
};
constexpr PayloadText kBackground = {
    R"({"aps":{"content-available":1},"message":{"token":)",
    R"(,"data":)",
    R"(}})",
};

// As much of an error's body as is looked at; Apple's are below 100 bytes.
constexpr size_t kBodyMax = 1'024;

struct Reason {
    std::string_view name;
    Outcome outcome;
};

// Apple's table of reasons, with what each says about whose fault it is (providers.md A.4).
// BadEnvironmentKeyInToken is what the wire says, BadEnvironmentKeyIdInToken what the documentation
// says.
constexpr Reason kReasons[] = {
    {"BadDeviceToken", Outcome::bad_token},
    {"DeviceTokenNotForTopic", Outcome::wrong_topic},
    {"Unregistered", Outcome::unregistered},
    {"ExpiredToken", Outcome::unregistered},
    {"TopicDisallowed", Outcome::misconfigured},
    {"BadTopic", Outcome::misconfigured},
    {"MissingTopic", Outcome::misconfigured},
    {"BadCertificate", Outcome::misconfigured},
    {"BadCertificateEnvironment", Outcome::misconfigured},
    {"InvalidProviderToken", Outcome::misconfigured},
    {"MissingProviderToken", Outcome::misconfigured},
    {"Forbidden", Outcome::misconfigured},
    {"UnrelatedKeyIdInToken", Outcome::misconfigured},
    {"BadEnvironmentKeyInToken", Outcome::misconfigured},
    {"BadEnvironmentKeyIdInToken", Outcome::misconfigured},
    {"ExpiredProviderToken", Outcome::credential_expired},
    {"TooManyProviderTokenUpdates", Outcome::credential_throttled},
    {"TooManyRequests", Outcome::throttled},
    {"IdleTimeout", Outcome::provider_leaving},
    {"Shutdown", Outcome::provider_leaving},
};

}  // namespace

Result<void> decode_token(std::string_view hex, DeviceToken& token) {
    std::array<uint8_t, kDeviceTokenMax> bytes;
    const size_t size = hex.size() / 2;
    if (size < kTokenMin || size > bytes.size() ||
        !decode_hex(hex, MutableBytes(bytes).first(size))) {
        return fail(Errc::invalid, "not a device token of APNs");
    }
    token.assign(ByteView(bytes).first(size));
    return {};
}

Result<size_t> encode_payload(Style style,
                              std::string_view token,
                              std::string_view extra,
                              std::span<char> storage) {
    JsonWriter json(storage.first(std::min(storage.size(), kPayloadMax)));
    const PayloadText& text = style == Style::alert ? kAlert : kBackground;
    json.verbatim(text.before_token).string(token);
    json.verbatim(text.before_data).raw(extra).verbatim(text.end);
    if (!json.fits()) return fail(Errc::limit, "the payload is larger than APNs takes");
    return json.text().size();
}

http2::RequestHead encode(const Job& job,
                          const Service& service,
                          std::string_view authorization,
                          RequestText& text) {
    using http2::Indexing;
    std::memcpy(text.path.data(), kPathPrefix.data(), kPathPrefix.size());
    const ByteView token = job.token.view();
    encode_hex(token, text.path.data() + kPathPrefix.size());
    job.push.format(text.id.data());
    // A background push that cannot be delivered now is worth as much as none, but Apple stores
    // only one per device anyway.
    const auto expires = static_cast<uint64_t>(
        std::max<int64_t>(0, to_unix_seconds(job.accepted + service.expiration)));

    http2::RequestHead head;
    head.authority = service.authority;
    head.path = {text.path.data(), kPathPrefix.size() + 2 * token.size()};
    if (!authorization.empty()) head.add({"authorization", authorization, Indexing::never});
    head.add({"apns-topic", service.topic, Indexing::allowed});
    head.add({"apns-push-type", job.is_background ? "background" : "alert", Indexing::allowed});
    // Apple: a background push with priority 10 is an error.
    head.add({"apns-priority", job.is_background ? "5" : "10", Indexing::allowed});
    head.add({"apns-expiration", format_decimal(expires, text.expiration), Indexing::once});
    head.add({"apns-id", {text.id.data(), text.id.size()}, Indexing::once});
    if (!service.collapse_id.empty() && !job.is_background) {
        head.add({"apns-collapse-id", service.collapse_id, Indexing::once});
    }
    return head;
}

Outcome classify(uint16_t status, std::string_view reason) {
    if (status == 200) return Outcome::delivered;
    for (const Reason& known : kReasons) {
        if (known.name == reason) return known.outcome;
    }
    if (status == 410) return Outcome::unregistered;
    if (status == 403) return Outcome::misconfigured;
    if (status == 429) return Outcome::throttled;
    if (status >= 500) return Outcome::provider_failed;
    return Outcome::rejected;
}

struct Decoder::State {
    simdjson::dom::parser parser;
    std::array<char, kBodyMax + simdjson::SIMDJSON_PADDING> body{};
    std::array<char, 64> reason{};
};

Decoder::Decoder() : state_(std::make_unique<State>()) {}
Decoder::~Decoder() = default;

Answer Decoder::decode(const http2::Event& response) {
    Answer answer;
    answer.status = response.status;
    if (response.status != 200 && !response.body.empty()) {
        // Anything may stand in the body: what is not the JSON we know leaves the status to decide.
        const size_t size = std::min(response.body.size(), kBodyMax);
        std::memcpy(state_->body.data(), response.body.data(), size);
        // The DOM, not On-Demand: it checks the whole text before it shows any of it.
        simdjson::dom::element body;
        std::string_view reason;
        uint64_t timestamp_ms = 0;
        if (!state_->parser.parse(state_->body.data(), size, false).get(body)) {
            if (!body["reason"].get_string().get(reason)) {
                reason = reason.substr(0, state_->reason.size());
                std::memcpy(state_->reason.data(), reason.data(), reason.size());
                answer.reason = {state_->reason.data(), reason.size()};
            }
            const bool has_time = !body["timestamp"].get_uint64().get(timestamp_ms);
            if (has_time && timestamp_ms < uint64_t{INT64_MAX} / 1'000) {
                answer.dead_since = UnixTime{static_cast<int64_t>(timestamp_ms) * 1'000};
            }
        }
    }
    answer.outcome = classify(response.status, answer.reason);
    if (const auto wait = parse_decimal(response.retry_after)) {
        answer.retry_after = seconds(static_cast<int64_t>(std::min<uint64_t>(*wait, 86'400)));
    }
    return answer;
}

}  // namespace knuckle::push::apns
