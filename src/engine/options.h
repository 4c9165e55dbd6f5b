// SPDX-License-Identifier: GPL-3.0-or-later
// What a worker is told once, at its start. Filled by app/ from the configuration; immutable; owned
// by the supervisor until the process ends, so everybody may keep pointers into it. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "api/rest.h"
#include "base/time.h"
#include "engine/rate_limiter.h"
#include "io/io.h"
#include "metrics/counters.h"
#include "push/apns.h"
#include "push/types.h"
#include "tls/context.h"

namespace knuckle::engine {

inline constexpr uint16_t kNoLane = UINT16_MAX;
inline constexpr size_t kNoCredential = SIZE_MAX;

// One app's way to its provider.
struct LaneOptions {
    std::string name;  // the app's, for the log
    push::apns::Service service;
    push::Environment environment = push::Environment::production;
    uint16_t twin = push::kNoTwin;
    io::Endpoint endpoint;
    std::string server_name;            // what the certificate must carry
    const tls::Context* tls = nullptr;  // nullptr: plain HTTP/2, for the simulator
    // Index of the provider token it uses; kNoCredential: `tls` has a client certificate instead.
    size_t credential = 0;
};

struct AppOptions {
    std::string name;
    uint16_t lane = kNoLane;  // kNoLane: it has no provider, its knocks go nowhere
    push::Style unspecified_style = push::Style::alert;
    push::Style low_style = push::Style::nothing;
};

struct ListenerOptions {
    const tls::Context* tls = nullptr;  // nullptr: plain HTTP
};

// Who may say on whose behalf a request comes.
struct ClientAddressOptions {
    std::string field;                             // names the client; empty: none does
    std::vector<io::PeerAddress> trusted_proxies;  // besides this machine itself
};

// All of them are off unless they are set.
struct LimitOptions {
    std::array<Rate, metrics::kLimitCount> rates;     // by Limit
    std::vector<io::PeerAddress> unlimited_networks;  // of io::network_of(); no limit per address

    [[nodiscard]] Rate rate(Limit limit) const { return rates[static_cast<size_t>(limit)]; }
    void set(Limit limit, Rate rate) { rates[static_cast<size_t>(limit)] = rate; }
};

// What all workers have in common.
struct Options {
    std::vector<AppOptions> apps;  // same order as routes.apps
    std::vector<LaneOptions> lanes;
    std::vector<ListenerOptions> listeners;
    api::Routes routes;
    std::string base_url;
    std::string pubsub_jid;
    Duration token_lifetime = hours(24 * 30);
    Duration account_lifetime = hours(24 * 400);  // without being used; no shorter than a token's

    Duration ack_wait = seconds(2);
    bool acks_at_once = false;  // weaker: a 202 before the provider or the disk has the pushes
    Duration resend_interval = milliseconds(1);  // of a lane and worker, for what goes out again
    Duration request_timeout = seconds(10);      // of a push on its stream
    Duration idle_timeout = seconds(75);
    Duration drain_timeout = seconds(10);
    uint32_t upstreams_max = 4;  // of each lane, besides the one for unproven tokens
    size_t connections_max = 20'000;
    size_t jobs_max = 20'000;
    uint32_t devices_max = 100;    // per account
    uint32_t tokens_max = 20'000;  // per account
    ClientAddressOptions client_address;
    LimitOptions limits;
    uint32_t workers = 1;
};

}  // namespace knuckle::engine
