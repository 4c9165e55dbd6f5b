// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/chores.h"

namespace knuckle::store {

Result<void> Chores::step(Now now) {
    if (!is_sweeping_) next_round_ = now.instant + kSweepEvery;
    is_sweeping_ = true;
    sweep_due_ = now.instant + kChoreRetryAfter;
    is_sweeping_ = KNUCKLE_TRY(sweep_.step(now));
    sweep_due_ = is_sweeping_ ? now.instant : next_round_;
    return {};
}

}  // namespace knuckle::store
