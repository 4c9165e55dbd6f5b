// SPDX-License-Identifier: GPL-3.0-or-later
// The only way into another thread's loop: a bounded queue, many senders, one receiver, one
// wake-up.
//
//   Mailbox<Message> mailbox(loop, capacity, deliver, context);   before loop.run()
//     mailbox.post(std::move(message));                           any thread; false when it is full
//     mailbox.close();                                                on the loop's thread, once
//
// `deliver(context, Message&&)` is called on the loop's thread, in the order of posting. After
// close() messages are dropped. Owner: app::Supervisor; outlives the loop's run().
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <utility>

#include "net/wakeup.h"

namespace knuckle::net {

template <typename Message>
class Mailbox {
public:
    using Deliver = void (*)(void* context, Message&& message);

    Mailbox(Loop& loop, size_t count_max, Deliver deliver, void* context)
        : wakeup_(loop, &Mailbox::on_wakeup, this),
          count_max_(count_max),
          deliver_(deliver),
          context_(context) {}

    [[nodiscard]] bool post(Message&& message) {
        {
            const std::lock_guard lock(mutex_);
            if (is_closed_) return true;
            if (messages_.size() >= count_max_) return false;
            messages_.push_back(std::move(message));
        }
        wakeup_.signal();
        return true;
    }

    void close() {
        const std::lock_guard lock(mutex_);
        is_closed_ = true;
        messages_.clear();
        wakeup_.close();
    }

private:
    static void on_wakeup(void* self) { static_cast<Mailbox*>(self)->deliver_all(); }

    void deliver_all() {
        std::deque<Message> batch;
        {
            const std::lock_guard lock(mutex_);
            batch.swap(messages_);
        }
        for (Message& message : batch) {
            if (is_closed_) return;  // by the message before, on this thread
            deliver_(context_, std::move(message));
        }
    }

    Wakeup wakeup_;
    const size_t count_max_;
    const Deliver deliver_;
    void* const context_;
    std::mutex mutex_;
    std::deque<Message> messages_;
    bool is_closed_ = false;  // written on the loop's thread only
};

}  // namespace knuckle::net
