// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/knock.h"

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <utility>

#include "base/assert.h"
#include "base/json.h"
#include "base/log.h"
#include "engine/aim.h"
#include "engine/http_conn.h"

namespace knuckle::engine {

using metrics::KnockResult;

namespace {

push::Style style_of(push::Urgency urgency, const AppOptions& app) {
    switch (urgency) {
        case push::Urgency::high:
            return push::Style::alert;
        case push::Urgency::low:
            return app.low_style;
        case push::Urgency::unspecified:
            return app.unspecified_style;
    }
    return push::Style::nothing;
}

const char* text_of(push::Trouble trouble) {
    switch (trouble) {
        case push::Trouble::configuration:
            return "the provider refuses our topic or credential";
        case push::Trouble::expiry:
            return "the provider finds our token expired: is the clock right?";
        case push::Trouble::renewals:
            return "the provider finds that our token changes too often: does another server use "
                   "the "
                   "key?";
        case push::Trouble::provider:
            return "the provider fails";
        case push::Trouble::none:
            break;
    }
    return "";
}

api::Reply too_many_pushes() {
    return api::unavailable("Too many pushes are waiting.", kRetryAfterSeconds);
}
api::Reply store_unavailable() {
    return api::unavailable("The database could not answer.", kRetryAfterSeconds);
}
api::Reply not_stored() {
    return api::unavailable("The push could not be stored.", kRetryAfterSeconds);
}

// What the sender added, as a JSON value; empty when it does not fit into any payload.
std::string_view extra_of(const api::KnockExtra& extra, std::span<char> storage) {
    if (extra.kind == api::KnockExtra::Kind::null) return "null";
    if (extra.kind == api::KnockExtra::Kind::object) return extra.text;
    JsonWriter json(storage);
    json.string(extra.text);
    return json.fits() ? json.text() : std::string_view();
}

// Says nothing of a registration that the app has made since.
bool is_about_registration(push::Outcome outcome) {
    return outcome == push::Outcome::unregistered || outcome == push::Outcome::bad_token ||
           outcome == push::Outcome::wrong_topic;
}

}  // namespace

Knocks::Knocks(Core& core, HttpConns& conns)
    : core_(core),
      conns_(conns),
      knocks_(core.options.jobs_max),
      pending_(core.dispatcher, core.counters),
      loader_(core),
      serials_(core.serial_epoch, core.worker) {
    timer_.kind = static_cast<uint8_t>(TimerKind::pending);
}

Knocks::~Knocks() {
    core_.timers.disarm(timer_);
    knocks_.for_each([this](Knock& knock) {
        while (push::Job* const job = knock.jobs.pop_front()) job->owner = {};
        give_up(knock);
    });
}

void Knocks::start(const api::Knock& request, size_t app, Origin origin, Now now) {
    const AppOptions& app_options = core_.options.apps[app];
    const auto refuse = [&](KnockResult result, const api::Reply& reply) {
        core_.counters.count(result);
        conns_.answer(origin, reply, now);
    };

    store::TokenOwner owner;
    store::Snapshot snapshot = core_.reader.snapshot();
    const store::Lookup lookup = snapshot.find_token(app_options.name, request.token, owner);
    if (lookup == store::Lookup::damaged) {
        return refuse(KnockResult::store_failed, store_unavailable());
    }
    // An expired token is answered like an unknown one: 404 is what makes a client drop it.
    if (lookup == store::Lookup::absent || owner.expires <= now.unix) {
        return refuse(KnockResult::unknown_token, api::token_not_found());
    }

    conns_.prepare_knock_reply(origin, request);
    const push::Style style = style_of(request.urgency, app_options);
    if (style == push::Style::nothing || app_options.lane == kNoLane) {
        core_.counters.count(KnockResult::no_device);
        return conns_.answer_knock(origin, now);
    }

    snapshot.prefetch_targets(owner.account);
    const KnockPass pass =
        core_.limits.check_knock(app, style, request.token, owner.account, now.instant);
    if (pass.pass == Pass::refused) return coalesce(origin, now);

    const auto overloaded = [&] { refuse(KnockResult::overloaded, too_many_pushes()); };
    if (pass.pass == Pass::deferred && !may_defer()) return overloaded();
    std::array<char, push::kPayloadMax> storage;
    const std::string_view extra = extra_of(request.extra, storage);
    if (extra.empty())
        return refuse(KnockResult::undeliverable,
                      api::malformed(413, "The data is too large for a push."));
    push::Payload* const payload = core_.dispatcher.make_payload(style, request.token, extra);
    if (payload == nullptr) return overloaded();
    Knock* const knock = knocks_.take();
    if (knock == nullptr) {
        core_.dispatcher.drop_payload(*payload);
        return overloaded();
    }
    knock->origin = origin;
    knock->started = now.instant;
    knock->deferral = pass.at - now.instant;
    if (knock->is_deferred()) knock->pass = std::make_unique<KnockPass>(pass);
    // ours, so that the last job's end is not the payload's before all are made
    ++payload->references;

    bool is_full = false;
    const store::Lookup targets =
        snapshot.for_each_target(owner.account, [&](const store::Target& target) {
            if (target.kind != store::DeviceKind::apns || is_full) return;
            is_full = !add_job(*knock, *payload, app_options.lane, style, owner, target, now);
        });
    if (--payload->references == 0) core_.dispatcher.drop_payload(*payload);

    if (is_full || targets == store::Lookup::damaged) {
        abort(*knock);
        if (is_full) return overloaded();
        return refuse(KnockResult::store_failed, store_unavailable());
    }
    if (knock->jobs.is_empty()) {
        abort(*knock);
        core_.counters.count(KnockResult::no_device);
        return conns_.answer_knock(origin, now);
    }
    core_.limits.take_knock(pass, now.instant);
    send(*knock, now);
}

void Knocks::send(Knock& knock, Now now) {
    bool is_stopped = false;
    for (push::Job* job = knock.jobs.front(); job != nullptr; job = knock.jobs.next(*job)) {
        is_stopped |= core_.dispatcher.lane(job->lane).is_stopped();
        if (knock.is_deferred()) {
            job->is_deferred = true;
            ++deferred_count_;
            core_.dispatcher.delay(*job, now.instant + knock.deferral);
        } else {
            core_.dispatcher.submit(*job, now);
        }
    }
    waiting_.push_back(knock);
    if (knock.is_deferred()) line_.push_back(knock);
    if (core_.options.acks_at_once) answer_at_once(knock, now);
    // Where no answer is to be expected soon nobody needs to wait for one.
    if (knock.is_deferred() || is_stopped) store(knock, now);
}

// Over the limit, and the next place is taken: by a push that is deferred, for the same token or
// another of the account. It goes out after this moment, so it will do.
void Knocks::coalesce(Origin origin, Now now) {
    if (line_.is_empty() || core_.options.acks_at_once) {
        core_.counters.count(KnockResult::coalesced);
        return conns_.answer_knock(origin, now);
    }
    Knock* const knock = knocks_.take();
    if (knock == nullptr) {
        core_.counters.count(KnockResult::overloaded);
        return conns_.answer(origin, too_many_pushes(), now);
    }
    knock->origin = origin;
    knock->is_coalesced = true;
    line_.push_back(*knock);
}

// Where a 202 is to mean only that we have heard.
void Knocks::answer_at_once(Knock& knock, Now now) {
    knock.is_answered = true;
    core_.counters.count(KnockResult::accepted);
    conns_.answer_knock(knock.origin, now);
}

// What may not go out yet leaves room for what may.
bool Knocks::may_defer() const { return deferred_count_ < (core_.dispatcher.jobs_max() + 1) / 2; }

// False: our hands are full.
bool Knocks::add_job(Knock& knock,
                     push::Payload& payload,
                     uint16_t app_lane,
                     push::Style style,
                     const store::TokenOwner& owner,
                     const store::Target& target,
                     Now now) {
    push::Job* const job = core_.dispatcher.admit(app_lane, payload);
    if (job == nullptr) return false;
    const Registration registration{target.registration_id(), target.registered, target.proven_in};
    if (!aim(*job, registration, core_.options.lanes)) {
        // Apps may register anything; what is not a device token never reaches a request.
        core_.dispatcher.release(*job);
        core_.counters.pushes[static_cast<size_t>(push::Outcome::bad_token)].add();
        return true;
    }
    job->account = owner.account;
    job->device = target.device;
    job->push = core_.secrets.uuid();
    job->accepted = now.unix;
    job->expires = now.unix + knock.deferral + core_.options.lanes[job->lane].service.expiration;
    job->is_background = style == push::Style::background;
    job->serial = serials_.make(now.instant, knock.deferral);
    const Id<Knock> id = knocks_.id_of(knock);
    job->owner = {id.index, id.generation};
    knock.jobs.push_back(*job);
    return true;
}

// Before its pushes were submitted.
void Knocks::abort(Knock& knock) {
    while (push::Job* const job = knock.jobs.pop_front()) core_.dispatcher.release(*job);
    knocks_.give_back(knock);
}

bool Knocks::settle(push::Job& job, const push::Answer& answer, Now now) {
    core_.counters.pushes[static_cast<size_t>(answer.outcome)].add();
    const uint16_t lane_index = job.lane;  // the push itself may go over to the twin
    const push::Lane& lane = core_.dispatcher.lane(lane_index);
    const bool was_serious = lane.breaker.is_serious();
    const push::Verdict verdict = core_.dispatcher.settle(job, answer, now);
    if (lane.breaker.is_serious() != was_serious) report(lane_index, answer);
    const size_t credential = core_.options.lanes[lane_index].credential;
    if (verdict.token_fault != push::TokenFault::none && credential != kNoCredential)
        core_.outbox.ask_token(credential, verdict.token_fault);
    const bool is_retried = verdict.action == push::Action::retry;
    const bool has_moved = !is_retried && is_about_registration(answer.outcome) &&
                           look_again(job) == Found::registered_again;
    if (has_moved) core_.dispatcher.submit(job, now);
    if (is_retried || has_moved) {
        core_.counters.retries[static_cast<size_t>(answer.outcome)].add();
        if (knocks_.find({job.owner.index, job.owner.generation}) == nullptr)
            pending_.resubmit(job);
    } else {
        finish_job(job, answer, verdict.action, now);
    }
    return verdict.close_upstream;
}

// What the provider thinks of us has changed: the operator must hear of it.
void Knocks::report(uint16_t lane, const push::Answer& answer) {
    const push::Lane& way = core_.dispatcher.lane(lane);
    LaneReport report{.worker = core_.worker, .lane = lane};
    if (way.breaker.is_serious()) {
        report.why = fail(Errc::invalid, text_of(way.breaker.trouble()), answer.status);
        report.reason = answer.reason;
    } else if (way.is_down) {  // the answer was the last thing that came
        report.why = fail(Errc::unavailable, "there is no connection to the provider");
    } else {
        report.is_ready = true;
    }
    core_.outbox.report(report);
}

void Knocks::expire(push::Job& job, Now now) {
    const push::Answer answer{.outcome = push::Outcome::expired};
    core_.counters.pushes[static_cast<size_t>(answer.outcome)].add();
    finish_job(job, answer, push::Action::finish, now);
}

void Knocks::resume(push::Job& job, Now now) {
    const bool was_deferred = std::exchange(job.is_deferred, false);
    if (was_deferred) --deferred_count_;
    if (look_again(job) == Found::gone)
        return finish_job(job, {.outcome = push::Outcome::expired}, push::Action::finish, now);
    core_.dispatcher.resume(job, now);
    if (!was_deferred) return;
    if (knocks_.find({job.owner.index, job.owner.generation}) == nullptr) pending_.add(job);
}

// A push may wait for long, and the app may have another registration by then, or none.
Knocks::Found Knocks::look_again(push::Job& job) {
    store::Device device;
    const store::Lookup lookup =
        core_.reader.snapshot().find_device(job.account, job.device, device);
    if (lookup == store::Lookup::damaged) return Found::same;
    if (lookup == store::Lookup::absent || !device.is_active || device.is_dead) return Found::gone;
    if (device.registered == job.registered) return Found::same;
    const Registration registration{device.registration_id, device.registered, device.proven_in};
    return aim(job, registration, core_.options.lanes) ? Found::registered_again : Found::gone;
}

void Knocks::finish_job(push::Job& job, const push::Answer& answer, push::Action action, Now now) {
    // All of these may be dropped when the committer's queue is full: the provider will say it
    // again, and a push that is sent twice is harmless.
    if (action == push::Action::forget) {
        static_cast<void>(core_.outbox.submit(
            {.worker = core_.worker,
             .change = store::MarkDeviceDead{.account = job.account,
                                             .device = job.device,
                                             .registered = job.registered,
                                             .reason = std::string(answer.reason),
                                             .dead_since = answer.dead_since,
                                             .noticed = now.unix}}));
    }
    if (answer.outcome == push::Outcome::delivered && job.trust == push::Trust::unproven) {
        const push::Environment environment = core_.options.lanes[job.lane].environment;
        static_cast<void>(core_.outbox.submit(
            {.worker = core_.worker,
             .change = store::MarkDeviceProven{.account = job.account,
                                               .device = job.device,
                                               .registered = job.registered,
                                               .proven_in = proven_in(environment)}}));
    }
    if (job.is_stored) {
        static_cast<void>(
            core_.outbox.submit({.worker = core_.worker,
                                 .change = store::ClearPending{
                                     job.account, job.device, job.serial, job.is_background}}));
        core_.counters.jobs_pending.set(core_.counters.jobs_pending.get() - 1);
    }
    Knock* const knock = knocks_.find({job.owner.index, job.owner.generation});
    if (knock != nullptr) {
        knock->jobs.erase(job);
        knock->has_delivered |= answer.outcome == push::Outcome::delivered;
    }
    pending_.remove(job);
    core_.dispatcher.release(job);
    if (knock != nullptr) finish_if_settled(*knock, now);
}

// All pushes settled, or all that are not are on disk.
void Knocks::finish_if_settled(Knock& knock, Now now) {
    const bool is_settled = knock.jobs.is_empty();
    const bool is_stored = knock.is_storing && knock.writes_open == 0;
    if (is_settled || is_stored) finish(knock, now);
}

void Knocks::finish(Knock& knock, Now now) {
    const bool is_stored = !knock.jobs.is_empty();
    const bool is_lost = knock.has_failed && (is_stored || knock.is_coalesced);
    const bool was_deferred = knock.is_deferred();
    if (was_deferred && is_lost) distrust(knock);
    if (!is_stored && !knock.is_coalesced && !was_deferred)
        core_.counters.knock_seconds.add(now.instant - knock.started);
    if (!knock.is_answered) answer(knock, is_stored, is_lost, now);
    give_up(knock);
    if (was_deferred) answer_line(now);
}

void Knocks::answer(const Knock& knock, bool is_stored, bool is_lost, Now now) {
    if (!conns_.is_waiting(knock.origin)) return core_.counters.count(KnockResult::abandoned);
    if (is_lost) {
        core_.counters.count(knock.is_table_full ? KnockResult::overloaded
                                                 : KnockResult::store_failed);
        return conns_.answer(
            knock.origin, knock.is_table_full ? too_many_pushes() : not_stored(), now);
    }
    core_.counters.count(knock.is_coalesced    ? KnockResult::coalesced
                         : is_stored           ? KnockResult::stored
                         : knock.has_delivered ? KnockResult::delivered
                                               : KnockResult::undeliverable);
    conns_.answer_knock(knock.origin, now);
}

// A deferred push is not on disk: nobody in line behind it may be told that it is. It goes out in
// its time all the same, but whoever comes next tries the disk for himself.
void Knocks::distrust(const Knock& knock) {
    core_.limits.give_back_knock(*knock.pass);
    for (Knock* each = line_.next(knock); each != nullptr; each = line_.next(*each)) {
        if (!each->is_coalesced) continue;
        each->has_failed = true;
        each->is_table_full |= knock.is_table_full;
    }
}

// Whoever has nobody deferred before it any more.
void Knocks::answer_line(Now now) {
    for (Knock* first = line_.front(); first != nullptr && first->is_coalesced;
         first = line_.front()) {
        finish(*first, now);
    }
}

// Nobody waits for its pushes any more; they go on without it.
void Knocks::give_up(Knock& knock) {
    while (push::Job* const job = knock.jobs.pop_front()) let_go(*job);
    if (waiting_.contains(knock)) waiting_.erase(knock);
    if (line_.contains(knock)) line_.erase(knock);
    knocks_.give_back(knock);
}

void Knocks::let_go(push::Job& job) {
    job.owner = {};
    if (!job.is_deferred) pending_.add(job);
}

Instant Knocks::next_deadline() const {
    const Knock* const oldest = waiting_.front();
    return oldest != nullptr ? oldest->started + core_.options.ack_wait : kNever;
}

void Knocks::on_deadline(Now now) {
    while (next_deadline() <= now.instant) store(*waiting_.front(), now);
}

void Knocks::store_all(Now now) {
    while (Knock* const knock = waiting_.front()) store(*knock, now);
}

// The sender has waited long enough: write what is not settled to disk, and answer when it is
// there.
void Knocks::store(Knock& knock, Now now) {
    waiting_.erase(knock);
    knock.is_storing = true;
    const uint64_t ticket = make_ticket(TicketKind::knock, knocks_.id_of(knock));
    for (push::Job* job = knock.jobs.front(); job != nullptr; job = knock.jobs.next(*job)) {
        if (store(*job, ticket)) {
            ++knock.writes_open;
        } else {
            knock.has_failed = true;
        }
    }
    finish_if_settled(knock, now);
}

bool Knocks::store(push::Job& job, uint64_t ticket) {
    store::Pending pending;
    pending.account = job.account;
    pending.device = job.device;
    pending.app = core_.options.lanes[job.lane].name;
    pending.serial = job.serial;
    pending.accepted = job.accepted;
    pending.expires = job.expires;
    pending.push = job.push;
    pending.is_background = job.is_background;
    pending.payload = job.payload->text();
    store::Write write{
        .ticket = ticket, .worker = core_.worker, .change = store::PutPending{std::move(pending)}};
    if (!core_.outbox.submit(std::move(write))) return false;
    job.is_stored = true;
    core_.counters.jobs_pending.set(core_.counters.jobs_pending.get() + 1);
    return true;
}

void Knocks::on_committed(const store::Committed& committed, Now now) {
    Knock* const knock = knocks_.find(id_of<Knock>(committed.ticket));
    if (knock == nullptr) return;
    KNUCKLE_ASSERT(knock->writes_open > 0);
    --knock->writes_open;
    // not_found: the account or device is gone, so there is nothing left to push for.
    if (committed.status == store::WriteStatus::over_quota) knock->is_table_full = true;
    if (committed.status == store::WriteStatus::failed || knock->is_table_full)
        knock->has_failed = true;
    finish_if_settled(*knock, now);
}

void Knocks::begin(Now now) {
    if (!loader_.begin(now)) log::error("pending_unreadable").field("worker", core_.worker);
    core_.counters.jobs_pending.set(0);
    if (loader_.count() > 0) {
        log::notice("pending_loaded")
            .field("worker", core_.worker)
            .field("pushes", uint64_t{loader_.count()});
    }
    next_look_ = now.instant + kExpiryEvery;
    on_timer(now);
}

void Knocks::on_timer(Now now) {
    if (next_look_ <= now.instant) {
        expire_overdue(now);
        next_look_ = now.instant + kExpiryEvery;
    }
    // Who is about to end leaves the rest to the next one.
    if (loader_.due() <= now.instant && !core_.is_draining) load_more(now);
    core_.timers.arm(timer_, core_.is_draining ? next_look_ : std::min(next_look_, loader_.due()));
}

void Knocks::load_more(Now now) {
    store::Snapshot snapshot = core_.reader.snapshot();
    while (const PendingLoader::Row* const row = loader_.next(now)) {
        const Loaded result = load(*row, snapshot, now);
        if (result == Loaded::no_room) break;
        if (result == Loaded::worthless) {
            const bool is_cleared = core_.outbox.submit(
                {.worker = core_.worker,
                 .change = store::ClearPending{row->account, row->device, row->last_serial}});
            if (!is_cleared) break;
        }
        loader_.pop();
    }
    loader_.rest(now);
}

Knocks::Loaded Knocks::load(const PendingLoader::Row& from, store::Snapshot& snapshot, Now now) {
    store::Pending row;
    const store::Lookup found = snapshot.find_pending(from.account, from.device, row);
    // Another one took its place: a push of that is in somebody's hands.
    if (found != store::Lookup::found || row.serial != from.serial) return Loaded::left;
    const std::vector<AppOptions>& apps = core_.options.apps;
    const auto app = std::find_if(
        apps.begin(), apps.end(), [&](const AppOptions& each) { return each.name == row.app; });
    if (app == apps.end() || app->lane == kNoLane) return Loaded::worthless;
    if (row.expires <= now.unix) {
        core_.counters.pushes[static_cast<size_t>(push::Outcome::expired)].add();
        return Loaded::worthless;
    }
    store::Device device;
    const store::Lookup lookup = snapshot.find_device(row.account, row.device, device);
    if (lookup == store::Lookup::damaged) return Loaded::left;
    if (lookup == store::Lookup::absent || !device.is_active || device.is_dead)
        return Loaded::worthless;

    push::Payload* const payload = core_.dispatcher.copy_payload(row.payload);
    if (payload == nullptr) return Loaded::no_room;
    push::Job* const job = core_.dispatcher.admit(app->lane, *payload);
    if (job == nullptr) {
        core_.dispatcher.drop_payload(*payload);
        return Loaded::no_room;
    }
    const Registration registration{device.registration_id, device.registered, device.proven_in};
    if (!aim(*job, registration, core_.options.lanes)) {
        core_.dispatcher.release(*job);
        return Loaded::worthless;
    }
    job->account = row.account;
    job->device = row.device;
    job->push = row.push;
    job->accepted = row.accepted;
    job->expires = row.expires;
    job->serial = row.last_serial();
    job->is_background = row.is_background;
    job->is_stored = true;
    core_.counters.jobs_pending.set(core_.counters.jobs_pending.get() + 1);
    core_.dispatcher.resubmit(*job, now);
    pending_.add(*job);
    return Loaded::taken;
}

// What waits for a provider that does not come back leaves the memory and the disk in time.
void Knocks::expire_overdue(Now now) {
    if (pending_.is_empty()) return;
    core_.dispatcher.for_each_job([&](push::Job& job) {
        const bool is_waiting =
            job.state == push::JobState::waiting || job.state == push::JobState::delayed;
        const bool is_ours = knocks_.find({job.owner.index, job.owner.generation}) == nullptr;
        if (is_waiting && is_ours && !job.is_deferred && job.expires <= now.unix) expire(job, now);
    });
}

bool Knocks::is_idle() const { return knocks_.count() == 0; }

}  // namespace knuckle::engine
