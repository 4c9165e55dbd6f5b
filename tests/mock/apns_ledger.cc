// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/mock/apns_ledger.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace knuckle::mock {

std::string_view Arrival::field(std::string_view name) const {
    for (const ArrivedField& one : fields) {
        if (one.name == name) return one.value;
    }
    return {};
}

LedgerEntries::Key LedgerEntries::key_of(std::string_view text) {
    const std::hash<std::string_view> hash;
    return {hash(text), hash(text.substr(text.size() / 2))};
}

size_t LedgerEntries::position_of(const Key& key) const {
    const size_t mask = slots_.size() - 1;
    size_t position = key.low & mask;
    while (slots_[position].entry.received > 0 && slots_[position].key != key) {
        position = (position + 1) & mask;
    }
    return position;
}

LedgerEntry* LedgerEntries::take(std::string_view text, size_t count_max) {
    if (count_ * 2 >= slots_.size()) grow();
    const Key key = key_of(text);
    Slot& slot = slots_[position_of(key)];
    if (slot.entry.received > 0) return &slot.entry;
    if (count_ >= count_max) return nullptr;
    ++count_;
    slot.key = key;
    return &slot.entry;
}

const LedgerEntry* LedgerEntries::find(std::string_view text) const {
    if (count_ == 0) return nullptr;
    const Slot& slot = slots_[position_of(key_of(text))];
    return slot.entry.received > 0 ? &slot.entry : nullptr;
}

void LedgerEntries::grow() {
    std::vector<Slot> old = std::exchange(slots_, {});
    slots_.resize(std::max<size_t>(1'024, old.size() * 2));
    for (const Slot& slot : old) {
        if (slot.entry.received > 0) slots_[position_of(slot.key)] = slot;
    }
}

void LedgerEntries::clear() {
    slots_.clear();
    count_ = 0;
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
        if (push->accepted > 1 && !push->is_fate_unknown) ++counts_.duplicates_inexcusable;
    }
    note(devices_, device, is_accepted, now);
}

void ApnsLedger::note_unknown(std::string_view id, Now now) {
    if (LedgerEntry* const push = note(pushes_, id, false, now)) push->is_fate_unknown = true;
}

LedgerEntry* ApnsLedger::note(LedgerEntries& entries,
                              std::string_view key,
                              bool is_accepted,
                              Now now) {
    LedgerEntry* const entry = entries.take(key, kEntriesMax);
    if (entry == nullptr) {
        ++counts_.untracked;
        return nullptr;
    }
    if (entry->received++ == 0) entry->first = now.instant;
    if (is_accepted) ++entry->accepted;
    entry->last = now.instant;
    return entry;
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

}  // namespace knuckle::mock
