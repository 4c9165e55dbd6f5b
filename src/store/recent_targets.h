// SPDX-License-Identifier: GPL-3.0-or-later
// Whom the latest knocks went to, so that the next one for the same account need not search its
// device, unseal and decode it: of accounts with one target, which are nearly all.
//
//     recent.prefetch_tags(account);                     as soon as the account is known
//     recent.prefetch_slot(account);                     as soon as that may be there
//     if (!recent.find(account, target)) {
//         ...                                            search; there was this one target only
//         recent.keep(account, version, target);         the snapshot's version, device_changes.h
//     }
//
// What find() gives is what a search in the current snapshot of the same reader would, whose
// snapshots never go back; but it does not meet a row that was damaged on disk since. The table
// begins small and doubles in place when three quarters of it are used: nothing moves then, but
// what is asked for soon after is brought over from where it lay. Of a full bucket hardly ever
// anything is given up.
// Owner: store::Reader.  Thread: its own.  Limits: kSlotsMax accounts, 132 octets each, which is
// 16.5 MiB; registration ids of up to kRegistrationKept characters. Where there is no memory,
// nothing is kept.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/uuid.h"
#include "store/device_changes.h"
#include "store/snapshot.h"

namespace knuckle::store {

class RecentTargets {
public:
    static constexpr size_t kSlotsMin = 1'024;
    static constexpr size_t kSlotsMax = 128 * 1'024;
    static constexpr size_t kRegistrationKept = 77;

    explicit RecentTargets(const DeviceChanges& changes) : changes_(changes) {}
    ~RecentTargets();
    RecentTargets(const RecentTargets&) = delete;
    RecentTargets& operator=(const RecentTargets&) = delete;

    void prefetch_tags(const Uuid& account) const;
    void prefetch_slot(const Uuid& account) const;
    [[nodiscard]] bool find(const Uuid& account, Target& target);
    void keep(const Uuid& account, uint64_t version, const Target& target);

    [[nodiscard]] size_t slots() const { return count_; }

private:
    struct Slot;
    struct Table;

    [[nodiscard]] size_t position_of(const Uuid& account, size_t count) const;
    [[nodiscard]] size_t bring_over(const Uuid& account);
    [[nodiscard]] size_t place_for(const Uuid& account);
    void grow();

    const DeviceChanges& changes_;
    Table* table_ = nullptr;  // memory only where it was written
    size_t count_ = 0;        // of the slots, those in use
    size_t used_ = 0;
    size_t looks_back_ = 0;  // how many misses shall still look where it lay before the doubling
    size_t asked_ = 0;       // who came to a full bucket
};

}  // namespace knuckle::store
