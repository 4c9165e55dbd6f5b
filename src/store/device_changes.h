// SPDX-License-Identifier: GPL-3.0-or-later
// When the devices of an account last changed, for what readers remember of them
// (store/recent_targets.h).
//
//     changes.note(account, version);        before the transaction that changes them commits
//     ... commits ...
//     changes.last(account) <= version       what was read in that snapshot is as it is now
//
// A version is LMDB's number of a transaction: a writing one has the next number, and once it is
// committed its snapshots have it, until the next. If it fails the next one has the same number,
// and its note stands: then too much is said to have changed, as where accounts share a place. What
// did change never goes unnoticed.
// Owner: store::Env.  Threads: one writer at a time, any number of readers. The order between a
// note and the snapshot that must see it does not come from here but from LMDB: between the two the
// writer writes and syncs files, and a reader has the account from a page that it found through
// the number of its snapshot.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/uuid.h"

namespace knuckle::store {

class DeviceChanges {
public:
    void note(const Uuid& account, uint64_t version) {
        versions_[place_of(account)].store(version, std::memory_order_relaxed);
    }
    [[nodiscard]] uint64_t last(const Uuid& account) const {
        return versions_[place_of(account)].load(std::memory_order_relaxed);
    }

private:
    static constexpr size_t kPlaces = 4'096;

    // Ids are random, but for imported ones: alike, they would share places, which is only slower.
    static size_t place_of(const Uuid& account) {
        return (size_t{account.bytes[0]} << 8 | account.bytes[1]) % kPlaces;
    }

    std::array<std::atomic<uint64_t>, kPlaces> versions_{};
};

}  // namespace knuckle::store
