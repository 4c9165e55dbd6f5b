// SPDX-License-Identifier: GPL-3.0-or-later
#include "push/lane.h"

#include <algorithm>
#include <utility>

namespace knuckle::push {

namespace {

// Has the provider looked at the push, so that we know how it is?
bool is_answer(Outcome outcome) {
    switch (outcome) {
        case Outcome::provider_leaving:  // that is one of its machines
        case Outcome::not_processed:
        case Outcome::unknown:
        case Outcome::expired:
            return false;
        default:
            return true;
    }
}

}  // namespace

void Lane::push(Job& job, Line line) {
    knows_proven |= job.trust == Trust::proven;
    job.line = breaker.is_open() ? again_line_of(job.trust) : line;
    queue(job.line).push_back(job);
}

Job* Lane::pop(Trust trust, Instant now) {
    if (breaker.is_open() && !breaker.may_probe(now)) return nullptr;
    Job* job = queue(line_of(trust)).pop_front();
    JobQueue& again = queue(again_line_of(trust));
    if (job == nullptr && !again.is_empty() && pace.take(now)) job = again.pop_front();
    if (job != nullptr && breaker.is_open()) job->probe = breaker.begin_probe();
    return job;
}

Instant Lane::next_turn(Trust trust) const {
    if (!has_waiting(trust)) return kNever;
    const bool is_paced = queue(line_of(trust)).is_empty();
    if (!breaker.is_open()) return is_paced ? pace.next() : kNever;
    return is_paced ? std::max(breaker.probe_at(), pace.next()) : breaker.probe_at();
}

Outcome Lane::note(Job& job, Outcome outcome, Now now, Random& random) {
    const bool was_probe = breaker.is_probe(std::exchange(job.probe, 0));
    // Once something was delivered our topic is right: a stranger who registers what is of another
    // app must not stop the lane.
    const bool is_topic_fault = outcome == Outcome::wrong_topic && !has_delivered &&
                                (job.trust == Trust::proven || !knows_proven);
    if (is_topic_fault && !was_probe) ++topic_faults;
    const bool is_ours = is_topic_fault && topic_faults >= kTopicFaultsMax;
    const Outcome meant = is_ours ? Outcome::misconfigured : outcome;
    if (is_answer(outcome) && outcome != Outcome::provider_failed) provider_failures = 0;
    // A probe that meets a device of another topic says nothing of ours, and must not make the lane
    // wait longer: the device may be a stranger's.
    switch (was_probe ? outcome : meant) {
        case Outcome::delivered:
            has_delivered = true;
            breaker.close(now);
            break;
        case Outcome::unregistered:
            breaker.close(now);
            break;
        case Outcome::bad_token:
        case Outcome::wrong_topic:
        case Outcome::rejected:
        case Outcome::throttled:
            // Somebody looked at it, with our credential; of our topic it says nothing.
            if (breaker.trouble() != Trouble::configuration) breaker.close(now);
            break;
        case Outcome::misconfigured:
            trip(Trouble::configuration, was_probe, now, random);
            break;
        case Outcome::credential_expired:
            trip(Trouble::expiry, was_probe, now, random);
            break;
        case Outcome::credential_throttled:
            trip(Trouble::renewals, was_probe, now, random);
            break;
        case Outcome::provider_failed:
            if (++provider_failures >= kProviderFailuresMax || was_probe)
                trip(Trouble::provider, was_probe, now, random);
            break;
        case Outcome::provider_leaving:
        case Outcome::not_processed:
        case Outcome::unknown:
        case Outcome::expired:
            break;
    }
    if (was_probe && breaker.is_open() && breaker.probe_at() == kNever)
        breaker.end_probe(now.instant + kProbeAgain);
    return meant;
}

void Lane::trip(Trouble trouble, bool was_probe, Now now, Random& random) {
    const bool was_open = breaker.is_open();
    breaker.trip(trouble, was_probe, now, random);
    if (was_open) return;
    for (const Line line : {Line::proven, Line::unproven}) {
        while (Job* const job = queue(line).pop_front()) push(*job, line);
    }
}

size_t Lane::waiting_count() const {
    size_t count = 0;
    for (const JobQueue& each : queues) count += each.count();
    return count;
}

Instant Lane::oldest() const {
    Instant found = kNever;
    for (const JobQueue& each : queues) {
        if (each.front() != nullptr) found = std::min(found, each.front()->since);
    }
    return found;
}

}  // namespace knuckle::push
