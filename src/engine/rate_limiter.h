// SPDX-License-Identifier: GPL-3.0-or-later
// Who may do what how often, in bounded memory: token buckets by the generic cell rate algorithm
// (ITU-T I.371).
//
//     RateLimiter limiter(count, secret);
//     const uint64_t key = limiter.key(Limit::knocks_per_token, token);
//     limiter.check(key, rate, now)        allowed, deferred or refused; nothing is taken
//     limiter.take(key, rate, now)         after that: the place that was allowed, or deferred to
//     limiter.take(key, rate, now, true)   the same, by one that another limit makes come later
//     limiter.give_back(key, rate)         of what was taken
//     limiter.take_if_allowed(...)         both, for whom there is no deferral
//
// A bucket is one instant, so its rate need not be kept, and a full bucket needs no entry. When a
// set of the table is full, the bucket that is nearest to being full is forgotten: under a flood of
// subjects the limiter gets more lenient, never larger. Keys are mixed with a secret, so nobody can
// aim at another's set.
// Owner: engine::Limits.  Thread: its worker's.  Memory: 16 bytes a bucket, taken at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "metrics/counters.h"

namespace knuckle::engine {

using metrics::Limit;

// `burst` at once, then one each `interval`. Without a burst there is no limit.
struct Rate {
    Duration interval{};
    uint32_t burst = 0;

    [[nodiscard]] bool is_off() const { return burst == 0; }
};

// `count` in any one `period`, all of them at once if need be, after as long a pause.
constexpr Rate rate_of(uint32_t count, Duration period) {
    return count == 0 ? Rate{} : Rate{{period.ns / count}, count};
}

enum class Pass : uint8_t {
    allowed,
    deferred,  // the first over the limit: it may have the next place, at Admission::at
    refused,   // the next place is taken, by one who was deferred
};

struct Admission {
    Pass pass = Pass::allowed;
    bool is_held_late = false;  // refused, but who holds the next place will come later than that
    Instant at{};               // when it, or one more, is allowed
};

class RateLimiter {
public:
    // Room for `count` buckets, rounded up to a power of two.
    RateLimiter(size_t count, uint64_t secret);

    // `space` keeps equal names apart that are not the same, those of two apps, say.
    [[nodiscard]] uint64_t key(Limit limit, ByteView who, size_t space = 0) const;
    [[nodiscard]] Admission check(uint64_t key, Rate rate, Instant now) const;
    void take(uint64_t key, Rate rate, Instant now, bool is_late = false);
    // What was taken, and not used after all.
    void give_back(uint64_t key, Rate rate);
    // Zero: taken. Else how long until it would be.
    [[nodiscard]] Duration take_if_allowed(uint64_t key, Rate rate, Instant now);

private:
    static constexpr size_t kWays = 4;
    static constexpr int64_t kLateBit = 1;

    struct Bucket {
        uint64_t key = 0;
        int64_t full_at_and_late = 0;  // in one number, so that four buckets fill a line of a cache

        // When it will be full again; the past if it is. The lowest bit is is_late()'s.
        [[nodiscard]] Instant full_at() const { return {full_at_and_late & ~kLateBit}; }
        // Who took the last place comes later than that.
        [[nodiscard]] bool is_late() const { return (full_at_and_late & kLateBit) != 0; }
        void set(Instant full_at, bool is_late) {
            full_at_and_late = (full_at.ns & ~kLateBit) | (is_late ? kLateBit : 0);
        }
    };
    // One line of a cache.
    struct alignas(64) Set {
        std::array<Bucket, kWays> buckets;
    };

    [[nodiscard]] const Bucket* find(uint64_t key) const;

    std::vector<Set> sets_;
    uint64_t secret_;
};

}  // namespace knuckle::engine
