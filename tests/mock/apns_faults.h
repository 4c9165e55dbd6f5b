// SPDX-License-Identifier: GPL-3.0-or-later
// What goes wrong with single requests to the simulated APNs: rules by device, by turn and by
// time, of which the first that fits decides.
//
//     ApnsFaults faults;
//     faults.add({.device = "00ab", .every = 100, .fault = {.kind = FaultKind::goaway}});
//     const Fault* fault = faults.choose(device, now);         nullptr: nothing goes wrong
//
// What the fault does to a connection is the business of whoever owns it. How it leaves the push is
// said here, because a test's verdict hangs on it: not processed, which must be sent again; or of
// unknown fate, which may arrive twice.
// Limits: kRulesMax rules. Time: passed in, never read. Thread: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace knuckle::mock {

inline constexpr uint32_t kRefusedStream = 7;  // RFC 9113 section 7

enum class FaultKind : uint8_t {
    answer,       // this status, reason and body instead of what APNs would say
    late,         // accepted, and answered after `wait`
    silence,      // never answered
    reset,        // RST_STREAM with `code`; REFUSED_STREAM means that it was not processed
    cut_answer,   // the head of the answer, then RST_STREAM
    half_answer,  // FIN in the middle of the answer's first frame
    goaway,       // GOAWAY with a last stream below this one
    hang_up,      // the connection is gone
};

struct Fault {
    FaultKind kind = FaultKind::silence;
    bool is_accepted = false;  // the push was taken before it went wrong
    uint16_t status = 503;
    std::string reason = {};
    // Instead of {"reason":...}, anything. Without a reason and without this it is empty.
    std::optional<std::string> body = {};
    std::string retry_after = {};
    uint32_t code = 0;  // of HTTP/2
    Duration wait{};

    // What the ledger calls it: an answer without a reason is no acceptance.
    [[nodiscard]] std::string_view name() const {
        return reason.empty() ? std::string_view("none") : reason;
    }
    [[nodiscard]] std::string_view text() const {
        return body ? std::string_view(*body) : std::string_view();
    }
    // Whether the client can know that APNs has not looked at the request.
    [[nodiscard]] bool is_unprocessed() const;
    // Whether it can't know whether APNs has taken the push.
    [[nodiscard]] bool is_fate_unknown() const;
};

struct FaultRule {
    std::string device = {};         // how the token begins; empty: any
    uint64_t skip = 0;               // so many requests are let through before the first
    uint64_t every = 1;              // then each such one is struck
    uint64_t requests = UINT64_MAX;  // so many are struck at most
    Instant until = kNever;
    Fault fault = {};
};

class ApnsFaults {
public:
    static constexpr size_t kRulesMax = 64;

    // False: there are kRulesMax already.
    bool add(const FaultRule& rule);
    void clear() { rules_.clear(); }
    // Lives until the next add() or clear().
    [[nodiscard]] const Fault* choose(std::string_view device, Instant now);
    [[nodiscard]] uint64_t struck() const { return struck_; }

private:
    struct Entry {
        FaultRule rule;
        uint64_t seen = 0;
        uint64_t struck = 0;
    };

    std::vector<Entry> rules_;
    uint64_t struck_ = 0;
};

}  // namespace knuckle::mock
