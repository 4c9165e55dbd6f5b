// SPDX-License-Identifier: GPL-3.0-or-later
// The serials of pushes, by which the database knows the newer of two (store/pending_row.h). All
// workers of a process draw from one row of numbers: the steady clock, which nobody sets, counted
// from an epoch that was fixed before any of them began.
//
//     const UnixTime epoch = serial_epoch(reader, now);        once in a process
//     Serials serials(epoch, worker);
//     uint64_t serial = serials.make(now.instant, deferral);
//
// Owner: engine::Knocks.  Thread: its worker's.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "store/snapshot.h"

namespace knuckle::engine {

// Serials begin after those of all rows that an earlier process left, because what it deferred goes
// out now. 1970 will do where there are none.
[[nodiscard]] UnixTime serial_epoch(store::Reader& reader, Now now);

class Serials {
public:
    Serials(UnixTime epoch, uint32_t worker) : epoch_(epoch), worker_(worker) {}

    // Says when a push goes out first: the row of one that goes out before another, and that may be
    // cleared before it, must not take the other's place. So a deferred push counts as made when
    // its time comes.
    [[nodiscard]] uint64_t make(Instant now, Duration deferral);

private:
    UnixTime epoch_;  // when the steady clock was zero
    uint32_t worker_;
    uint64_t last_ = 0;
};

}  // namespace knuckle::engine
