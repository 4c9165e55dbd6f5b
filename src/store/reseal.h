// SPDX-License-Identifier: GPL-3.0-or-later
// The second half of a key rotation, in the background: seals each row that is still under the
// retiring key with the current one, then takes the retiring key out of the key file.
//
//     Resealer resealer(env, random, key_path);
//     while (*resealer.step()) ...          between two steps anybody may write
//
// A step is one transaction of bounded size, and none at all without a retiring key. What others
// write meanwhile is under the current key, so one pass over the tree meets every row that matters.
// Nothing of it is remembered on disk: after a crash the two keys are still in the file, and the
// next start begins a new pass, which only looks at what is done already.
// At the end the retiring key's check row goes (store/schema.h), then its line in the key file. If
// that file may not be written, or a row did not open, a line in the log says so once, the file
// stays as it is, and the next start tries again.
// Errors: LMDB's; nothing of the step is on disk then, and step() may be called again.
// Owner: store::Chores.  Thread: the committer's, as there is one writer; counts() any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/random.h"
#include "metrics/counter.h"
#include "store/env.h"
#include "store/rows.h"
#include "store/vault.h"

namespace knuckle::store {

class Transaction;

// Of one step: a few milliseconds, most of them the disk's.
inline constexpr size_t kResealedPerStep = 256;
inline constexpr size_t kVisitedPerStep = 2'000;

struct ResealCounts {
    metrics::Counter resealed;   // rows that are on disk under the current key because of us
    metrics::Counter damaged;    // rows that no key opens; they stay as they are
    metrics::Counter under_way;  // gauge: 1 until the end
};

class Resealer {
public:
    Resealer(const Env& env, crypto::SecureRandom& random, std::string key_path);

    // There is a retiring key, and the pass has not ended.
    [[nodiscard]] bool is_under_way() const { return counts_.under_way.get() != 0; }
    // True: there is more to do.
    Result<bool> step();

    [[nodiscard]] const ResealCounts& counts() const { return counts_; }

private:
    struct Visit;

    [[nodiscard]] Result<Visit> visit(const Transaction& transaction) const;
    // False: the row does not open.
    Result<bool> reseal(Rows& rows, const RowKey& key);
    Result<void> forget_retiring_key(Rows& rows);
    void begin() const;
    void end();

    Env::State& env_;
    crypto::SecureRandom& random_;
    Vault vault_;
    std::string key_path_;
    const uint8_t retiring_;  // the number of the key; 0: there is none
    ResealCounts counts_;
    bool is_begun_ = false;
    std::vector<uint8_t> next_{0};  // where the next step begins; no key is less than this
    PlainBytes plain_;
    SealedBytes sealed_;
    std::array<uint8_t, kExpirySize + sizeof(SealedBytes)> value_;
};

}  // namespace knuckle::store
