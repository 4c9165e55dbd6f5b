// SPDX-License-Identifier: GPL-3.0-or-later
// What one worker counts. Each value has one writer, its worker, and may be read by any thread at
// any time.
//
//     counters.count(KnockResult::delivered);      counters.jobs_in_flight.set(n);
//
// metrics/render.h sums the workers' counters for /metrics. Owner: the supervisor.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "metrics/counter.h"
#include "metrics/histogram.h"

namespace knuckle::metrics {

// What the sender of a knock was told, and why.
enum class KnockResult : uint8_t {
    delivered,      // 202: the provider has it for every device
    stored,         // 202: it is on disk, pending
    no_device,      // 202: nothing to push to, or nothing to push for this urgency
    undeliverable,  // 202: the provider refused it for good, or the device is dead
    coalesced,      // 202: over a limit; a deferred push wakes its owner
    accepted,       // 202: at once, because the operator says so; see pushes
    unknown_token,  // 404
    limited,        // 429: over a limit of its sender's address
    overloaded,     // 503: one of our own limits
    store_failed,   // 503: the store could not answer
    abandoned,      // the sender hung up before the answer
};
inline constexpr size_t kKnockResultCount = static_cast<size_t>(KnockResult::abandoned) + 1;

// What is limited, and per what; a window is one push each per account. Set in [limits] of the
// configuration under these names.
enum class Limit : uint8_t {
    knocks_per_token,
    knocks_per_account,
    knocks_per_address,
    alert_window,
    background_window,
    logins_per_address,
    logins_per_account,
    tokens_per_address,
    tokens_per_account,
};
inline constexpr size_t kLimitCount = static_cast<size_t>(Limit::tokens_per_account) + 1;

// One slot for each push::Outcome; this module knows only their number, render() is given their
// names.
inline constexpr size_t kOutcomesMax = 16;

struct Counters {
    std::array<Counter, kKnockResultCount> knocks;
    std::array<Counter, kOutcomesMax> pushes;   // by push::Outcome
    std::array<Counter, kOutcomesMax> retries;  // by the push::Outcome that called for them
    std::array<Counter, kLimitCount> limited;   // requests over that limit
    Histogram knock_seconds;  // from the request parsed to the provider's last answer

    Counter connections_accepted;
    Counter connections_open;     // gauge
    Counter connections_refused;  // over the limit
    Counter requests;             // complete HTTP requests, of any kind
    Counter requests_malformed;
    Counter tls_failures;  // inbound handshakes and records

    Counter jobs_waiting;       // gauge: no stream yet
    Counter jobs_in_flight;     // gauge: on a stream
    Counter job_wait_ns;        // gauge: how long the oldest push has waited for a stream
    Counter lanes_stopped;      // gauge: lanes whose breaker is open
    Counter jobs_pending;       // gauge: on disk, to be sent again
    Counter pushes_superseded;  // a newer push to the same device went out in their place

    Counter upstreams_open;   // gauge: connections to providers, those being dialed included
    Counter upstreams_ready;  // gauge: of them, those that take pushes
    Counter upstream_dials;
    Counter upstream_failures;
    Counter upstream_pings;  // sent to ask whether anybody is there
    Counter streams_max;     // gauge: what the provider allows on the upstream heard last

    void count(KnockResult result) { knocks[static_cast<size_t>(result)].add(); }
    void count(Limit limit) { limited[static_cast<size_t>(limit)].add(); }
};

}  // namespace knuckle::metrics
