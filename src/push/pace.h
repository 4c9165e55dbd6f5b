// SPDX-License-Identifier: GPL-3.0-or-later
// How fast something goes out that could go out at once: one in each interval, a handful together
// so that a timer need not go off for each. GCRA, 16 bytes.
//
//     if (pace.take(now)) ...       else ask again at pace.next()
//
// Owner: push::Lane.  Thread: its worker's.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace knuckle::push {

inline constexpr Duration kPaceStep = milliseconds(50);

class Pace {
public:
    explicit Pace(Duration interval = {}) : interval_(interval) {}

    [[nodiscard]] bool take(Instant now) {
        if (now + kPaceStep < next_) return false;
        next_ = std::max(next_, now) + interval_;
        return true;
    }
    [[nodiscard]] Instant next() const { return next_; }

private:
    Duration interval_;  // none: as fast as one likes
    Instant next_{};
};

}  // namespace knuckle::push
