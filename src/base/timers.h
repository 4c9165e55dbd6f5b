// SPDX-License-Identifier: GPL-3.0-or-later
// Deadlines, without a clock: a binary heap of timers that live inside their owners.
//
//     struct Job { Timer timer; ... };
//     timers.arm(job.timer, now + seconds(2))               moves it if it is armed already
//     timers.disarm(job.timer)                            harmless if it is not armed
//     Instant next = timers.next_deadline()               kNever when nothing is armed
//     while (Timer* due = timers.pop_due(now)) ...        due->kind and due->owner say whose it is
//
// Deadlines mostly arrive in order, so arming costs O(1) in practice and O(log n) at worst.
// Owner: engine::Worker.  Thread: its worker's.  Invariant: a timer is disarmed before it dies
// (asserted), so nothing can be found through a dead one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "base/time.h"

namespace knuckle {

struct Timer {
    static constexpr uint32_t kIdle = UINT32_MAX;

    Timer() = default;
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer() { KNUCKLE_ASSERT(!is_armed()); }

    [[nodiscard]] bool is_armed() const { return position != kIdle; }

    Instant deadline{};
    void* owner = nullptr;      // set once by the owner, read when the timer is due
    uint32_t position = kIdle;  // in the heap
    uint8_t kind = 0;           // set once by the owner: which of its deadlines this is
};

class Timers {
public:
    void arm(Timer& timer, Instant deadline);
    void disarm(Timer& timer);

    // The earliest timer whose deadline has come, disarmed; nullptr when there is none.
    [[nodiscard]] Timer* pop_due(Instant now);

    [[nodiscard]] Instant next_deadline() const {
        return heap_.empty() ? kNever : heap_.front()->deadline;
    }
    [[nodiscard]] size_t count() const { return heap_.size(); }

private:
    void sift_up(size_t position);
    void sift_down(size_t position);
    void place(size_t position, Timer& timer);

    std::vector<Timer*> heap_;
};

}  // namespace knuckle
