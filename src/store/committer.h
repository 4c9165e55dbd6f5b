// SPDX-License-Identifier: GPL-3.0-or-later
// Applies a batch of writes in one transaction and syncs it: group commit as a plain function.
//
//     Committer committer(env, random, pending_limits);
//     auto result = committer.apply(writes, statuses);    statuses[i] answers writes[i]
//
// Writes take effect in their order; each sees what those before it did. An error (map full, disk
// full, I/O) means that nothing of the batch is on disk; every status is then `failed`. The one
// exception is an I/O error of the very last sync: then readers may see the batch, and it may or
// may not survive a power cut. After an error apply() may be called again; it works once the cause
// is gone. Owner: store::CommitThread or the simulator.  Thread: one, ever.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/time.h"
#include "crypto/random.h"
#include "store/env.h"
#include "store/pending_ledger.h"
#include "store/schema.h"
#include "store/write.h"

namespace knuckle::store {

// A commit copies each page that it changes, and the old ones stay in the file for a later one: in
// a large database nearly a page for each write.
inline constexpr size_t kBatchWritesMax = 1'024;

// What became of the tokens that expire() was given.
struct Expired {
    size_t erased = 0;
    size_t damaged = 0;  // do not open, or say that they live: left as they are
};

class Committer {
public:
    Committer(const Env& env, crypto::SecureRandom& random, const PendingLimits& limits = {});
    ~Committer();
    Committer(const Committer&) = delete;
    Committer& operator=(const Committer&) = delete;

    // At most kBatchWritesMax writes, and as many statuses.
    Result<void> apply(std::span<const Write> writes, std::span<WriteStatus> statuses);

    // Erases tokens that have expired, all in one transaction and each with its entry in the list
    // of its device. For store::Sweep, which looks for them.
    Result<Expired> expire(std::span<const LookupHash> tokens, UnixTime now);

    // Of the pending rows. Any thread.
    [[nodiscard]] const PendingCounts& pending_counts() const;

    // Can the database be written? Writes one small row as it was, and syncs it.
    Result<void> probe();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace knuckle::store
