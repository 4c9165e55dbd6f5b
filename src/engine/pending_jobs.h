// SPDX-License-Identifier: GPL-3.0-or-later
// The pushes in our hands that no sender waits for any more, by device: the memory's half of the
// pending table, where there is one row for each device, too. However long a provider is away, and
// however often a phone is knocked for meanwhile, one push to it waits, the newest, in the place of
// the one that would have gone out first.
//
//     pending.add(job)         nobody waits for it any more, and it may go out; it may be released
//     pending.resubmit(job)    it was in flight and must go out again; it may be released
//     pending.remove(job)      it is settled
//
// A push in flight is not touched: a newer one waits beside it. Where a push that is seen meets one
// that is not, what remains is seen. A push that is deferred does not belong here until it may go
// out, because what is coalesced with it relies on that moment (engine/knock.h).
// Owner: engine::Knocks.  Thread: its worker's.  Limit: the dispatcher's jobs; 6 bytes for each
// are taken at once.
#pragma once

#include <cstddef>
#include <vector>

#include "base/list.h"
#include "metrics/counters.h"
#include "push/dispatcher.h"

namespace knuckle::engine {

class PendingJobs {
public:
    PendingJobs(push::Dispatcher& dispatcher, metrics::Counters& counters);
    ~PendingJobs();
    PendingJobs(const PendingJobs&) = delete;
    PendingJobs& operator=(const PendingJobs&) = delete;

    void add(push::Job& job);
    void resubmit(push::Job& job);
    void remove(push::Job& job);
    [[nodiscard]] bool is_empty() const { return count_ == 0; }

private:
    using Bucket = List<push::Job, &push::Job::company>;

    [[nodiscard]] Bucket& bucket_of(const push::Job& job);
    // Another push to the same device, on the same lane or its twin.
    [[nodiscard]] push::Job* find_other(const push::Job& job);
    void put(push::Job& job);
    void join(push::Job& older, push::Job& newer);
    void drop(push::Job& job, push::Job& heir);
    void note_merged(push::Job& heir, const push::Job& job);

    push::Dispatcher& dispatcher_;
    metrics::Counters& counters_;
    std::vector<Bucket> buckets_;
    size_t count_ = 0;
};

}  // namespace knuckle::engine
