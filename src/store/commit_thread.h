// SPDX-License-Identifier: GPL-3.0-or-later
// The one thread that writes: takes whatever waits, commits it as one batch, tells the workers,
// repeats. While it syncs, the next batch gathers; there is no artificial delay. While no write
// waits and the store is writable, it does its chores (store/chores.h), if it has any.
//
//     CommitThread thread(committer, deliver, context, kRetryAfter, &chores);
//     thread.submit(std::move(write))      any thread; false: kQueueMax writes wait, answer 503
//     thread.stop()                        commits what waits, then ends the thread; any number of
//     times
//
// `deliver(context, batch)` is called on the commit thread with what became of each write that has
// a ticket, in the order of submit(). After a failed commit the store is read-only: what waits and
// what comes fails at once, except that every kRetryAfter one batch is tried for real, or a probe
// if there is none, so that a disk that has room again is noticed. Each change of state is logged:
// store_read_only (with the error), store_writable. Owner: the supervisor; `committer`,
// `chores` and `context` outlive it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/time.h"
#include "store/chores.h"
#include "store/committer.h"
#include "store/write.h"

namespace knuckle::store {

// Submitted and not yet delivered.
inline constexpr size_t kQueueMax = 16'384;
inline constexpr Duration kRetryAfter = seconds(5);
static_assert(kBatchWritesMax <= kQueueMax);

// Written by the commit thread, read by any.
struct CommitCounts {
    std::atomic<uint64_t> commits{0};   // of clients' writes, that reached the disk
    std::atomic<uint64_t> writes{0};    // in those, whatever their status
    std::atomic<uint64_t> failures{0};  // commits and probes that did not reach the disk
    std::atomic<bool> is_read_only{false};
};

class CommitThread {
public:
    using Deliver = void (*)(void* context, std::span<const Committed> batch);

    CommitThread(Committer& committer,
                 Deliver deliver,
                 void* context,
                 Duration retry_after = kRetryAfter,
                 Chores* chores = nullptr);
    ~CommitThread();
    CommitThread(const CommitThread&) = delete;
    CommitThread& operator=(const CommitThread&) = delete;

    // False also once stop() was called.
    [[nodiscard]] bool submit(Write&& write);
    void stop();

    [[nodiscard]] const CommitCounts& counts() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace knuckle::store
