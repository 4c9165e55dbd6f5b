// SPDX-License-Identifier: GPL-3.0-or-later
// The one thread that computes slow hashes, so that no loop ever does.
//
//     PasswordThread thread(deliver, context);
//     thread.submit(std::move(task))    any thread; false: kPasswordQueueMax tasks wait, answer 503
//     thread.stop()                      drops what waits, ends the thread
//
// deliver(context, worker, checked) is called on this thread.
// Owner: app::Supervisor.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>

#include "engine/outbox.h"

namespace knuckle::app {

// At 25 ms each the last in the queue waits six seconds; more would only be more time-outs.
inline constexpr size_t kPasswordQueueMax = 256;

class PasswordThread {
public:
    using Deliver = void (*)(void* context, uint32_t worker, engine::PasswordChecked&& checked);

    PasswordThread(Deliver deliver, void* context);
    ~PasswordThread();
    PasswordThread(const PasswordThread&) = delete;
    PasswordThread& operator=(const PasswordThread&) = delete;

    [[nodiscard]] bool submit(engine::PasswordTask&& task);
    void stop();

private:
    void run();

    const Deliver deliver_;
    void* const context_;
    std::mutex mutex_;
    std::condition_variable has_work_;
    std::deque<engine::PasswordTask> tasks_;
    bool is_stopping_ = false;
    std::thread thread_;
};

}  // namespace knuckle::app
