// SPDX-License-Identifier: GPL-3.0-or-later
// What the simulated APNs answers: a function of a request, of what its connection has seen, and of
// the time, apart from any transport. As strict as providers.md F asks for the success path and
// all validation of requests.
//
//     ApnsBehavior apns(options); apns.add_key(key);
//     ApnsConnection connection;                       one for each connection, made by the caller
//     ApnsAnswer answer = apns.answer(request, connection, now);
//
// The order of validation; the first fault is answered, the rest is not looked at:
//     1  an injected failure                      what set_failure() says
//     2  :method                                  405 MethodNotAllowed
//     3  :path begins with /3/device/             404 BadPath
//     4  no field twice                           400 DuplicateHeaders
//     5  authorization                            403 MissingProviderToken, InvalidProviderToken,
//        ExpiredProviderToken; 429 TooManyProviderTokenUpdates; 403 UnrelatedKeyIdInToken,
//        BadEnvironmentKeyInToken
//     6  apns-id, -expiration, -priority, -push-type, -topic, -collapse-id     400, see the .cc
//     7  the device token in the path             400 MissingDeviceToken, BadDeviceToken
//     8  the payload                              413 PayloadTooLarge, 400 PayloadEmpty
//     9  push type against payload                400 InvalidPushType
//    10  what became of the device                set_device()
//
// Apple documents no reason for a payload that is not JSON; here it is PayloadEmpty, the nearest.
// Owner: whoever simulates.  Thread: one.  Time: passed in, never read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "tests/mock/apns_ledger.h"
#include "tests/mock/http2_server.h"
#include "tests/mock/provider_tokens.h"

namespace knuckle::mock {

struct ApnsOptions {
    std::vector<std::string> topics = {};  // the bundle ids of the team
    bool is_sandbox = true;                // the environment; it answers with apns-unique-id
    uint32_t streams_max = 1'000;          // once a valid provider token has been seen
    Duration token_age_max = hours(1);
    Duration token_future_max = seconds(60);
    // Apple says only that such a token is wrong (providers.md A.2).
    std::string future_token_reason = "InvalidProviderToken";
    Duration token_update_min = minutes(20);
    // So many points of refusals end a connection; 0: they don't. 410 is free, BadDeviceToken
    // counts twice, all else once: Apple gives no numbers, only this order.
    uint32_t error_budget = 0;
    bool checks_requests = true;  // false: all is well, for a benchmark
    size_t arrivals_max = 64;     // see ApnsLedger
};

// Before the first valid provider token exactly one stream is open (providers.md A.5).
inline constexpr uint32_t kStreamsBeforeToken = 1;

// The device token in a path, or nothing.
[[nodiscard]] std::string_view device_in(std::string_view path);

// What APNs remembers of one connection.
struct ApnsConnection {
    uint64_t number = 0;
    bool has_certificate = false;  // of the client's: it needs no provider token
    std::vector<std::string> certificate_topics = {};  // what that one allows
    const ProviderToken* token = nullptr;              // in use since
    Instant token_since{};
    Instant updates_allowed_at{};             // until then: too many provider tokens
    const ProviderToken* bound_to = nullptr;  // team and key of the first push that was accepted
    bool is_wedged = false;                   // an expired token was seen: nothing works any more
    bool has_seen_valid_token = false;
    bool has_raised_streams = false;
    uint32_t errors = 0;
};

// The views live until the next answer().
struct ApnsAnswer {
    uint16_t status = 200;
    std::string_view reason;  // empty: accepted
    std::optional<uint64_t> timestamp_ms;
    std::string_view id;
    std::string_view unique_id;           // empty: none
    std::optional<uint32_t> streams_max;  // to be announced with this answer
    bool ends_connection = false;         // GOAWAY after it

    // {"reason":"..."}, or empty; `storage` holds it.
    [[nodiscard]] std::string_view body(std::span<char> storage) const;
};

enum class DeviceState : uint8_t { good, unregistered, expired, bad, wrong_topic };

struct ApnsDevice {
    DeviceState state = DeviceState::good;
    std::optional<uint64_t> timestamp_ms = {};  // unregistered, expired: since when, if it is said
    std::optional<bool> is_sandbox = {};        // its environment, if it has only one
};

// What the team's keys are good for (providers.md A.2): an old key for everything, a newer one for
// one environment, a topic-specific one for some topics there.
struct ApnsKeyScope {
    std::optional<bool> is_sandbox = {};
    std::vector<std::string> topics = {};  // empty: all of the team's
};

// What is wrong with all requests, for some requests or for some time, whichever ends first.
struct ApnsFailure {
    uint16_t status = 503;
    std::string reason = "ServiceUnavailable";
    uint64_t requests = UINT64_MAX;
    Instant until = kNever;
};

class ApnsBehavior {
public:
    explicit ApnsBehavior(const ApnsOptions& options);
    ~ApnsBehavior();
    ApnsBehavior(const ApnsBehavior&) = delete;
    ApnsBehavior& operator=(const ApnsBehavior&) = delete;

    Result<void> add_key(const ApnsKey& key) { return tokens_.add(key); }
    // Devices are good unless something else is said.
    void set_device(std::string_view token, const ApnsDevice& device);
    void set_key_scope(const ApnsKeyScope& scope) { key_scope_ = scope; }
    void set_failure(const ApnsFailure& failure) { failure_ = failure; }
    // Forgets devices, failure, what keys are good for, and the ledger, but neither keys nor
    // connections.
    void reset();

    [[nodiscard]] ApnsAnswer answer(const Http2Request& request,
                                    ApnsConnection& connection,
                                    Now now);

    // What it answers when something else has decided; `reason` lives as long as the answer.
    [[nodiscard]] ApnsAnswer refuse(const Http2Request& request,
                                    ApnsConnection& connection,
                                    uint16_t status,
                                    std::string_view reason,
                                    Now now);
    // For a request that gets no answer: the client can't know its fate, or is told that it was
    // not processed.
    void note_unknown(const Http2Request& request, Now now);
    void note_unprocessed() { ledger_.note_unprocessed(); }

    [[nodiscard]] const ApnsLedger& ledger() const { return ledger_; }

private:
    struct Json;
    struct Refusal;

    [[nodiscard]] Refusal check(const Http2Request& request, ApnsConnection& connection, Now now);
    [[nodiscard]] Refusal check_token(const Http2Request& request,
                                      ApnsConnection& connection,
                                      Now now);
    [[nodiscard]] Refusal check_fields(const Http2Request& request) const;
    [[nodiscard]] Refusal check_topic(std::string_view topic, std::string_view type) const;
    [[nodiscard]] Refusal check_scope(std::string_view topic,
                                      const ApnsConnection& connection) const;
    [[nodiscard]] Refusal check_payload(const Http2Request& request);
    [[nodiscard]] Refusal check_device(std::string_view token) const;
    [[nodiscard]] Refusal injected(Now now);
    [[nodiscard]] ApnsAnswer conclude(const Http2Request& request,
                                      ApnsConnection& connection,
                                      const Refusal& refusal,
                                      Now now);
    void make_ids(const Http2Request& request);
    void keep(const Http2Request& request,
              const ApnsAnswer& answer,
              const ApnsConnection& connection,
              Now now);

    ApnsOptions options_;
    ProviderTokens tokens_;
    ApnsLedger ledger_;
    std::unordered_map<std::string, ApnsDevice> devices_;
    std::optional<ApnsFailure> failure_;
    ApnsKeyScope key_scope_;
    std::unique_ptr<Json> json_;
    uint64_t ids_made_ = 0;
    std::string id_;
    std::string unique_id_;
};

}  // namespace knuckle::mock
