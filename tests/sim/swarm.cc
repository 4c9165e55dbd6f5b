// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/swarm.h"

#include <algorithm>
#include <cstdio>
#include <string_view>

namespace knuckle::sim {

namespace {

constexpr std::array<std::string_view, kFaultCount> kNames = {
    "chopped",       "late",          "stalled",       "broken",         "dial_refused",
    "dial_silent",   "no_connection", "goaway",        "refused_stream", "reset_stream",
    "fewer_streams", "zero_window",   "mute",          "closing",        "bad_request",
    "bad_token",     "wrong_topic",   "expired_token", "token_updates",  "unregistered",
    "old_news",      "too_large",     "throttled",     "failed",         "unavailable",
    "shutdown",      "garbage",       "no_answer",     "slow_answer",    "commit_failed",
    "slow_commit",   "queue_full",    "clock_jumped",  "clock_set_back", "crashed",
    "drained",       "hung_up",       "pipelined",     "unknown_token",  "registered_again",
};

constexpr Duration magnitude(Duration shortest, uint64_t exponent) {
    return {shortest.ns << exponent};
}

}  // namespace

Swarm::Swarm(uint64_t seed) : random_(seed) {
    // Some runs are nearly peaceful, in others nearly everything happens.
    const uint64_t odds = 1 + below(7);
    for (uint32_t& weight : weights_) {
        if (below(8) < odds) weight = static_cast<uint32_t>(1) << below(9);
    }
    workers = 1 + static_cast<uint32_t>(below(3));
    apps = 1 + below(2);
    knocks = 10 + static_cast<uint32_t>(below(coin() ? 50 : 300));
    pace = magnitude(microseconds(100), below(18));  // to 13 s
    if (below(12) == 0) pace = minutes(1) + span(minutes(10));
    latency_max = magnitude(microseconds(10), below(16));  // to a third of a second
    if (coin()) grain = magnitude(microseconds(1), below(15));
    answer_max = magnitude(microseconds(100), below(14));
    commit_max = magnitude(microseconds(100), below(12));
    jobs_max = coin() ? 1'000 : 16 + below(100);
    connections_max = coin() ? 1'000 : 4 + below(30);
    queue_max = coin() ? 16'384 : 1 + below(20);
    kernel_max = coin() ? size_t{1} << 20 : size_t{1} << (6 + below(12));
    streams_max = coin() ? 1'000 : 1 + static_cast<uint32_t>(below(20));
    if (below(4) == 0) token_limit = 1 + static_cast<uint32_t>(below(20));
    if (below(4) == 0) account_limit = 1 + static_cast<uint32_t>(below(40));
    if (coin()) window = coin() ? seconds(1) : magnitude(milliseconds(1), below(16));
    if (coin()) {
        low_share = 1 + static_cast<uint32_t>(below(99));
        if (coin()) unseen_window = magnitude(milliseconds(1), below(18));
    }
    ack_wait = coin() ? seconds(2) : magnitude(milliseconds(1), below(14));
    expiration = coin() ? hours(24) : minutes(20) + span(hours(3));
    has_twins = below(3) == 0;
}

Duration Swarm::span(Duration longest) {
    const uint64_t shift = below(12);
    const auto bound = static_cast<uint64_t>(longest.ns) >> shift;
    return {static_cast<int64_t>(below(bound + 1))};
}

Duration Swarm::deferral_max() const {
    const bool has_limit = token_limit > 0 || account_limit > 0;
    return std::max({has_limit ? minutes(1) : Duration{}, window, unseen_window});
}

Duration Swarm::latency() {
    if (has(Fault::late)) return span(seconds(20));
    return span(latency_max);
}

std::string Swarm::describe() const {
    std::array<char, 500> text;
    std::snprintf(
        text.data(),
        text.size(),
        "workers=%u apps=%zu twins=%d knocks=%u pace_us=%lld latency_us=%lld grain_us=%lld "
        "answer_us=%lld commit_us=%lld jobs=%zu connections=%zu queue=%zu kernel=%zu "
        "streams=%u token_limit=%u account_limit=%u window_ms=%lld unseen_window_ms=%lld "
        "low_share=%u ack_wait_ms=%lld "
        "expiration_s=%lld",
        workers,
        apps,
        has_twins,
        knocks,
        static_cast<long long>(to_us(pace)),
        static_cast<long long>(to_us(latency_max)),
        static_cast<long long>(to_us(grain)),
        static_cast<long long>(to_us(answer_max)),
        static_cast<long long>(to_us(commit_max)),
        jobs_max,
        connections_max,
        queue_max,
        kernel_max,
        streams_max,
        token_limit,
        account_limit,
        static_cast<long long>(to_ms(window)),
        static_cast<long long>(to_ms(unseen_window)),
        low_share,
        static_cast<long long>(to_ms(ack_wait)),
        static_cast<long long>(to_seconds(expiration)));
    std::string all = text.data();
    all += "\n  faults:";
    for (size_t i = 0; i < kFaultCount; ++i) {
        if (weights_[i] > 0)
            all += " " + std::string(kNames[i]) + "=" + std::to_string(weights_[i]);
    }
    return all;
}

}  // namespace knuckle::sim
