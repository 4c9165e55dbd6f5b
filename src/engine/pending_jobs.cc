// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/pending_jobs.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/assert.h"

namespace knuckle::engine {

using push::Job;

namespace {

bool is_in_flight(const Job& job) { return job.state == push::JobState::in_flight; }

// Does `job` wake the owner for whoever knocked for `other` as well? In flight it does only if its
// own knock came later: it may have been sent before the other's.
bool stands_for(const Job& job, const Job& other) {
    const bool is_late = !is_in_flight(job) || job.serial > other.serial;
    return is_late && (!job.is_background || other.is_background);
}

// Of two that wait: one whose turn it is does not take over the back-off of another.
bool goes_first(const Job& job, const Job& other) {
    if (other.state != push::JobState::delayed) return false;
    return job.state != push::JobState::delayed || job.timer.deadline < other.timer.deadline;
}

}  // namespace

PendingJobs::PendingJobs(push::Dispatcher& dispatcher, metrics::Counters& counters)
    : dispatcher_(dispatcher),
      counters_(counters),
      buckets_(std::bit_ceil(dispatcher.jobs_max() / 4 + 1)) {}

PendingJobs::~PendingJobs() {
    for (Bucket& bucket : buckets_) {
        while (bucket.pop_front() != nullptr) {
        }
    }
}

PendingJobs::Bucket& PendingJobs::bucket_of(const Job& job) {
    uint64_t hash = 0;
    // The end of a device's id is random.
    std::memcpy(
        &hash, job.device.bytes.data() + job.device.bytes.size() - sizeof hash, sizeof hash);
    return buckets_[hash & (buckets_.size() - 1)];
}

Job* PendingJobs::find_other(const Job& job) {
    const uint16_t twin = dispatcher_.lane(job.lane).twin;
    for (Job* each = bucket_of(job).front(); each != nullptr; each = Bucket::next(*each)) {
        const bool is_same_app = each->lane == job.lane || each->lane == twin;
        if (each != &job && each->device == job.device && is_same_app) return each;
    }
    return nullptr;
}

void PendingJobs::add(Job& job) {
    Job* const older = find_other(job);
    if (older == nullptr) return put(job);
    if (is_in_flight(*older)) {
        remove(*older);
        put(job);
    } else if (!is_in_flight(job)) {
        join(*older, job);
    } else if (stands_for(job, *older)) {
        drop(*older, job);
        put(job);
    }
}

void PendingJobs::resubmit(Job& job) {
    Job* const newer = find_other(job);
    if (newer == nullptr) {
        if (!Bucket::contains(job)) put(job);
    } else if (stands_for(*newer, job)) {
        drop(job, *newer);
    } else if (!is_in_flight(*newer)) {
        join(job, *newer);
    } else {
        // What waits is what others must find; the one in flight comes back if it has to.
        remove(*newer);
        if (!Bucket::contains(job)) put(job);
    }
}

void PendingJobs::remove(Job& job) {
    if (!Bucket::contains(job)) return;
    KNUCKLE_ASSERT(job.owner.generation == 0);  // else it is in its knock's list
    bucket_of(job).erase(job);
    --count_;
}

void PendingJobs::put(Job& job) {
    KNUCKLE_ASSERT(job.owner.generation == 0);
    bucket_of(job).push_back(job);
    ++count_;
}

// Two that wait become one.
void PendingJobs::join(Job& older, Job& newer) {
    const bool is_newer_first = goes_first(newer, older);
    Job& heir = is_newer_first ? newer : older;
    Job& other = is_newer_first ? older : newer;
    remove(other);
    note_merged(heir, other);
    dispatcher_.merge(heir, other);
    if (!Bucket::contains(heir)) put(heir);
}

void PendingJobs::drop(Job& job, Job& heir) {
    note_merged(heir, job);
    heir.serial = std::max(heir.serial, job.serial);
    remove(job);
    dispatcher_.release(job);
}

// They have one row, under the higher serial; the heir clears it when it is settled.
void PendingJobs::note_merged(Job& heir, const Job& job) {
    if (job.is_stored && heir.is_stored)
        counters_.jobs_pending.set(counters_.jobs_pending.get() - 1);
    heir.is_stored |= job.is_stored;
    counters_.pushes_superseded.add();
}

}  // namespace knuckle::engine
