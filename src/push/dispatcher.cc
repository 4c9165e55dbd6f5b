// SPDX-License-Identifier: GPL-3.0-or-later
#include "push/dispatcher.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>
#include <utility>

#include "base/assert.h"

namespace knuckle::push {

Dispatcher::Dispatcher(const DispatcherOptions& options, Timers& timers, Random& random)
    : timers_(timers),
      random_(random),
      retry_timer_kind_(options.retry_timer_kind),
      lanes_(options.lanes_count),
      left_(options.lanes_count),
      blocks_(options.large_payloads_max),
      payloads_(options.jobs_max),
      jobs_(options.jobs_max) {
    for (Lane& lane : lanes_) lane.pace = Pace(options.resend_interval);
}

Dispatcher::~Dispatcher() {
    jobs_.for_each([this](Job& job) { release(job); });
}

void Dispatcher::pair(uint16_t one, uint16_t other) {
    lanes_[one].twin = other;
    lanes_[other].twin = one;
}

Payload* Dispatcher::make_payload(Style style, std::string_view token, std::string_view extra) {
    std::array<char, kPayloadMax> storage;
    const Result<size_t> size = apns::encode_payload(style, token, extra, storage);
    return size ? copy_payload({storage.data(), *size}) : nullptr;
}

Payload* Dispatcher::copy_payload(std::string_view text) {
    if (text.size() > kPayloadMax) return nullptr;
    PayloadBlock* block = nullptr;
    if (text.size() > kSmallPayloadMax) {
        block = blocks_.take();
        if (block == nullptr) return nullptr;
    }
    Payload* const payload = payloads_.take();
    if (payload == nullptr) {
        if (block != nullptr) blocks_.give_back(*block);
        return nullptr;
    }
    payload->block = block;
    payload->size = static_cast<uint16_t>(text.size());
    char* const to = block != nullptr ? block->bytes.data() : payload->small.data();
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    return payload;
}

void Dispatcher::drop_payload(Payload& payload) {
    KNUCKLE_ASSERT(payload.references == 0);
    if (payload.block != nullptr) blocks_.give_back(*payload.block);
    payloads_.give_back(payload);
}

Job* Dispatcher::admit(uint16_t lane, Payload& payload) {
    KNUCKLE_ASSERT(lane < lanes_.size());
    Job* const job = jobs_.take();
    if (job == nullptr) return nullptr;
    job->lane = lane;
    job->payload = &payload;
    ++payload.references;
    job->timer.owner = job;
    job->timer.kind = retry_timer_kind_;
    return job;
}

void Dispatcher::submit(Job& job, Now now) {
    KNUCKLE_ASSERT(job.state == JobState::fresh);
    wait(job, line_of(job.trust), now);
}

void Dispatcher::resubmit(Job& job, Now now) {
    KNUCKLE_ASSERT(job.state == JobState::fresh && !job.is_left);
    job.is_left = true;
    ++left_[app_lane_of(job.lane)];
    wait(job, again_line_of(job.trust), now);
}

void Dispatcher::wait(Job& job, Line line, Now now) {
    job.state = JobState::waiting;
    job.since = now.instant;
    lanes_[job.lane].push(job, line);
}

void Dispatcher::delay(Job& job, Instant at) {
    KNUCKLE_ASSERT(job.state == JobState::fresh);
    job.state = JobState::delayed;
    timers_.arm(job.timer, at);
}

Job* Dispatcher::take(uint16_t lane, Trust trust, Now now) {
    Job* const job = lanes_[lane].pop(trust, now.instant);
    if (job == nullptr) return nullptr;
    job->state = JobState::in_flight;
    job->since = now.instant;
    ++lanes_[lane].in_flight;
    return job;
}

Verdict Dispatcher::settle(Job& job, const Answer& answer, Now now) {
    KNUCKLE_ASSERT(job.state == JobState::in_flight);
    Lane& lane = lanes_[job.lane];
    // A push that the provider never saw is no attempt.
    ++(answer.outcome == Outcome::not_processed ? job.refusals : job.attempts);
    const bool was_probe = lane.breaker.is_probe(job.probe);
    Answer meant = answer;
    meant.outcome = lane.note(job, answer.outcome, now, random_);
    const bool has_twin = lane.twin != kNoTwin;
    const Standing standing{
        .has_delivered = lane.has_delivered && (!has_twin || lanes_[lane.twin].has_delivered),
        .has_twin = has_twin};
    Verdict verdict = judge(job, meant, standing, now, random_);
    // Apple binds a connection to what was right when it was made, so the next probe takes another.
    if (was_probe && answer.outcome == Outcome::misconfigured) verdict.close_upstream = true;
    leave(job);
    if (verdict.action != Action::retry) return verdict;
    if (verdict.crosses) {
        cross(job, now);
    } else if (verdict.at > now.instant) {
        job.state = JobState::delayed;
        timers_.arm(job.timer, verdict.at);
    } else if (lane.breaker.is_open()) {
        wait(job, again_line_of(job.trust), now);
    } else {
        // It has waited already: to the front.
        job.state = JobState::waiting;
        job.since = now.instant;
        job.line = line_of(job.trust);
        lane.push_front(job);
    }
    return verdict;
}

void Dispatcher::resume(Job& job, Now now) {
    KNUCKLE_ASSERT(job.state == JobState::delayed);
    job.state = JobState::fresh;
    // One that was deferred has not been sent yet.
    const bool is_new = job.attempts == 0 && job.refusals == 0;
    wait(job, is_new ? line_of(job.trust) : again_line_of(job.trust), now);
}

void Dispatcher::release(Job& job) {
    leave(job);
    timers_.disarm(job.timer);
    if (job.is_left) --left_[app_lane_of(job.lane)];
    Payload& payload = *job.payload;
    jobs_.give_back(job);
    if (--payload.references == 0) drop_payload(payload);
}

void Dispatcher::merge(Job& job, Job& other) {
    KNUCKLE_ASSERT(job.state == JobState::waiting || job.state == JobState::delayed);
    KNUCKLE_ASSERT(other.state == JobState::waiting || other.state == JobState::delayed);
    job.expires = std::max(job.expires, other.expires);
    const bool has_more_to_say =
        job.is_background != other.is_background ? job.is_background : job.serial <= other.serial;
    if (has_more_to_say) {
        std::swap(job.payload, other.payload);
        job.push = other.push;
        job.accepted = other.accepted;
        job.is_background = other.is_background;
        job.attempts = other.attempts;
    }
    // Whose knock came later has seen the device's row as it was later.
    if (std::tie(job.registered, job.serial) < std::tie(other.registered, other.serial)) {
        std::swap(job.token, other.token);
        job.registered = other.registered;
        job.has_crossed = other.has_crossed;
        if (job.lane != other.lane || job.trust != other.trust)
            move_to(other.lane, other.trust, job);
    }
    job.serial = std::max(job.serial, other.serial);
    release(other);
}

// Its token is another by now, or another environment's.
void Dispatcher::move_to(uint16_t lane, Trust trust, Job& job) {
    const bool is_waiting = job.state == JobState::waiting;
    if (is_waiting) lanes_[job.lane].queue(job.line).erase(job);
    job.lane = lane;
    job.trust = trust;
    if (is_waiting) lanes_[lane].push(job, again_line_of(trust));
}

// There nobody has seen it yet.
void Dispatcher::cross(Job& job, Now now) {
    job.lane = lanes_[job.lane].twin;
    job.trust = Trust::unproven;
    job.has_crossed = true;
    job.attempts = 0;
    job.refusals = 0;
    submit(job, now);
}

// Takes the job out of whatever it is in.
void Dispatcher::leave(Job& job) {
    Lane& lane = lanes_[job.lane];
    if (job.state == JobState::waiting) lane.queue(job.line).erase(job);
    if (job.state == JobState::in_flight) {
        KNUCKLE_ASSERT(lane.in_flight > 0);
        --lane.in_flight;
        if (lane.breaker.is_probe(job.probe)) lane.breaker.end_probe(job.since);  // it never left
        job.probe = 0;
    }
    job.state = JobState::fresh;
}

}  // namespace knuckle::push
