// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/worker.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/memory.h"
#include "engine/core.h"
#include "engine/crowd.h"
#include "engine/dialer.h"
#include "engine/http_conn.h"
#include "engine/knock.h"
#include "engine/registry.h"
#include "http1/response.h"

namespace knuckle::engine {

namespace {

// Those who leave rarely do so in one turn.
constexpr Duration kGiveBackAfter = seconds(2);

}  // namespace

struct Worker::Parts {
    Parts(const Options& options, World&& world)
        : core{.options = options,
               .worker = world.worker,
               .serial_epoch = world.serial_epoch,
               .io = world.io,
               .outbox = world.outbox,
               .chunks = world.chunks,
               .counters = world.counters,
               .timers = {},
               .random = Random(world.random_seed),
               .secrets = crypto::SecureRandom(world.secret_seed),
               .limits = Limits(options.limits, world.counters, core.secrets),
               .reader = store::Reader(world.env),
               .dispatcher =
                   push::Dispatcher({.jobs_max = options.jobs_max,
                                     .large_payloads_max = options.jobs_max,
                                     .lanes_count = options.lanes.size(),
                                     .retry_timer_kind = static_cast<uint8_t>(TimerKind::job),
                                     .resend_interval = options.resend_interval},
                                    core.timers,
                                    core.random),
               .decoder = api::Decoder(options.routes),
               .provider_tokens = std::move(world.provider_tokens)},
          conns(core),
          knocks(core, conns),
          registry(core, conns),
          dialer(core, knocks),
          credentials(std::move(world.credentials)),
          credential_timers(credentials.size()) {
        drain_timer.kind = static_cast<uint8_t>(TimerKind::drain);
        memory_timer.kind = static_cast<uint8_t>(TimerKind::memory);
        for (size_t i = 0; i < options.lanes.size(); ++i) {
            const uint16_t twin = options.lanes[i].twin;
            if (twin != push::kNoTwin) core.dispatcher.pair(static_cast<uint16_t>(i), twin);
        }
        for (size_t i = 0; i < credentials.size(); ++i) {
            credential_timers[i].kind = static_cast<uint8_t>(TimerKind::credential);
            credential_timers[i].owner = &credential_timers[i];
        }
    }
    ~Parts() {
        core.timers.disarm(drain_timer);
        core.timers.disarm(memory_timer);
        for (Timer& timer : credential_timers) core.timers.disarm(timer);
    }

    void serve(HttpConn& conn, Now now);
    void renew_date(Now now);
    void renew_credential(size_t index, Now now);
    void on_token_fault(const ReplaceProviderToken& asked, Now now);
    void present(size_t index, Result<push::ProviderToken>&& token);
    void watch_credential(size_t index, Now now);
    void drain(Now now);
    void finish_draining(Now now);
    void on_timer(Timer& timer, Now now);

    Core core;
    HttpConns conns;
    Knocks knocks;
    Registry registry;
    Dialer dialer;
    std::vector<push::Credential> credentials;
    std::vector<Timer> credential_timers;
    Timer drain_timer;
    Timer memory_timer;  // when freed memory goes back to the system
    Crowd crowd;         // of clients
    api::Call call;      // decoded into again and again
    bool has_drained = false;
};

Worker::Worker(const Options& options, World&& world)
    : parts_(std::make_unique<Parts>(options, std::move(world))) {}
Worker::~Worker() = default;

void Worker::start(Now now) {
    parts_->renew_date(now);
    for (size_t i = 0; i < parts_->credentials.size(); ++i) parts_->watch_credential(i, now);
    parts_->knocks.begin(now);
    parts_->dialer.start(now);
}

void Worker::on_accepted(io::ConnId id, size_t listener, const io::PeerAddress& peer, Now now) {
    parts_->conns.accept(id, listener, peer, now);
}

void Worker::on_connected(io::ConnId id, Now now) {
    if (Upstream* const upstream = parts_->dialer.find(id))
        parts_->dialer.on_connected(*upstream, now);
}

void Worker::on_received(io::ConnId id, MutableBytes bytes, Now now) {
    parts_->renew_date(now);
    if (HttpConn* const conn = parts_->conns.find(id)) {
        parts_->conns.feed(*conn, bytes, now);
        parts_->serve(*conn, now);
    } else if (Upstream* const upstream = parts_->dialer.find(id)) {
        parts_->dialer.on_received(*upstream, bytes, now);
    }
}

void Worker::on_closed(io::ConnId id, Error why, Now now) {
    if (HttpConn* const conn = parts_->conns.find(id)) {
        parts_->conns.remove(*conn);
    } else if (Upstream* const upstream = parts_->dialer.find(id)) {
        parts_->dialer.on_closed(*upstream, why, now);
    }
}

void Worker::Parts::serve(HttpConn& conn, Now now) {
    while (conns.next_call(conn, call, now)) {
        const Origin origin = conns.origin_of(conn);
        const auto* const knock = std::get_if<api::Knock>(&call.command);
        const Duration wait = core.limits.take_address(call.command, conn.client, now.instant);
        if (wait > Duration{}) {
            if (knock != nullptr) core.counters.count(metrics::KnockResult::limited);
            conns.answer(origin, api::throttled(wait), now);
        } else if (knock != nullptr) {
            knocks.start(*knock, call.app, origin, now);
        } else {
            registry.execute(call, origin, now);
        }
        conns.call_done(conn);
    }
}

void Worker::on_deadline(Now now) {
    parts_->renew_date(now);
    while (Timer* const timer = parts_->core.timers.pop_due(now.instant))
        parts_->on_timer(*timer, now);
    parts_->knocks.on_deadline(now);
}

void Worker::Parts::on_timer(Timer& timer, Now now) {
    switch (static_cast<TimerKind>(timer.kind)) {
        case TimerKind::http_conn:
            conns.on_timer(*static_cast<HttpConn*>(timer.owner), now);
            break;
        case TimerKind::upstream:
        case TimerKind::fleet:
            dialer.on_timer(timer, now);
            break;
        case TimerKind::job:
            knocks.resume(*static_cast<push::Job*>(timer.owner), now);
            break;
        case TimerKind::pending:
            knocks.on_timer(now);
            break;
        case TimerKind::credential:
            watch_credential(static_cast<size_t>(&timer - credential_timers.data()), now);
            break;
        case TimerKind::drain:
            finish_draining(now);
            break;
        case TimerKind::memory:
            give_back_freed_memory();
            break;
    }
}

// The one place from which anything is sent: first whatever this turn made the providers' business,
// then the answers.
void Worker::before_wait(Now now) {
    do {
        while (HttpConn* const conn = parts_->conns.resume(now)) parts_->serve(*conn, now);
        parts_->dialer.flush(now);
    } while (parts_->conns.has_resumable());  // a flush may settle pushes, too
    parts_->conns.flush();
    if (parts_->crowd.has_left(parts_->conns.count()))
        parts_->core.timers.arm(parts_->memory_timer, now.instant + kGiveBackAfter);
    push::Dispatcher& dispatcher = parts_->core.dispatcher;
    size_t waiting = 0;
    size_t in_flight = 0;
    size_t stopped = 0;
    Instant oldest = now.instant;
    for (size_t i = 0; i < parts_->core.options.lanes.size(); ++i) {
        const push::Lane& lane = dispatcher.lane(static_cast<uint16_t>(i));
        waiting += lane.waiting_count();
        in_flight += lane.in_flight;
        stopped += lane.breaker.is_open() ? size_t{1} : size_t{0};
        oldest = std::min(oldest, lane.oldest());
    }
    parts_->core.counters.jobs_waiting.set(waiting);
    parts_->core.counters.jobs_in_flight.set(in_flight);
    parts_->core.counters.lanes_stopped.set(stopped);
    parts_->core.counters.job_wait_ns.set(static_cast<uint64_t>((now.instant - oldest).ns));
    const bool is_idle =
        parts_->knocks.is_idle() && parts_->registry.is_idle() && parts_->conns.count() == 0;
    if (parts_->core.is_draining && is_idle) parts_->finish_draining(now);
}

Instant Worker::next_deadline() const {
    return std::min(parts_->core.timers.next_deadline(), parts_->knocks.next_deadline());
}

void Worker::on_message(Message&& message, Now now) {
    parts_->renew_date(now);
    Parts& parts = *parts_;
    if (const auto* const committed = std::get_if<WritesCommitted>(&message)) {
        for (const store::Committed& write : committed->writes) {
            if (kind_of(write.ticket) == TicketKind::knock) parts.knocks.on_committed(write, now);
            if (kind_of(write.ticket) == TicketKind::call) parts.registry.on_committed(write, now);
        }
    } else if (const auto* const checked = std::get_if<PasswordChecked>(&message)) {
        parts.registry.on_password(*checked, now);
    } else if (auto* const renewed = std::get_if<ProviderTokenRenewed>(&message)) {
        parts.core.provider_tokens[renewed->credential] = std::move(renewed->token);
    } else if (const auto* const renew = std::get_if<ReplaceProviderToken>(&message)) {
        parts.on_token_fault(*renew, now);
    } else if (std::holds_alternative<Drain>(message)) {
        parts.drain(now);
    }
}

void Worker::Parts::renew_credential(size_t index, Now now) {
    present(index, credentials[index].renew(now.unix));
}

void Worker::Parts::on_token_fault(const ReplaceProviderToken& asked, Now now) {
    if (asked.credential >= credentials.size()) return;
    push::Credential& credential = credentials[asked.credential];
    const bool is_too_new = asked.fault == push::TokenFault::too_new;
    if (is_too_new && credential.may_restore(now.unix)) {
        present(asked.credential, credential.restore());
    } else if (!is_too_new && credential.may_renew(now.unix)) {
        renew_credential(asked.credential, now);
    }
}

void Worker::Parts::present(size_t index, Result<push::ProviderToken>&& token) {
    if (token) {
        core.provider_tokens[index] = *token;
        core.outbox.publish(index, *token);
    } else {
        const auto& lanes = core.options.lanes;
        const auto user = std::ranges::find(lanes, index, &LaneOptions::credential);
        log::error("provider_token_failed")
            .field("app", user == lanes.end() ? std::string_view() : user->name)
            .field("error", token.error());
    }
}

// A civil clock may jump, so the age is looked at every minute instead of once.
void Worker::Parts::watch_credential(size_t index, Now now) {
    if (credentials[index].is_due(now.unix)) renew_credential(index, now);
    core.timers.arm(credential_timers[index], now.instant + minutes(1));
}

void Worker::Parts::renew_date(Now now) {
    const int64_t second = to_unix_seconds(now.unix);
    if (second == core.http_date_second) return;
    core.http_date_second = second;
    core.http_date = http1::format_http_date(now.unix);
}

// Nothing new comes in any more; what is in our hands is answered, by the provider or from the
// disk.
void Worker::Parts::drain(Now now) {
    if (core.is_draining) return;
    core.is_draining = true;
    conns.drain(now);
    core.timers.arm(drain_timer, now.instant + core.options.drain_timeout);
}

void Worker::Parts::finish_draining(Now) {
    if (has_drained) return;
    has_drained = true;
    core.timers.disarm(drain_timer);
    core.outbox.drained();
}

void Worker::end(Now now) {
    parts_->knocks.store_all(now);
    parts_->dialer.end(now);
    parts_->conns.end();
}

}  // namespace knuckle::engine
