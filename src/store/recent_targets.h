// SPDX-License-Identifier: GPL-3.0-or-later
// Whom the latest knocks went to, so that the next one for the same account need not search its
// device, unseal and decode it: of accounts with one target, which are nearly all.
//
//     recent.prefetch(account);                          as soon as the account is known
//     if (!recent.find(account, target)) {
//         ...                                            search; there was this one target only
//         recent.keep(account, version, target);         the snapshot's version, device_changes.h
//     }
//
// What find() gives is what a search in the current snapshot of the same reader would, whose
// snapshots never go back; but it does not meet a row that was damaged on disk since. The table
// begins small and doubles in place when half of it is used: nothing moves then, but what is asked
// for soon after is brought over from where it lay. A full bucket gives up one of its two.
// Owner: store::Reader.  Thread: its own.  Limits: kSlotsMax accounts, 128 octets each, which is
// 16 MiB; registration ids of up to kRegistrationKept characters. Where there is no memory, nothing
// is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

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

    void prefetch(const Uuid& account) const;
    [[nodiscard]] bool find(const Uuid& account, Target& target);
    void keep(const Uuid& account, uint64_t version, const Target& target);

    [[nodiscard]] size_t slots() const { return count_; }

private:
    struct Slot;

    [[nodiscard]] std::span<Slot> bucket_of(const Uuid& account, size_t count) const;
    [[nodiscard]] Slot* slot_of(const Uuid& account, size_t count) const;
    [[nodiscard]] Slot* bring_over(const Uuid& account);
    [[nodiscard]] Slot& place_for(const Uuid& account);
    void grow();

    const DeviceChanges& changes_;
    Slot* slots_ = nullptr;  // kSlotsMax of them, memory only where they were written
    size_t count_ = 0;       // of those in use
    size_t used_ = 0;
    size_t looks_back_ = 0;  // how many misses shall still look where it lay before the doubling
    size_t given_up_ = 0;
};

}  // namespace knuckle::store
