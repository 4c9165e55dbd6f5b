// SPDX-License-Identifier: GPL-3.0-or-later
// Virtual time, and what is to happen in it: a heap ordered by time and then by sequence, so that a
// run never depends on anything but its seed.
//
//     events.after(milliseconds(3), [=] { ... });
//     events.advance_to(events.next());  events.run_due();
//
// The gateway's civil clock may jump; that of the rest of the world does not.
// Owner: World.  Thread: one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "base/time.h"

namespace knuckle::sim {

class Events {
public:
    using Action = std::function<void()>;

    Events(Instant start, UnixTime civil) : now_{start, civil}, true_offset_(civil.us) {}

    void after(Duration delay, Action action) { at(now_.instant + delay, std::move(action)); }
    void at(Instant instant, Action action) {
        heap_.push_back({std::max(instant, now_.instant), sequence_++, std::move(action)});
        std::push_heap(heap_.begin(), heap_.end(), is_later);
    }
    [[nodiscard]] Instant next() const { return heap_.empty() ? kNever : heap_.front().at; }
    // All that are due now, and those that they make due.
    void run_due() {
        while (!heap_.empty() && heap_.front().at <= now_.instant) {
            std::pop_heap(heap_.begin(), heap_.end(), is_later);
            const Event event = std::move(heap_.back());
            heap_.pop_back();
            event.action();
        }
    }

    void advance_to(Instant instant) {
        now_.unix = now_.unix + (instant - now_.instant);
        latest_ = std::max(latest_, now_.unix);
        passed_ = passed_ + (instant - now_.instant);
        now_.instant = instant;
    }
    void jump(Duration by) {
        now_.unix = now_.unix + by;
        latest_ = std::max(latest_, now_.unix);
        jumps_.push_back({now_.instant, by});
    }
    void set_clock_right() { jump(true_time() - now_.unix); }

    [[nodiscard]] Now now() const { return now_; }
    [[nodiscard]] UnixTime true_time() const { return UnixTime{true_offset_} + passed_; }
    // The latest that the gateway's clock has ever shown.
    [[nodiscard]] UnixTime latest_civil() const { return latest_; }
    // The earliest that it has shown since then.
    [[nodiscard]] UnixTime earliest_civil(Instant since) const {
        UnixTime earliest = now_.unix;
        UnixTime after = now_.unix;  // what it showed when the jump before had been made
        Instant at = now_.instant;
        for (auto jump = jumps_.rbegin(); jump != jumps_.rend() && jump->at >= since; ++jump) {
            after = after + (jump->at - at);
            earliest = std::min({earliest, after, after + jump->by * -1});
            after = after + jump->by * -1;
            at = jump->at;
        }
        return std::min(earliest, after + (since - at));
    }
    // Counts up with everything that is told apart by order.
    [[nodiscard]] uint64_t take_sequence() { return sequence_++; }

private:
    struct Event {
        Instant at;
        uint64_t sequence;
        Action action;
    };
    struct Jump {
        Instant at;
        Duration by;
    };
    static bool is_later(const Event& a, const Event& b) {
        return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
    }

    Now now_;
    int64_t true_offset_;
    Duration passed_{};
    uint64_t sequence_ = 1;
    std::vector<Event> heap_;
    std::vector<Jump> jumps_;
    UnixTime latest_{};
};

}  // namespace knuckle::sim
