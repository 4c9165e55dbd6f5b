// SPDX-License-Identifier: GPL-3.0-or-later
// Decides which push goes out next on which lane, and keeps all of them. No I/O: engine/ moves the
// bytes.
//
//     dispatcher.pair(lane, twin)           at the start, if they are an app's two
//    Payload* payload = dispatcher.make_payload(style, token, extra);   nullptr: full, or too large
//     Job* job = dispatcher.admit(lane, *payload);                nullptr: full, refuse at the door
//     dispatcher.submit(*job, now)          into its lane's queue
//     dispatcher.resubmit(*job, now)        if an earlier process left it
//     dispatcher.delay(*job, at)            or not before then
//     Job* next = dispatcher.take(lane, trust, now)   out of it, for a free stream: in flight
//   Verdict verdict = dispatcher.settle(job, answer, now)   retry: queued or delayed again
//     dispatcher.release(*job)              after any other verdict
//     dispatcher.merge(job, other)          two waiting pushes for one device become one
//
// A lane is one app's way to one provider: topic, credential and endpoint in common. Two lanes of
// one app may be twins, for registrations of which it is not known in which environment they are
// good (ADR 0022): a push whose token is bad on the one goes over to the other, once.
// Owner: engine::Worker.  Thread: its worker's.  Limits: jobs_max jobs, as many payloads.
// Invariant: each admitted job is released exactly once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/list.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/time.h"
#include "base/timers.h"
#include "push/apns.h"
#include "push/job.h"
#include "push/lane.h"
#include "push/retry.h"
#include "push/types.h"

namespace knuckle::push {

struct DispatcherOptions {
    size_t jobs_max = 1'024;
    size_t large_payloads_max = 256;
    size_t lanes_count = 0;
    uint8_t retry_timer_kind = 0;  // Timer::kind of a delayed job
    Duration resend_interval{};    // between pushes of a lane that go out again; none: no limit
};

class Dispatcher {
public:
    Dispatcher(const DispatcherOptions& options, Timers& timers, Random& random);
    ~Dispatcher();
    Dispatcher(const Dispatcher&) = delete;
    Dispatcher& operator=(const Dispatcher&) = delete;

    [[nodiscard]] Payload* make_payload(Style style,
                                        std::string_view token,
                                        std::string_view extra);
    [[nodiscard]] Payload* copy_payload(std::string_view text);
    // A payload that no job was admitted with.
    void drop_payload(Payload& payload);

    [[nodiscard]] Job* admit(uint16_t lane, Payload& payload);
    void submit(Job& job, Now now);
    // Like submit(), later: its timer will be due, see resume().
    void delay(Job& job, Instant at);
    [[nodiscard]] Job* take(uint16_t lane, Trust trust, Now now);
    // Left by an earlier process: at the pace of what goes out again.
    void resubmit(Job& job, Now now);
    // How many of those are in our hands, in whatever state, on that lane and its twin.
    [[nodiscard]] size_t left_count(uint16_t lane) const { return left_[app_lane_of(lane)]; }
    // The attempt ended, one way or the other.
    [[nodiscard]] Verdict settle(Job& job, const Answer& answer, Now now);
    // A delayed job whose time has come.
    void resume(Job& job, Now now);
    void release(Job& job);
    // Both wait or are delayed, on one lane or on twins. `job` keeps its place and goes out with
    // what the newer of them has to say, or the one that is seen, and `other` is released.
    void merge(Job& job, Job& other);

    [[nodiscard]] Job* find(JobId id) { return jobs_.find(id); }
    [[nodiscard]] JobId id_of(const Job& job) { return jobs_.id_of(job); }
    [[nodiscard]] size_t jobs_count() const { return jobs_.count(); }
    [[nodiscard]] size_t jobs_max() const { return jobs_.count_max(); }
    // Twins; at the start.
    void pair(uint16_t one, uint16_t other);
    void set_down(uint16_t lane, bool is_down) { lanes_[lane].is_down = is_down; }
    [[nodiscard]] const Lane& lane(uint16_t index) const { return lanes_[index]; }
    template <typename Visit>
    void for_each_job(Visit visit) {
        jobs_.for_each(visit);
    }

private:
    // Of twins the first: what a push keeps when it goes over to the other.
    [[nodiscard]] size_t app_lane_of(uint16_t lane) const {
        return std::min(lane, lanes_[lane].twin);
    }
    void wait(Job& job, Line line, Now now);
    void leave(Job& job);
    void move_to(uint16_t lane, Trust trust, Job& job);
    void cross(Job& job, Now now);

    Timers& timers_;
    Random& random_;
    uint8_t retry_timer_kind_;
    std::vector<Lane> lanes_;
    std::vector<size_t> left_;  // jobs of an earlier process, by app_lane_of()
    Pool<PayloadBlock> blocks_;
    Pool<Payload> payloads_;
    Pool<Job> jobs_;
};

}  // namespace knuckle::push
