// SPDX-License-Identifier: GPL-3.0-or-later
// The connections of one lane that take its pushes of one trust: which of them is the next push's,
// and whether there should be more or fewer. Makes and ends none itself; engine::Dialer does.
//
// It starts with one connection; the unproven have none until one of them waits. One more is
// wanted when a push has waited for kQueueAgeMax or the streams are used to kLoadMax percent,
// once those that are there have proven their credential, up to `members_max`. So is a second
// one when the only one answers with 5xx: what failed goes out again over another. A surplus one
// that nobody needs for kSurplusIdleMax goes (the first in the list gets what comes when all are
// idle). There is one dial at a time; after a failed one the next waits kBackoffFirst, doubled
// each time up to kBackoffMax, with jitter (providers.md A.5).
// Owner: engine::Dialer.  Thread: its worker's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/list.h"
#include "base/random.h"
#include "base/timers.h"
#include "engine/upstream.h"
#include "push/lane.h"

namespace knuckle::engine {

inline constexpr Duration kQueueAgeMax = milliseconds(100);
inline constexpr size_t kLoadMax = 70;  // percent
inline constexpr Duration kSurplusIdleMax = minutes(30);
inline constexpr Duration kBackoffFirst = seconds(1);
inline constexpr Duration kBackoffMax = seconds(60);

struct Fleet {
    // With a free stream, and fewer pushes in flight than the others, other than `but`; nullptr:
    // none.
    [[nodiscard]] Upstream* choose(const Upstream* but = nullptr) const;
    // The chosen one, or another if this push has just failed there.
    [[nodiscard]] Upstream& choose_for(const push::Job& job, Upstream& chosen) const;
    [[nodiscard]] bool has_ready() const;
    // Another would help those that wait.
    [[nodiscard]] bool is_short(const push::Lane& way, Now now) const;
    // When is_short() should be asked again although nothing has happened; kNever: it need not.
    [[nodiscard]] Instant next_look(const push::Lane& way, Now now) const;
    // When the fleet can do without it if nobody needs it until then; kNever: not as things are.
    [[nodiscard]] Instant surplus_at(const Upstream& upstream) const;

    // One dial went wrong, or was as good as that.
    void back_off(Random& random, Now now);
    void note_success(Now now) {
        failures = 0;
        dial_at = now.instant;
    }

    Timer timer;                                    // the next dial, or the next look at who waits
    List<Upstream, &Upstream::fleet_link> members;  // oldest first; those that drain have left
    Upstream* dialing = nullptr;                    // the member that is not ready yet
    size_t members_max = 1;
    size_t wanted = 0;  // how many members there should be
    uint32_t failures = 0;
    Instant dial_at{};  // not before
    uint16_t lane = 0;
    push::Trust trust = push::Trust::proven;
};

}  // namespace knuckle::engine
