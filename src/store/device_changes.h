// SPDX-License-Identifier: GPL-3.0-or-later
// When the devices of an account last changed, for what readers remember of them
// (store/recent_targets.h).
//
//     changes.note(account, version);        before the transaction that changes them commits
//     ... commits ...
//     changes.last(account) <= version       what was read in that snapshot is as it is now
//
// A version is LMDB's number of a transaction: that of a writing one is one more than that of the
// snapshots before it, and that of all snapshots after it. Accounts share places, so what did not
// change may be said to have; what did change never goes unnoticed. A transaction that fails leaves
// its note behind, and the next one has its version.
// Owner: store::Env.  Threads: one writer at a time, any number of readers.
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
        versions_[place_of(account)].store(version, std::memory_order_release);
    }
    [[nodiscard]] uint64_t last(const Uuid& account) const {
        return versions_[place_of(account)].load(std::memory_order_acquire);
    }

private:
    static constexpr size_t kPlaces = 4'096;

    // Ids are random.
    static size_t place_of(const Uuid& account) {
        return (size_t{account.bytes[0]} << 8 | account.bytes[1]) % kPlaces;
    }

    std::array<std::atomic<uint64_t>, kPlaces> versions_{};
};

}  // namespace knuckle::store
