// SPDX-License-Identifier: GPL-3.0-or-later
// One app's way to one provider, as seen by who sends: what waits for it, what its answers say
// about it, and whether anything may go out. Topic, credential and endpoint are common to it all.
//
// Four lines wait: pushes to proven and to unproven devices, new ones and those that go out again.
// The latter go at the pace of DispatcherOptions::resend_interval, the proven before the unproven,
// so that a provider that has just come back is not buried; and what waits when the breaker opens
// joins them.
// Owner: push::Dispatcher.  Thread: its worker's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/list.h"
#include "base/random.h"
#include "base/time.h"
#include "push/breaker.h"
#include "push/job.h"
#include "push/pace.h"
#include "push/types.h"

namespace knuckle::push {

// So many 5xx in a row, with no other answer between, are the provider's trouble.
inline constexpr uint32_t kProviderFailuresMax = 5;
// So many devices of another topic before one of ours was met: it is us. Only proven ones tell, for
// anybody may register anything, unless there are none yet.
inline constexpr uint32_t kTopicFaultsMax = 5;
// After a probe that told nothing.
inline constexpr Duration kProbeAgain = seconds(1);

using JobQueue = List<Job, &Job::link>;

struct Lane {
    void push(Job& job, Line line);
    void push_front(Job& job) { queue(job.line).push_front(job); }
    // The next that may go out now, for a connection of that trust; nullptr: none.
    [[nodiscard]] Job* pop(Trust trust, Instant now);
    // Learns from an answer. What it means for the push, which may be less than it seems.
    [[nodiscard]] Outcome note(Job& job, Outcome outcome, Now now, Random& random);
    // When pop() has something that it holds back now; kNever: it holds nothing back.
    [[nodiscard]] Instant next_turn(Trust trust) const;

    [[nodiscard]] JobQueue& queue(Line line) { return queues[static_cast<size_t>(line)]; }
    [[nodiscard]] const JobQueue& queue(Line line) const {
        return queues[static_cast<size_t>(line)];
    }
    [[nodiscard]] bool has_waiting(Trust trust) const {
        return !queue(line_of(trust)).is_empty() || !queue(again_line_of(trust)).is_empty();
    }
    [[nodiscard]] size_t waiting_count() const;
    // When the push that has waited longest without being held back began to; kNever: none has.
    [[nodiscard]] Instant oldest() const;
    // No answer is to be expected soon, so senders need not wait for one.
    [[nodiscard]] bool is_stopped() const { return is_down || breaker.is_open(); }

    std::array<JobQueue, kLineCount> queues;  // by Line
    uint16_t twin = kNoTwin;
    size_t in_flight = 0;
    Breaker breaker;
    Pace pace;
    uint32_t provider_failures = 0;  // answers in a row
    uint32_t topic_faults = 0;       // before the first delivery
    bool knows_proven = false;       // has had a push to a proven device
    bool has_delivered = false;      // since the start: topic, environment and credential are right
    bool is_down = false;            // no connection, and none in sight

private:
    void trip(Trouble trouble, bool was_probe, Now now, Random& random);
};

}  // namespace knuckle::push
