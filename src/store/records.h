// SPDX-License-Identifier: GPL-3.0-or-later
// What the gateway remembers, as plain values: accounts, devices, whitelist tokens, pending knocks,
// feedback.
// How they lie on disk is the business of store/schema.h. Owner and thread: whoever holds the
// value.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "base/uuid.h"

namespace knuckle::store {

// Limits of the text fields, in bytes; the API enforces tighter ones in characters. A write that
// breaks one fails (store/write.h). kNameMax holds for every field that has no limit of its own.
inline constexpr size_t kNameMax = 1'024;
inline constexpr size_t kPasswordHashMax = 1'024;
inline constexpr size_t kRegistrationMax = 4'096;
inline constexpr size_t kTokenTextMax = 100;  // of auth tokens too
inline constexpr size_t kPayloadMax = 8'192;
inline constexpr size_t kReasonMax = 64;
inline constexpr size_t kDevicesPerAccountMax = 1'000;
inline constexpr size_t kTokensPerAccountMax = 1'000'000;

// Being used is noted only when the last note is older, so that it costs one write per account and
// day.
inline constexpr Duration kSeenGrain = hours(24);

// Is it worth a write that an account, last seen at `seen`, is used `now`?
[[nodiscard]] constexpr bool is_worth_noting(UnixTime seen, UnixTime now) {
    return seen + kSeenGrain <= now;
}
// Has nobody used an account for `lifetime`? What was not noted counts in its favour, so it lives
// at least that long after its last use, and therefore longer than every token that was made with
// it, if tokens do not live longer than `lifetime`.
[[nodiscard]] constexpr bool is_idle(UnixTime seen, Duration lifetime, UnixTime now) {
    return seen + kSeenGrain + lifetime <= now;
}

enum class DeviceKind : uint8_t { apns = 1, gcm = 2 };

// In which of its two environments has the provider taken a push for a registration? A registration
// is good in one of them only.
enum class ProvenIn : uint8_t { nowhere = 0, production = 1, sandbox = 2 };

// `app` names the [apps.NAME] a row belongs to; rows of one app are invisible to another.
struct Account {
    Uuid id;
    std::string app;
    std::string username;
    std::string email;
    std::string password_hash;  // see crypto/password.h
    std::string auth_token;     // 40 lower-case hex digits
    UnixTime created;
    UnixTime seen;  // somebody used it then, or up to kSeenGrain later

    bool operator==(const Account&) const = default;
};

struct Device {
    Uuid id;
    Uuid account;
    DeviceKind kind = DeviceKind::apns;
    bool is_active = true;  // what the app set
    bool is_dead = false;   // the provider said so; the next PUT of the app revives it
    ProvenIn proven_in = ProvenIn::nowhere;
    std::string registration_id;
    std::string name;
    std::string device_id;
    bool has_name = false;  // null and "" are different answers
    bool has_device_id = false;
    UnixTime created;
    // Last POST or PUT by the app: a 410 older than this is about an earlier life.
    UnixTime registered;

    bool operator==(const Device&) const = default;
};

struct Token {
    std::string text;  // 40 lower-case hex digits
    Uuid account;
    Uuid device;  // the one it was made for; a knock wakes all of the account's
    DeviceKind kind = DeviceKind::apns;
    std::string name;
    bool has_name = false;
    UnixTime created;  // this and the next: whole seconds, see set_lifetime()
    UnixTime expires;

    bool operator==(const Token&) const = default;
};

// The times of a token are whole seconds, as many as 32 bits count: to the year 2106.
inline constexpr UnixTime kTokenTimeMax = from_unix_seconds(UINT32_MAX);

// The last such time that is not after `time`, or the first that there is.
[[nodiscard]] constexpr UnixTime second_before(UnixTime time) {
    return from_unix_seconds(to_unix_seconds(std::clamp(time, UnixTime{}, kTokenTimeMax)));
}
// The first such time that is not before `time`, or the last that there is.
[[nodiscard]] constexpr UnixTime second_after(UnixTime time) {
    const UnixTime before = second_before(time);
    return before < std::min(time, kTokenTimeMax) ? before + seconds(1) : before;
}

// Wherever a token is made, this gives it its times: it was made no later than `created` and ends
// no earlier than `lifetime` after that. By a clock beyond 2106 it has expired from the beginning.
constexpr void set_lifetime(Token& token, UnixTime created, Duration lifetime) {
    token.created = second_before(created);
    token.expires = second_after(std::min(created, kTokenTimeMax) + lifetime);
}

// A knock that was answered before the provider had it: at most one per device.
struct Pending {
    Uuid account;
    Uuid device;
    std::string app;
    uint64_t serial = 0;         // of the knock that wrote it; a newer one supersedes
    uint64_t unseen_serial = 0;  // of a newer one that nobody sees and that relies on it; or 0
    UnixTime accepted;
    UnixTime expires;
    Uuid push;  // apns-id, the same for every attempt
    bool is_background = false;
    std::string payload;

    // Of all knocks that it stands for.
    [[nodiscard]] uint64_t last_serial() const { return std::max(serial, unseen_serial); }
    bool operator==(const Pending&) const = default;
};

// What the log of feedback holds at most, for how many events and how long.
inline constexpr uint64_t kFeedbackEventsMax = 100'000;
inline constexpr Duration kFeedbackLifetime = hours(24 * 30);

enum class FeedbackKind : uint8_t { dead = 1, revived = 2 };

// A device died, or came back to life: the last that is known of it.
struct Feedback {
    uint64_t number = 0;  // its place in the log, counted from 1
    Uuid account{};
    Uuid device{};
    DeviceKind device_kind = DeviceKind::apns;
    FeedbackKind kind = FeedbackKind::dead;
    std::string app{};
    std::string reason{};   // the provider's word; empty: it had none
    UnixTime dead_since{};  // by the provider's clock; 0: it did not say
    UnixTime noticed{};     // by ours

    bool operator==(const Feedback&) const = default;
};

}  // namespace knuckle::store
