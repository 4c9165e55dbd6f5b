// SPDX-License-Identifier: GPL-3.0-or-later
// The pending table as a list, for checks.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "store/snapshot.h"

namespace knuckle::store {

// All that can be read, oldest first.
inline Lookup list_pending(Snapshot snapshot, std::vector<Pending>& pending) {
    pending.clear();
    std::vector<std::pair<Uuid, Uuid>> keys;
    Lookup lookup = snapshot.for_each_pending(
        [&](const PendingRow& row) { keys.emplace_back(row.account, row.device); });
    for (const auto& [account, device] : keys) {
        Pending row;
        if (snapshot.find_pending(account, device, row) == Lookup::found) {
            pending.push_back(std::move(row));
        } else {
            lookup = Lookup::damaged;
        }
    }
    std::ranges::stable_sort(pending, {}, &Pending::accepted);
    return lookup;
}

}  // namespace knuckle::store
