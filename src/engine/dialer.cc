// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/dialer.h"

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "engine/knock.h"

namespace knuckle::engine {

Dialer::Dialer(Core& core, Knocks& knocks)
    : core_(core),
      knocks_(knocks),
      fleets_(core.options.lanes.size() * push::kTrustCount),
      lanes_(core.options.lanes.size()),
      upstreams_(upstreams_max(core.options)) {
    for (size_t i = 0; i < fleets_.size(); ++i) {
        Fleet& fleet = fleets_[i];
        fleet.lane = static_cast<uint16_t>(i / push::kTrustCount);
        fleet.trust = static_cast<push::Trust>(i % push::kTrustCount);
        if (fleet.trust == push::Trust::proven) {
            fleet.wanted = 1;
            fleet.members_max = core.options.upstreams_max;
        }
        fleet.timer.owner = &fleet;
        fleet.timer.kind = static_cast<uint8_t>(TimerKind::fleet);
    }
}

Dialer::~Dialer() {
    KNUCKLE_ASSERT(upstreams_.count() == 0);
    for (Fleet& fleet : fleets_) core_.timers.disarm(fleet.timer);
}

void Dialer::start(Now now) {
    for (Fleet& fleet : fleets_) tend(fleet, now);
}

Fleet& Dialer::fleet_of(const Upstream& upstream) {
    return fleets_[upstream.lane() * push::kTrustCount + static_cast<size_t>(upstream.trust())];
}

// Sees to it that the fleet has, or gets in time, what it wants.
void Dialer::tend(Fleet& fleet, Now now) {
    if (has_ended_) return;
    const push::Lane& way = core_.dispatcher.lane(fleet.lane);
    const Instant turn = way.next_turn(fleet.trust);
    Instant next = turn > now.instant ? turn : kNever;  // what is not held back waits for a stream
    if (fleet.dialing == nullptr) {
        if (fleet.is_short(way, now)) ++fleet.wanted;
        const bool is_complete = fleet.members.count() >= fleet.wanted;
        if (is_complete) {
            next = std::min(next, fleet.next_look(way, now));
        } else if (fleet.dial_at <= now.instant) {
            return dial(fleet, now);
        } else {
            next = std::min(next, fleet.dial_at);
        }
    }
    if (next != kNever && (!fleet.timer.is_armed() || next < fleet.timer.deadline))
        core_.timers.arm(fleet.timer, next);
}

void Dialer::dial(Fleet& fleet, Now now) {
    Upstream* const upstream = upstreams_.take(core_, fleet.lane, fleet.trust, now.instant);
    if (upstream == nullptr || !upstream->dial()) {
        if (upstream != nullptr) upstreams_.give_back(*upstream);
        follow(
            fleet, false, fail(Errc::limit, "no connection to spare: raise connections_max"), now);
        return;
    }
    core_.counters.upstream_dials.add();
    fleet.dialing = upstream;
    fleet.members.push_back(*upstream);
    table_.attach(upstream->id(), *upstream);
    arm(*upstream);
    count();
}

void Dialer::on_connected(Upstream& upstream, Now now) {
    if (const Result<void> result = upstream.on_connected(now); !result)
        lose(upstream, result.error(), now);
}

void Dialer::on_received(Upstream& upstream, ByteView bytes, Now now) {
    const bool was_dialing = upstream.state() < UpstreamState::ready;
    const Result<void> result = upstream.on_received(bytes, knocks_, decoder_, now);
    Fleet& fleet = fleet_of(upstream);
    if (!result) {
        lose(upstream, result.error(), now);
        return;
    }
    if (was_dialing && upstream.state() >= UpstreamState::ready) {
        fleet.dialing = nullptr;
        core_.timers.disarm(upstream.timer);  // the dial's deadline
        if (fleet.trust == push::Trust::proven) set_ready(fleet, true, {});
        count();
    }
    if (upstream.is_trusted()) core_.counters.streams_max.set(upstream.streams_max());
    if (upstream.is_failing()) tend(fleet, now);
    touch(upstream);
}

void Dialer::on_closed(Upstream& upstream, Error why, Now now) { lose(upstream, why, now); }

// The connection failed. What it carried goes back to the lane.
void Dialer::lose(Upstream& upstream, Error why, Now now) {
    Fleet& fleet = fleet_of(upstream);
    const bool was_member = fleet.members.contains(upstream);
    const bool was_stable = is_stable(upstream, now);
    core_.counters.upstream_failures.add();
    log::debug("upstream_lost")
        .field("app", core_.options.lanes[upstream.lane()].name)
        .field("error", why);
    drop(upstream, now);
    if (was_member) follow(fleet, was_stable, why, now);
}

// The provider takes nothing new here. Another connection is dialed while this one drains.
void Dialer::replace(Upstream& upstream, Now now) {
    Fleet& fleet = fleet_of(upstream);
    upstream.stop_taking();
    if (!fleet.members.contains(upstream)) return;
    leave_fleet(upstream);
    const Error why =
        fail(Errc::unavailable, "the provider closes connections as soon as they are made");
    follow(fleet, is_stable(upstream, now), why, now);
    count();
}

// Nobody has needed it for long.
void Dialer::retire(Upstream& upstream, Now now) {
    Fleet& fleet = fleet_of(upstream);
    drop(upstream, now);
    fleet.wanted =
        std::max(fleet.members.count(), fleet.trust == push::Trust::proven ? size_t{1} : size_t{0});
}

void Dialer::leave_fleet(Upstream& upstream) {
    Fleet& fleet = fleet_of(upstream);
    if (fleet.members.contains(upstream)) fleet.members.erase(upstream);
    if (fleet.dialing == &upstream) fleet.dialing = nullptr;
}

bool Dialer::is_stable(const Upstream& upstream, Now now) {
    return upstream.state() >= UpstreamState::ready &&
           (now.instant - upstream.dialed() >= kStableTime || upstream.answers() >= kStableAnswers);
}

// A member is gone, or could not be had. After one that did its work the next is dialed at once,
// and senders may wait for it.
void Dialer::follow(Fleet& fleet, bool was_stable, Error why, Now now) {
    if (was_stable) {
        fleet.note_success(now);
    } else {
        fleet.back_off(core_.random, now);
        // One more than the provider lets us have is not worth dialing again and again.
        if (!fleet.members.is_empty()) fleet.wanted = fleet.members.count();
        if (fleet.trust == push::Trust::proven && !fleet.has_ready()) set_ready(fleet, false, why);
    }
    if (fleet.trust == push::Trust::unproven && fleet.members.is_empty()) fleet.wanted = 0;
    tend(fleet, now);
}

void Dialer::drop(Upstream& upstream, Now now) {
    leave_fleet(upstream);
    if (dirty_.contains(upstream)) dirty_.erase(upstream);
    table_.detach(upstream.id());
    upstream.end(knocks_, now);
    upstreams_.give_back(upstream);
    count();
}

void Dialer::set_ready(const Fleet& fleet, bool is_ready, Error why) {
    Readiness& lane = lanes_[fleet.lane];
    if (lane.was_reported && lane.is_ready == is_ready) return;
    lane.was_reported = true;
    lane.is_ready = is_ready;
    core_.dispatcher.set_down(fleet.lane, !is_ready);
    // A new connection does not make a provider take what it refused on the old one.
    if (is_ready && core_.dispatcher.lane(fleet.lane).breaker.is_serious()) return;
    core_.outbox.report({core_.worker, fleet.lane, is_ready, why, {}});
}

void Dialer::count() {
    uint64_t ready = 0;
    upstreams_.for_each([&](const Upstream& each) {
        if (each.state() == UpstreamState::ready) ++ready;
    });
    core_.counters.upstreams_ready.set(ready);
    core_.counters.upstreams_open.set(upstreams_.count());
}

void Dialer::on_timer(Timer& timer, Now now) {
    if (timer.kind == static_cast<uint8_t>(TimerKind::fleet)) {
        tend(*static_cast<Fleet*>(timer.owner), now);
        return;
    }
    Upstream& upstream = *static_cast<Upstream*>(timer.owner);
    if (fleet_of(upstream).surplus_at(upstream) <= now.instant) {
        retire(upstream, now);
        return;
    }
    if (const Result<void> result = upstream.on_deadline(knocks_, now); !result) {
        lose(upstream, result.error(), now);
        return;
    }
    touch(upstream);
}

// While a connection is in use its deadline mostly moves away, so the timer is moved only when it
// goes off, or must go off sooner: each push would otherwise cost an arming and a disarming.
void Dialer::arm(Upstream& upstream) {
    const Instant deadline =
        std::min(upstream.next_deadline(), fleet_of(upstream).surplus_at(upstream));
    if (!upstream.timer.is_armed() || deadline < upstream.timer.deadline)
        core_.timers.arm(upstream.timer, deadline);
}

void Dialer::touch(Upstream& upstream) {
    if (!dirty_.contains(upstream)) dirty_.push_back(upstream);
}

void Dialer::flush(Now now) {
    bool is_moving = true;
    while (is_moving) {  // a connection that fails gives back what another may take
        is_moving = false;
        for (Fleet& fleet : fleets_) is_moving |= hand_out(fleet, now);
        while (Upstream* const upstream = dirty_.pop_front()) flush(*upstream, now);
    }
}

// The lane's next pushes to the least busy connections, while there are streams for them.
bool Dialer::hand_out(Fleet& fleet, Now now) {
    if (!core_.dispatcher.lane(fleet.lane).has_waiting(fleet.trust)) return false;
    bool has_moved = false;
    while (Upstream* const upstream = fleet.choose()) {
        push::Job* const job = core_.dispatcher.take(fleet.lane, fleet.trust, now);
        if (job == nullptr) break;
        has_moved = true;
        if (job->expires <= now.unix) {
            knocks_.expire(*job, now);
            continue;
        }
        Upstream& sender = fleet.choose_for(*job, *upstream);
        sender.send(*job, knocks_, now);
        touch(sender);
    }
    tend(fleet, now);
    return has_moved;
}

void Dialer::flush(Upstream& upstream, Now now) {
    if (const Result<void> result = upstream.flush(); !result) {
        lose(upstream, result.error(), now);
        return;
    }
    if (upstream.wants_replacement()) replace(upstream, now);
    if (upstream.state() == UpstreamState::draining && upstream.is_idle()) {
        drop(upstream, now);
        return;
    }
    arm(upstream);
}

void Dialer::end(Now now) {
    has_ended_ = true;
    upstreams_.for_each([&](Upstream& upstream) { drop(upstream, now); });
    for (Fleet& fleet : fleets_) core_.timers.disarm(fleet.timer);
}

}  // namespace knuckle::engine
