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
      lanes_(core.options.lanes.size()),
      upstreams_(core.options.lanes.size() * kUpstreamsPerLaneMax) {
    for (size_t i = 0; i < lanes_.size(); ++i) {
        lanes_[i].lane = static_cast<uint16_t>(i);
        lanes_[i].timer.owner = &lanes_[i];
        lanes_[i].timer.kind = static_cast<uint8_t>(TimerKind::lane);
    }
}

Dialer::~Dialer() {
    KNUCKLE_ASSERT(upstreams_.count() == 0);
    for (LaneState& lane : lanes_) core_.timers.disarm(lane.timer);
}

void Dialer::start(Now now) {
    for (LaneState& lane : lanes_) dial(lane, now);
}

void Dialer::dial(LaneState& lane, Now now) {
    if (has_ended_) return;
    KNUCKLE_ASSERT(lane.current == nullptr);
    Upstream* const upstream = upstreams_.take(core_, lane.lane, now.instant);
    if (upstream == nullptr || !upstream->dial()) {
        if (upstream != nullptr) upstreams_.give_back(*upstream);
        set_ready(lane, false, fail(Errc::limit, "no connection to spare: raise connections_max"));
        back_off(lane, now);
        return;
    }
    core_.counters.upstream_dials.add();
    lane.current = upstream;
    table_.attach(upstream->id(), *upstream);
    core_.timers.arm(upstream->timer, now.instant + kDialTimeout);
}

void Dialer::back_off(LaneState& lane, Now now) {
    const uint32_t shift = std::min(lane.failures, 10U);
    ++lane.failures;
    const Duration delay = std::min(Duration{kBackoffFirst.ns << shift}, kBackoffMax);
    core_.timers.arm(lane.timer, now.instant + core_.random.jitter(delay));
}

void Dialer::on_connected(Upstream& upstream, Now now) {
    if (const Result<void> result = upstream.on_connected(now); !result)
        lose(upstream, result.error(), now);
}

void Dialer::on_received(Upstream& upstream, ByteView bytes, Now now) {
    const bool was_ready = upstream.state() == UpstreamState::ready;
    const Result<void> result = upstream.on_received(bytes, knocks_, decoder_, now);
    LaneState& lane = lanes_[upstream.lane()];
    if (!result) {
        lose(upstream, result.error(), now);
        return;
    }
    if (!was_ready && upstream.state() == UpstreamState::ready) {
        core_.timers.disarm(upstream.timer);  // the dial's deadline
        set_ready(lane, true, {});
    }
    if (lane.current == &upstream && upstream.state() == UpstreamState::ready) {
        core_.counters.streams_max.set(upstream.streams_max());
    }
    touch(upstream);
}

void Dialer::on_closed(Upstream& upstream, Error why, Now now) { lose(upstream, why, now); }

// The connection failed. What it carried goes back to the lane.
void Dialer::lose(Upstream& upstream, Error why, Now now) {
    LaneState& lane = lanes_[upstream.lane()];
    const bool was_current = lane.current == &upstream;
    const bool was_stable = is_stable(upstream, now);
    core_.counters.upstream_failures.add();
    log::debug("upstream_lost")
        .field("app", core_.options.lanes[upstream.lane()].name)
        .field("error", why);
    drop(upstream, now);
    if (was_current) dial_next(lane, was_stable, why, now);
}

// The provider takes nothing new here. Another connection is dialed while this one drains.
void Dialer::replace(Upstream& upstream, Now now) {
    LaneState& lane = lanes_[upstream.lane()];
    upstream.stop_taking();
    if (lane.current != &upstream) return;
    lane.current = nullptr;
    const Error why =
        fail(Errc::unavailable, "the provider closes connections as soon as they are made");
    dial_next(lane, is_stable(upstream, now), why, now);
}

bool Dialer::is_stable(const Upstream& upstream, Now now) {
    return upstream.state() >= UpstreamState::ready &&
           now.instant - upstream.dialed() >= kStableTime;
}

// After a connection that did its work the next is dialed at once, and senders may wait for it.
void Dialer::dial_next(LaneState& lane, bool was_stable, Error why, Now now) {
    if (was_stable) {
        lane.failures = 0;
        dial(lane, now);
    } else {
        set_ready(lane, false, why);
        back_off(lane, now);
    }
}

void Dialer::drop(Upstream& upstream, Now now) {
    LaneState& lane = lanes_[upstream.lane()];
    if (lane.current == &upstream) lane.current = nullptr;
    if (dirty_.contains(upstream)) dirty_.erase(upstream);
    table_.detach(upstream.id());
    upstream.end(knocks_, now);
    upstreams_.give_back(upstream);
}

void Dialer::set_ready(LaneState& lane, bool is_ready, Error why) {
    if (lane.was_reported && lane.is_ready == is_ready) return;
    lane.was_reported = true;
    lane.is_ready = is_ready;
    core_.dispatcher.set_down(lane.lane, !is_ready);
    const auto count = std::count_if(
        lanes_.begin(), lanes_.end(), [](const LaneState& each) { return each.is_ready; });
    core_.counters.upstreams_ready.set(static_cast<uint64_t>(count));
    // A new connection does not make a provider take what it refused on the old one.
    if (is_ready && core_.dispatcher.lane(lane.lane).is_refused) return;
    core_.outbox.report({core_.worker, lane.lane, is_ready, why, {}});
}

void Dialer::on_timer(Timer& timer, Now now) {
    if (timer.kind == static_cast<uint8_t>(TimerKind::lane)) {
        dial(*static_cast<LaneState*>(timer.owner), now);
        return;
    }
    Upstream& upstream = *static_cast<Upstream*>(timer.owner);
    switch (upstream.state()) {
        case UpstreamState::dialing:
            lose(upstream, fail(Errc::unavailable, "connecting took too long"), now);
            return;
        case UpstreamState::shaking_hands:
            lose(upstream, fail(Errc::unavailable, "the TLS handshake took too long"), now);
            return;
        case UpstreamState::ready:
        case UpstreamState::draining:
            if (upstream.is_silent(now)) {
                lose(upstream, fail(Errc::unavailable, "the provider stopped answering"), now);
                return;
            }
            upstream.give_up_overdue(knocks_, now);
            touch(upstream);
    }
}

// The timer of a connection in use stands for its oldest unanswered push, and is moved only when it
// goes off: each push would otherwise cost an arming and a disarming.
void Dialer::arm(Upstream& upstream) {
    const Instant deadline = upstream.overdue_at();
    if (deadline != kNever && !upstream.timer.is_armed())
        core_.timers.arm(upstream.timer, deadline);
}

void Dialer::touch(Upstream& upstream) {
    if (!dirty_.contains(upstream)) dirty_.push_back(upstream);
}

void Dialer::flush(Now now) {
    for (LaneState& lane : lanes_) {
        if (lane.current != nullptr && !core_.dispatcher.lane(lane.lane).waiting.is_empty())
            touch(*lane.current);
    }
    while (Upstream* const upstream = dirty_.pop_front()) flush(*upstream, now);
}

void Dialer::flush(Upstream& upstream, Now now) {
    upstream.take_jobs(knocks_, now);
    if (const Result<void> result = upstream.flush(); !result) {
        lose(upstream, result.error(), now);
        return;
    }
    if (upstream.wants_replacement()) replace(upstream, now);
    arm(upstream);
    if (upstream.state() == UpstreamState::draining && upstream.is_idle()) drop(upstream, now);
}

void Dialer::end(Now now) {
    has_ended_ = true;
    upstreams_.for_each([&](Upstream& upstream) { drop(upstream, now); });
    for (LaneState& lane : lanes_) core_.timers.disarm(lane.timer);
}

}  // namespace knuckle::engine
