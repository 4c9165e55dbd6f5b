// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/chores.h"

#include "base/log.h"

namespace knuckle::store {

void Chores::step(Now now) {
    if (reseal_due_ <= now.instant) {
        reseal_due_ = after(resealer_.step(), kNever, now);
        return;
    }
    if (!is_sweeping_) next_round_ = now.instant + kSweepEvery;
    const Result<bool> has_more = sweep_.step(now);
    is_sweeping_ = !has_more || *has_more;
    sweep_due_ = after(has_more, next_round_, now);
}

Instant Chores::after(const Result<bool>& has_more, Instant done, Now now) {
    if (!has_more) {
        if (!is_failing_) log::error("store_chore_failed").field("error", has_more.error());
        is_failing_ = true;
        return now.instant + retry_after_;
    }
    is_failing_ = false;
    return *has_more ? now.instant : done;
}

}  // namespace knuckle::store
