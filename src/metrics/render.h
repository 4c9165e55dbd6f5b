// SPDX-License-Identifier: GPL-3.0-or-later
// What the gateway has counted, as Prometheus reads it: the text exposition format, version 0.0.4
// (prometheus.io, "Exposition formats").
//
//     std::string text = render(workers, outcome_names, process);      served as kContentType
//
// The same numbers give the same text. Times are in seconds. Labels name what is closed and small,
// never a token, an account or an app's user, so the number of series does not grow with the number
// of phones. docs/OPERATIONS.md says what each means to an operator. Thread: any; counters may move
// meanwhile.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "metrics/counters.h"

namespace knuckle::metrics {

inline constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

struct CertificateEnd {
    std::string_view name;
    UnixTime not_after;
};

// What is true of the process as a whole.
struct Process {
    std::string_view version;
    UnixTime started;
    bool is_ready = false;

    uint64_t commits = 0;
    uint64_t commit_failures = 0;
    uint64_t writes = 0;  // that were committed
    bool is_store_read_only = false;
    uint64_t expired_tokens = 0;    // erased by the sweep
    uint64_t expired_accounts = 0;  // erased by the sweep
    uint64_t damaged_rows = 0;      // met by the last sweep
    uint64_t resealed_rows = 0;     // since the start
    bool is_key_retiring = false;   // a key rotation is under way

    bool has_feedback_log = true;    // it can be read; else what comes from it is left out
    uint64_t feedback_events = 0;    // noted since the database was made
    uint64_t webhook_delivered = 0;  // requests
    uint64_t webhook_failed = 0;     // requests
    uint64_t webhook_unsent = 0;     // events, by the log
    Duration webhook_unsent_age{};   // of the oldest of them
    uint64_t pending_rows = 0;
    uint64_t pending_bytes = 0;
    Duration pending_age{};  // of the oldest
    std::vector<CertificateEnd> certificates{};
};

// `workers` are summed. `outcome_names[i]` is what Counters::pushes[i] counts; at most
// kOutcomesMax.
[[nodiscard]] std::string render(std::span<const Counters* const> workers,
                                 std::span<const std::string_view> outcome_names,
                                 const Process& process);

}  // namespace knuckle::metrics
