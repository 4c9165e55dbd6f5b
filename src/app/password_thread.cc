// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/password_thread.h"

#include <utility>

#include "crypto/digest.h"
#include "crypto/password.h"

namespace knuckle::app {

namespace {

engine::PasswordChecked compute(const engine::PasswordTask& task) {
    engine::PasswordChecked checked;
    checked.ticket = task.ticket;
    const bool is_new = task.hash.empty();
    if (!is_new) {
        checked.is_right = crypto::verify_password(task.password, task.hash);
        checked.needs_upgrade = checked.is_right && crypto::needs_upgrade(task.hash);
    }
    if (is_new || checked.needs_upgrade) {
        Result<std::string> hash = crypto::hash_password(task.password, task.salt);
        if (hash) checked.hash = std::move(*hash);
    }
    return checked;
}

}  // namespace

PasswordThread::PasswordThread(Deliver deliver, void* context)
    : deliver_(deliver), context_(context), thread_([this] { run(); }) {}

PasswordThread::~PasswordThread() { stop(); }

bool PasswordThread::submit(engine::PasswordTask&& task) {
    const std::lock_guard lock(mutex_);
    if (is_stopping_ || tasks_.size() >= kPasswordQueueMax) return false;
    tasks_.push_back(std::move(task));
    has_work_.notify_one();
    return true;
}

void PasswordThread::stop() {
    {
        const std::lock_guard lock(mutex_);
        is_stopping_ = true;
        has_work_.notify_one();
    }
    if (thread_.joinable()) thread_.join();
}

void PasswordThread::run() {
    for (;;) {
        engine::PasswordTask task;
        {
            std::unique_lock lock(mutex_);
            has_work_.wait(lock, [this] { return is_stopping_ || !tasks_.empty(); });
            if (is_stopping_) return;
            task = std::move(tasks_.front());
            tasks_.pop_front();
        }
        engine::PasswordChecked checked = compute(task);
        crypto::wipe({reinterpret_cast<uint8_t*>(task.password.data()), task.password.size()});
        deliver_(context_, task.worker, std::move(checked));
    }
}

}  // namespace knuckle::app
