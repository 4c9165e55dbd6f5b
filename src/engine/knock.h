// SPDX-License-Identifier: GPL-3.0-or-later
// The spine: from a knock to the pushes it causes, and from their answers to its answer. Read this
// first.
//
//     knocks.start(request, app, origin, now)            a decoded POST messages/
//     knocks.settle(job, answer, now)                   an upstream had an answer, or lost the push
//     knocks.on_committed(committed, now)                a pending record is on disk, or is not
//     knocks.on_deadline(now)                            somebody has waited for ack_wait
//     knocks.resume(job, now)                            a delayed push may go out (again)
//
// A 2xx means that the provider has answered every push of the knock, or that the disk has those it
// did not. So: answer when all pushes are settled; after ack_wait write the unsettled ones as
// pending records and answer when they are committed. The pushes themselves go on until they are
// settled or worthless, at most one for each device (engine/pending_jobs.h). Where the operator
// wants it (options.acks_at_once), a knock is answered when its pushes are in our hands; all else
// stays as it is.
//
// Over a limit of its token or its account, or soon after the last push to the account
// (engine/limits.h), the first knock is deferred: its pushes are written to disk at once, answered
// as stored, and go out when the limit has room. Those that follow until then are coalesced: that
// push wakes the owner for them as well. A coalesced knock is answered when every deferred push
// that was on its way to the disk before it has arrived there; if one did not, 503.
// Owner: engine::Worker.  Thread: its worker's.  Limits: options.jobs_max pushes and as many
// knocks; at most half of the pushes are deferred.
#pragma once

#include <cstdint>
#include <memory>

#include "api/command.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/time.h"
#include "engine/core.h"
#include "engine/pending_jobs.h"
#include "engine/pending_loader.h"
#include "engine/serials.h"
#include "push/dispatcher.h"

namespace knuckle::engine {

class HttpConns;

inline constexpr uint32_t kRetryAfterSeconds = 5;  // of our 503s
// How often pushes that wait for a provider are looked through for those that have expired.
inline constexpr Duration kExpiryEvery = minutes(1);

// A sender that waits. Its pushes outlive it when they are stored.
struct Knock {
    Link link;                                  // in order of arrival
    Link line_link;                             // deferred or coalesced: in line for the disk
    List<push::Job, &push::Job::company> jobs;  // not settled yet
    Origin origin;
    uint32_t writes_open = 0;  // pending records on their way to the disk
    Instant started;
    Duration deferral{};                    // how long its pushes wait because of a limit
    std::unique_ptr<const KnockPass> pass;  // deferred: what it took from the limits
    bool is_storing = false;
    bool is_coalesced = false;  // has no pushes of its own
    bool is_answered = false;   // its sender waits no more
    bool has_delivered = false;
    bool has_failed = false;  // a pending record could not be written, its own or one it relies on
    bool is_table_full = false;  // which is why

    [[nodiscard]] bool is_deferred() const { return deferral > Duration{}; }
};

class Knocks {
public:
    Knocks(Core& core, HttpConns& conns);
    ~Knocks();
    Knocks(const Knocks&) = delete;
    Knocks& operator=(const Knocks&) = delete;

    // Answers at once what can be: 404, 503, or 202 when there is nobody to wake or a deferred push
    // will do that.
    void start(const api::Knock& request, size_t app, Origin origin, Now now);
    // True: the connection that the answer came by should be replaced.
    bool settle(push::Job& job, const push::Answer& answer, Now now);
    // A push whose time ran out before it could be sent (again).
    void expire(push::Job& job, Now now);
    void resume(push::Job& job, Now now);
    void on_committed(const store::Committed& committed, Now now);
    void on_deadline(Now now);
    [[nodiscard]] Instant next_deadline() const;

    // Takes over this worker's share of what an earlier process left on disk, from now on and bit
    // by bit.
    void begin(Now now);
    // TimerKind::pending.
    void on_timer(Now now);

    // Nobody waits for us; pushes that go on without a sender are not counted.
    [[nodiscard]] bool is_idle() const;
    // Stores everything that is not settled now, without waiting for ack_wait.
    void store_all(Now now);

private:
    // What becomes of a row that an earlier process left: `left` is another's by now, or waits for
    // the next start because the store cannot say whom it is for.
    enum class Loaded : uint8_t { taken, left, worthless, no_room };
    // What has become of the device of a push since it was made.
    enum class Found : uint8_t { same, registered_again, gone };

    [[nodiscard]] bool add_job(Knock& knock,
                               push::Payload& payload,
                               uint16_t app_lane,
                               push::Style style,
                               const store::TokenOwner& owner,
                               const store::Target& target,
                               Now now);
    void load_more(Now now);
    [[nodiscard]] Loaded load(const PendingLoader::Row& row, store::Snapshot& snapshot, Now now);
    void expire_overdue(Now now);
    [[nodiscard]] Found look_again(push::Job& job);
    void send(Knock& knock, Now now);
    void coalesce(Origin origin, Now now);
    void answer_at_once(Knock& knock, Now now);
    [[nodiscard]] bool may_defer() const;
    void abort(Knock& knock);
    void report(uint16_t lane, const push::Answer& answer);
    void store(Knock& knock, Now now);
    [[nodiscard]] bool store(push::Job& job, uint64_t ticket);
    void finish_job(push::Job& job, const push::Answer& answer, push::Action action, Now now);
    void finish_if_settled(Knock& knock, Now now);
    void finish(Knock& knock, Now now);
    void distrust(const Knock& knock);
    void answer(const Knock& knock, bool is_stored, bool is_lost, Now now);
    void answer_line(Now now);
    void give_up(Knock& knock);
    void let_go(push::Job& job);

    Core& core_;
    HttpConns& conns_;
    Pool<Knock> knocks_;
    List<Knock, &Knock::link> waiting_;
    // Oldest first: deferred and on their way to the disk; between them, coalesced, who waits for
    // those before it.
    List<Knock, &Knock::line_link> line_;
    PendingJobs pending_;
    PendingLoader loader_;
    Serials serials_;
    Timer timer_;
    Instant next_look_{};        // for what has expired
    size_t deferred_count_ = 0;  // pushes
};

}  // namespace knuckle::engine
