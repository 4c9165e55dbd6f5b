// SPDX-License-Identifier: GPL-3.0-or-later
// The words in which the gateway talks about pushes: how urgent a knock is, what the provider said
// (Outcome), what we do about it (Verdict). Plain values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/time.h"

namespace knuckle::push {

// Apple's limit for every push type we send (developer.apple.com, "Sending notification requests to
// APNs").
inline constexpr size_t kPayloadMax = 4'096;
// Raw bytes of an APNs device token; Apple says not to assume a size, today's have 32.
inline constexpr size_t kDeviceTokenMax = 100;

// A registration is good in one of the two, and nothing in it says in which.
enum class Environment : uint8_t { production, sandbox };

// In place of the index of a lane's twin, its app's lane in the other environment: there is none.
inline constexpr uint16_t kNoTwin = UINT16_MAX;

// What the sender asked for (chatsecure-push.md 4.3): `unspecified` is what every phone client
// sends.
enum class Urgency : uint8_t { high, low, unspecified };

// How the phone is to be told.
enum class Style : uint8_t { alert, background, nothing };

// Has the provider ever taken a push for this registration? Registrations come from strangers, and
// APNs cuts connections that carry bad ones, so the unproven have a connection of their own.
enum class Trust : uint8_t { proven, unproven };
inline constexpr size_t kTrustCount = static_cast<size_t>(Trust::unproven) + 1;

// In which of its lane's lines a push waits: by the trust of its device, and whether it goes out
// for the first time or again.
enum class Line : uint8_t { proven, unproven, proven_again, unproven_again };
inline constexpr size_t kLineCount = static_cast<size_t>(Line::unproven_again) + 1;
[[nodiscard]] constexpr Line line_of(Trust trust) {
    return trust == Trust::proven ? Line::proven : Line::unproven;
}
[[nodiscard]] constexpr Line again_line_of(Trust trust) {
    return trust == Trust::proven ? Line::proven_again : Line::unproven_again;
}

// What the provider's answer means. Closed on our side; reasons we do not know map to rejected or
// provider_failed by their status, so that a new word of Apple's never breaks decoding.
enum class Outcome : uint8_t {
    delivered,           // 200: accepted by the provider
    unregistered,        // 410: the registration is dead, see Answer::dead_since
    bad_token,           // 400 BadDeviceToken: malformed, or of the other environment
    wrong_topic,         // 400 DeviceTokenNotForTopic: of another app, or our topic is wrong
    rejected,            // our request is at fault and would be again: never repeat it
    misconfigured,       // topic or credential is at fault: every push of the lane would fail alike
    credential_expired,  // 403 ExpiredProviderToken
    credential_throttled,  // 429 TooManyProviderTokenUpdates
    throttled,             // 429 TooManyRequests: this device only
    provider_failed,       // 5xx
    provider_leaving,      // 503 Shutdown, 400 IdleTimeout: this connection only, repeat on another
    not_processed,         // the provider never saw it (refused stream): repeating is safe
    unknown,               // lost after it was sent: it may or may not have arrived
    expired,               // ours: its time ran out before an answer
};
inline constexpr size_t kOutcomeCount = static_cast<size_t>(Outcome::expired) + 1;
[[nodiscard]] std::string_view name_of(Outcome outcome);

// One answer, decoded.
struct Answer {
    Outcome outcome = Outcome::unknown;
    uint16_t status = 0;
    UnixTime dead_since{};   // unregistered: when the provider noticed; 0 if it did not say
    Duration retry_after{};  // 0 if it did not say
    // the provider's word, for log and metrics; lives as long as the event it came in
    std::string_view reason{};
};

enum class Action : uint8_t {
    finish,  // settled, whether it reached the phone or never will
    retry,   // again at Verdict::at
    forget,  // settled, and the device is dead: mark it so
};

// What the provider has against our token.
enum class TokenFault : uint8_t {
    none,
    too_old,  // mint another, if its age allows
    too_new,  // go back to the one before it, if that is still valid
};

struct Verdict {
    Action action = Action::finish;
    Instant at{};  // retry
    TokenFault token_fault = TokenFault::none;
    bool crosses = false;         // retry: on the lane's twin
    bool close_upstream = false;  // this connection is of no more use: replace it
};

}  // namespace knuckle::push
