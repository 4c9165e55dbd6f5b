// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/fleet.h"

#include <algorithm>

namespace knuckle::engine {

Upstream* Fleet::choose(const Upstream* but) const {
    Upstream* chosen = nullptr;
    for (Upstream* each = members.front(); each != nullptr; each = members.next(*each)) {
        if (each == but) continue;
        const bool is_better = chosen == nullptr || each->in_flight() < chosen->in_flight();
        if (is_better && each->can_send()) chosen = each;
    }
    return chosen;
}

Upstream& Fleet::choose_for(const push::Job& job, Upstream& chosen) const {
    if (job.failed_on != chosen.number()) return chosen;
    Upstream* const other = choose(&chosen);
    return other != nullptr ? *other : chosen;
}

bool Fleet::has_ready() const {
    for (const Upstream* each = members.front(); each != nullptr; each = members.next(*each)) {
        if (each->state() == UpstreamState::ready) return true;
    }
    return false;
}

bool Fleet::is_short(const push::Lane& way, Now now) const {
    if (wanted == 0) return way.has_waiting(trust);
    if (way.breaker.is_open()) return false;  // it has more than it may use
    const push::Job* const first = way.queue(push::line_of(trust)).front();
    if (wanted >= members_max || members.count() < wanted) return false;
    size_t in_flight = 0;
    size_t streams = 0;
    for (const Upstream* each = members.front(); each != nullptr; each = members.next(*each)) {
        if (!each->is_trusted()) return false;  // it will take more soon
        in_flight += each->in_flight();
        streams += each->streams_max();
    }
    if (members.count() == 1 && members.front()->is_failing()) return true;
    if (first != nullptr && first->since + kQueueAgeMax <= now.instant) return true;
    return in_flight * 100 > streams * kLoadMax;
}

Instant Fleet::next_look(const push::Lane& way, Now now) const {
    const push::Job* const first = way.queue(push::line_of(trust)).front();
    if (first == nullptr || way.breaker.is_open() || wanted >= members_max) return kNever;
    const Instant next = first->since + kQueueAgeMax;
    return next > now.instant ? next : now.instant + kQueueAgeMax;
}

Instant Fleet::surplus_at(const Upstream& upstream) const {
    const size_t needed = trust == push::Trust::proven ? 1 : 0;
    const bool is_needed = upstream.state() != UpstreamState::ready || !upstream.is_idle() ||
                           members.count() <= needed;
    return is_needed ? kNever : upstream.used() + kSurplusIdleMax;
}

void Fleet::back_off(Random& random, Now now) {
    const uint32_t shift = std::min(failures, 10U);
    ++failures;
    const Duration delay = std::min(Duration{kBackoffFirst.ns << shift}, kBackoffMax);
    dial_at = now.instant + random.jitter(delay);
}

}  // namespace knuckle::engine
