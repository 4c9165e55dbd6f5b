// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/mock/apns_ledger.h"

#include <utility>

namespace knuckle::mock {

std::string_view Arrival::field(std::string_view name) const {
    for (const ArrivedField& one : fields) {
        if (one.name == name) return one.value;
    }
    return {};
}

void ApnsLedger::record(std::string_view id,
                        std::string_view device,
                        std::string_view reason,
                        Now now) {
    const bool is_accepted = reason.empty();
    ++counts_.requests;
    if (is_accepted) {
        ++counts_.accepted;
    } else {
        ++counts_.refused;
        if (const auto known = reasons_.find(reason); known != reasons_.end()) {
            ++known->second;
        } else {
            reasons_.emplace(reason, 1);
        }
    }
    const LedgerEntry* const push = note(pushes_, id, is_accepted, now);
    if (is_accepted && push != nullptr) {
        if (push->accepted == 1) ++pushes_accepted_;
        if (push->accepted > 1) ++counts_.duplicates;
    }
    note(devices_, device, is_accepted, now);
}

LedgerEntry* ApnsLedger::note(Entries& entries, std::string_view key, bool is_accepted, Now now) {
    auto found = entries.find(key);
    if (found == entries.end()) {
        if (entries.size() >= kEntriesMax) {
            ++counts_.untracked;
            return nullptr;
        }
        found = entries.emplace(std::string(key), LedgerEntry{.first = now.instant}).first;
    }
    LedgerEntry& entry = found->second;
    ++entry.received;
    if (is_accepted) ++entry.accepted;
    entry.last = now.instant;
    return &entry;
}

void ApnsLedger::keep(Arrival&& arrival) {
    if (arrivals_.size() >= arrivals_max_) arrivals_.pop_front();
    arrivals_.push_back(std::move(arrival));
}

void ApnsLedger::clear() {
    counts_ = {};
    pushes_accepted_ = 0;
    pushes_.clear();
    devices_.clear();
    reasons_.clear();
    arrivals_.clear();
}

const LedgerEntry* ApnsLedger::find_push(std::string_view id) const {
    const auto found = pushes_.find(id);
    return found != pushes_.end() ? &found->second : nullptr;
}

const LedgerEntry* ApnsLedger::find_device(std::string_view token) const {
    const auto found = devices_.find(token);
    return found != devices_.end() ? &found->second : nullptr;
}

}  // namespace knuckle::mock
