// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/pending_ledger.h"

#include <algorithm>

namespace knuckle::store {

bool PendingLedger::has_room(const Row& row, const Row& old) const {
    if (bytes_ + row.size > limits_.bytes_max + old.size) return false;
    return old.size > 0 || rows_ < limits_.rows_max;
}

void PendingLedger::put(const Row& row) {
    ++rows_;
    bytes_ += row.size;
    changes_.push_back({to_unix_seconds(row.accepted), true});
}

void PendingLedger::erase(const Row& row) {
    rows_ -= std::min<size_t>(rows_, 1);
    bytes_ -= std::min(bytes_, row.size);
    changes_.push_back({to_unix_seconds(row.accepted), false});
}

void PendingLedger::keep() {
    for (const Change& change : changes_) {
        if (change.second <= 0) continue;
        size_t& rows = rows_by_second_[change.second];
        rows = change.is_put ? rows + 1 : rows - std::min<size_t>(rows, 1);
        if (rows == 0) rows_by_second_.erase(change.second);
    }
    changes_.clear();
    counts_.rows.set(rows_);
    counts_.bytes.set(bytes_);
    const auto oldest = rows_by_second_.begin();
    const bool has_one = oldest != rows_by_second_.end();
    counts_.oldest.set(has_one ? static_cast<uint64_t>(oldest->first) : 0);
}

void PendingLedger::forget() {
    changes_.clear();
    rows_ = counts_.rows.get();
    bytes_ = counts_.bytes.get();
}

}  // namespace knuckle::store
