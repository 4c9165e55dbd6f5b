// SPDX-License-Identifier: GPL-3.0-or-later
// What the commit thread does while no client's write waits: work on the whole database that nobody
// waits for, done a small step at a time.
//
//     Chores chores(sweep, started);
//     CommitThread thread(..., &chores);
//     if (chores.due() <= now.instant) chores.step(now)       by the thread; then it rests, rest()
//
// A chore is a class with a step that returns true while there is more to do; when its next round
// begins, and which goes first, is decided here alone. Under a load of writes without a pause,
// chores wait, which costs room on the disk and nothing else.
// Errors: a step that fails is logged (store_chore_failed, once until one succeeds) and made again
// after a while. It does not make the store read-only: clients' writes are smaller, and find out
// for themselves.
// Owner: the supervisor.  Thread: the committer's.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/result.h"
#include "base/time.h"
#include "store/sweep.h"

namespace knuckle::store {

// A start is busy enough, and a clock that was wrong at boot should be right by then.
inline constexpr Duration kFirstSweepAfter = minutes(1);
// Often enough that a round finds little, seldom enough that looking at every row costs nothing.
inline constexpr Duration kSweepEvery = hours(1);
inline constexpr Duration kChoreRetryAfter = minutes(1);
// Steps take at most a fifth of the time, of the disk's as well.
inline constexpr int64_t kRestPerStep = 4;
inline constexpr Duration kRestMin = milliseconds(20);

class Chores {
public:
    Chores(Sweep& sweep, Instant started, Duration retry_after = kChoreRetryAfter)
        : sweep_(sweep), retry_after_(retry_after), sweep_due_(started + kFirstSweepAfter) {}

    // When the next step may be made, at the earliest.
    [[nodiscard]] Instant due() const { return sweep_due_; }
    void step(Now now);

    // How long nothing is done after a step that took so long.
    [[nodiscard]] static constexpr Duration rest(Duration step) {
        return std::max(step * kRestPerStep, kRestMin);
    }

private:
    Sweep& sweep_;
    const Duration retry_after_;
    Instant sweep_due_;
    Instant next_round_{};
    bool is_sweeping_ = false;
    bool is_failing_ = false;
};

}  // namespace knuckle::store
