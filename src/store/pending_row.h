// SPDX-License-Identifier: GPL-3.0-or-later
// What a device's pending row says after a write: there is one row for each device, and more than
// one push may need it. Pure.
//
// A newer push takes the place of an older one, and what was said about the older means nothing for
// the row any more. But a push that nobody sees does not take the place of one that is seen: it
// relies on that row, which keeps its serial and its payload and notes that of the other beside it
// (Pending::unseen_serial). So
//
//     both wait             serial < unseen_serial     goes out as what is seen
//     that is settled       serial = unseen_serial     the seen one was, the other was not: it may
//                                                      have come when the seen one was on its way
//     the other is settled  unseen_serial = 0
//
// and the row goes when both are settled, in whatever order. A push's serial says when it goes out
// first (engine/serials.h), so one that is seen may be stored after another with a higher serial.
// Owner and thread: the caller's.
#pragma once

#include <optional>

#include "store/records.h"
#include "store/write.h"

namespace knuckle::store {

// Equal to `row` where that stands for the new push, too.
[[nodiscard]] Pending row_after(const Pending& row, const PutPending& put);
// Equal to `row` where the push was none of its own. Empty: nobody needs the row any more.
[[nodiscard]] std::optional<Pending> row_after(const Pending& row, const ClearPending& clear);

}  // namespace knuckle::store
