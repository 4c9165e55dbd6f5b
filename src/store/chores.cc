// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/chores.h"

#include "base/log.h"

namespace knuckle::store {

void Chores::step(Now now) {
    if (!is_sweeping_) next_round_ = now.instant + kSweepEvery;
    is_sweeping_ = true;
    const Result<bool> has_more = sweep_.step(now);
    if (!has_more) {
        sweep_due_ = now.instant + retry_after_;
        if (!is_failing_) log::error("store_chore_failed").field("error", has_more.error());
        is_failing_ = true;
        return;
    }
    is_failing_ = false;
    is_sweeping_ = *has_more;
    sweep_due_ = is_sweeping_ ? now.instant : next_round_;
}

}  // namespace knuckle::store
