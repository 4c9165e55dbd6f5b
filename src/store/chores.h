// SPDX-License-Identifier: GPL-3.0-or-later
// What the commit thread does while no client's write waits: work on the whole database that nobody
// waits for, done a small step at a time.
//
//     Chores chores(resealer, sweep, started);
//     CommitThread thread(..., &chores);
//     if (chores.due() <= now.instant) chores.step(now)       by the thread; then it rests, rest()
//
// A chore is a class with a step that returns true while there is more to do; when its next round
// begins, and which goes first, is decided here alone: a key that is being retired, from the start
// on, then the sweep. Under a load of writes without a pause, chores wait, which costs room on the
// disk and keeps the retiring key needed, and nothing else.
// Errors: a step that fails is logged (store_chore_failed, once until one succeeds) and made again
// after a while. It does not make the store read-only: clients' writes are smaller, and find out
// for themselves.
// Owner: the supervisor.  Thread: the committer's.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/result.h"
#include "base/time.h"
#include "store/reseal.h"
#include "store/sweep.h"

namespace knuckle::store {

// A start is busy enough, and a clock that was wrong at boot should be right by then.
inline constexpr Duration kFirstSweepAfter = minutes(1);
// Often enough that a round finds little, seldom enough that looking at every row costs nothing.
inline constexpr Duration kSweepEvery = hours(1);
inline constexpr Duration kChoreRetryAfter = minutes(1);
// A step takes a core and the disk, and where cores are few, a knock that comes meanwhile waits for
// its end. Steps that fill one part in 200 of the time meet fewer than one knock in a hundred. A
// slow disk's steps rest no longer than kRestMax, so that a round ends in hours
// (docs/adr/0013): most of such a step is waiting, which disturbs nobody. Very long ones take at
// most a fifth of the time.
inline constexpr int64_t kRestPerStep = 200;
inline constexpr int64_t kRestPerLongStep = 4;
inline constexpr Duration kRestMin = milliseconds(20);
inline constexpr Duration kRestMax = seconds(1);

class Chores {
public:
    Chores(Resealer& resealer,
           Sweep& sweep,
           Instant started,
           Duration retry_after = kChoreRetryAfter)
        : resealer_(resealer),
          sweep_(sweep),
          retry_after_(retry_after),
          reseal_due_(resealer.is_under_way() ? started : kNever),
          sweep_due_(started + kFirstSweepAfter) {}

    // When the next step may be made, at the earliest.
    [[nodiscard]] Instant due() const { return std::min(reseal_due_, sweep_due_); }
    void step(Now now);

    // How long nothing is done after a step that took so long.
    [[nodiscard]] static constexpr Duration rest(Duration step) {
        return std::max(std::clamp(step * kRestPerStep, kRestMin, kRestMax),
                        step * kRestPerLongStep);
    }

private:
    // When the step after this one may be made; `done` if there is none for now.
    [[nodiscard]] Instant after(const Result<bool>& has_more, Instant done, Now now);

    Resealer& resealer_;
    Sweep& sweep_;
    const Duration retry_after_;
    Instant reseal_due_;
    Instant sweep_due_;
    Instant next_round_{};
    bool is_sweeping_ = false;
    bool is_failing_ = false;
};

}  // namespace knuckle::store
