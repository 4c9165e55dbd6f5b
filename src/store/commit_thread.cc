// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/commit_thread.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"

namespace knuckle::store {

namespace {

Now now() {
    using std::chrono::duration_cast;
    const auto instant = std::chrono::steady_clock::now().time_since_epoch();
    const auto unix = std::chrono::system_clock::now().time_since_epoch();
    return {{duration_cast<std::chrono::nanoseconds>(instant).count()},
            {duration_cast<std::chrono::microseconds>(unix).count()}};
}

std::chrono::steady_clock::time_point to_time_point(Instant instant) {
    return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(instant.ns));
}

}  // namespace

struct CommitThread::State {
    State(Committer& target,
          Deliver callback,
          void* callback_context,
          Duration retry_period,
          Chores* its_chores)
        : committer(target),
          deliver(callback),
          context(callback_context),
          retry_after(retry_period),
          chores(its_chores) {}

    void run();
    // Waits until there is something to do and moves what was submitted to `batch`. False: stop.
    bool gather();
    void commit(std::span<const Write> writes);
    void probe();
    void do_chore();
    // When to do something although nobody has submitted anything.
    [[nodiscard]] Instant next_wake() const;
    void conclude(const Result<void>& result, size_t count);

    [[nodiscard]] bool is_read_only() const {
        return counts.is_read_only.load(std::memory_order_relaxed);
    }

    Committer& committer;
    const Deliver deliver;
    void* const context;
    const Duration retry_after;
    Chores* const chores;  // nullptr: none
    CommitCounts counts;

    std::mutex mutex;
    std::condition_variable wake;
    // Under the mutex:
    std::vector<Write> submitted;
    size_t unsettled = 0;  // submitted, or taken by the thread and not yet delivered
    bool is_stopping = false;

    // The thread's own:
    std::vector<Write> batch;
    std::vector<Committed> committed;
    std::array<WriteStatus, kBatchWritesMax> statuses;
    Instant next_try{};
    Instant rests_until{};

    std::thread thread;
};

void CommitThread::State::run() {
    ::pthread_setname_np(::pthread_self(), "commit");
    while (gather()) {
        if (batch.empty()) is_read_only() ? probe() : do_chore();
        for (std::span<const Write> rest = batch; !rest.empty();) {
            const size_t count = std::min(rest.size(), kBatchWritesMax);
            commit(rest.first(count));
            rest = rest.subspan(count);
        }
        batch.clear();
        // A burst's memory is not kept for the next one.
        if (batch.capacity() > kBatchWritesMax) batch.shrink_to_fit();
    }
}

bool CommitThread::State::gather() {
    std::unique_lock lock(mutex);
    const auto has_work = [this] { return !submitted.empty() || is_stopping; };
    wake.wait_until(lock, to_time_point(next_wake()), has_work);
    std::swap(batch, submitted);
    return !batch.empty() || !is_stopping;
}

void CommitThread::State::commit(std::span<const Write> writes) {
    const std::span<WriteStatus> answers = std::span(statuses).first(writes.size());
    if (is_read_only() && now().instant < next_try) {
        std::ranges::fill(answers, WriteStatus::failed);
    } else {
        conclude(committer.apply(writes, answers), writes.size());
    }
    committed.clear();
    for (size_t i = 0; i < writes.size(); ++i) {
        if (writes[i].ticket == 0) continue;
        committed.push_back({writes[i].ticket, writes[i].worker, answers[i]});
    }
    if (!committed.empty()) deliver(context, committed);
    const std::lock_guard lock(mutex);
    unsettled -= writes.size();
}

void CommitThread::State::probe() {
    if (now().instant >= next_try) conclude(committer.probe(), 0);
}

void CommitThread::State::do_chore() {
    const Now begun = now();
    if (begun.instant < next_wake()) return;
    chores->step(begun);
    const Instant ended = now().instant;
    rests_until = ended + Chores::rest(ended - begun.instant);
}

Instant CommitThread::State::next_wake() const {
    if (is_read_only()) return next_try;
    return chores == nullptr ? kNever : std::max(chores->due(), rests_until);
}

// What a commit or a probe of `count` writes means for those that follow.
void CommitThread::State::conclude(const Result<void>& result, size_t count) {
    const bool was_read_only = is_read_only();
    if (!result) {
        counts.failures.fetch_add(1, std::memory_order_relaxed);
        counts.is_read_only.store(true, std::memory_order_relaxed);
        next_try = now().instant + retry_after;
        if (!was_read_only) log::error("store_read_only").field("error", result.error());
        return;
    }
    if (count > 0) {
        counts.commits.fetch_add(1, std::memory_order_relaxed);
        counts.writes.fetch_add(count, std::memory_order_relaxed);
    }
    counts.is_read_only.store(false, std::memory_order_relaxed);
    if (was_read_only) log::notice("store_writable");
}

CommitThread::CommitThread(
    Committer& committer, Deliver deliver, void* context, Duration retry_after, Chores* chores)
    : state_(std::make_unique<State>(committer, deliver, context, retry_after, chores)) {
    state_->thread = std::thread([state = state_.get()] { state->run(); });
}

CommitThread::~CommitThread() { stop(); }

bool CommitThread::submit(Write&& write) {
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->is_stopping || state_->unsettled == kQueueMax) return false;
        state_->submitted.push_back(std::move(write));
        ++state_->unsettled;
    }
    state_->wake.notify_one();
    return true;
}

void CommitThread::stop() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->is_stopping = true;
    }
    state_->wake.notify_one();
    if (state_->thread.joinable()) state_->thread.join();
}

const CommitCounts& CommitThread::counts() const { return state_->counts; }

}  // namespace knuckle::store
