// SPDX-License-Identifier: GPL-3.0-or-later
// One app's way to one provider, as seen by who sends: what waits for it, and what has become of
// what was sent. Topic, credential and endpoint are common to all of it.
//
// Owner: push::Dispatcher.  Thread: its worker's.
#pragma once

#include <array>
#include <cstddef>

#include "base/list.h"
#include "push/job.h"
#include "push/types.h"

namespace knuckle::push {

using JobQueue = List<Job, &Job::link>;

struct Lane {
    std::array<JobQueue, kTrustCount> queues;  // by Trust
    size_t in_flight = 0;
    bool has_delivered = false;  // since the start: topic, environment and credential are right
    bool is_down = false;        // no connection, and none in sight: do not make senders wait
    bool is_refused = false;     // the last word was that our topic or credential is wrong

    [[nodiscard]] JobQueue& queue(Trust trust) { return queues[static_cast<size_t>(trust)]; }
    [[nodiscard]] const JobQueue& queue(Trust trust) const {
        return queues[static_cast<size_t>(trust)];
    }
    [[nodiscard]] size_t waiting_count() const {
        size_t count = 0;
        for (const JobQueue& queue : queues) count += queue.count();
        return count;
    }
};

}  // namespace knuckle::push
