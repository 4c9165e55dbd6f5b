// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/worker_thread.h"

#include <utility>

#include "base/assert.h"
#include "engine/dialer.h"

namespace knuckle::app {

WorkerThread::WorkerThread(Office& office, const engine::Options& options, Seed&& seed)
    : office_(office),
      index_(seed.index),
      // Besides the clients' connections those that linger, and those to the providers, which must
      // be had when the house is full.
      loop_({.connections_max =
                 options.connections_max + net::kLingeringMax + engine::upstreams_max(options)}),
      worker_(options,
              engine::World{.worker = seed.index,
                            .io = loop_,
                            .outbox = *this,
                            .chunks = loop_.chunks(),
                            .counters = counters_,
                            .env = seed.env,
                            .serial_epoch = seed.serial_epoch,
                            .random_seed = seed.random_seed,
                            .secret_seed = seed.secret_seed,
                            .provider_tokens = std::move(seed.provider_tokens),
                            .credentials = std::move(seed.credentials)}),
      mailbox_(
          loop_,
          kLettersMax,
          [](void* self, Letter&& letter) {
              static_cast<WorkerThread*>(self)->open(std::move(letter));
          },
          this) {}

WorkerThread::~WorkerThread() {
    KNUCKLE_ASSERT(!thread_.joinable());
    if (has_started_) return;
    // Something else failed before the start: let the loop close what it has.
    mailbox_.close();
    loop_.stop();
    loop_.run(worker_);
}

Result<void> WorkerThread::listen(int fd, bool is_unix) { return loop_.listen(fd, is_unix); }

void WorkerThread::start() {
    has_started_ = true;
    thread_ = std::thread([this] { run(); });
}

void WorkerThread::join() {
    if (thread_.joinable()) thread_.join();
}

void WorkerThread::run() {
    worker_.start(loop_.now());
    loop_.run(worker_);
}

void WorkerThread::post(Letter&& letter) {
    const bool was_taken = mailbox_.post(std::move(letter));
    KNUCKLE_ASSERT(was_taken);  // see kLettersMax
}

void WorkerThread::open(Letter&& letter) {
    if (auto* const message = std::get_if<engine::Message>(&letter)) {
        if (std::holds_alternative<engine::Drain>(*message)) loop_.stop_accepting();
        worker_.on_message(std::move(*message), loop_.now());
    } else if (std::holds_alternative<Ping>(letter)) {
        pings_answered_.store(pings_answered_.load(std::memory_order_relaxed) + 1,
                              std::memory_order_relaxed);
    } else {
        worker_.end(loop_.now());
        mailbox_.close();
        loop_.stop();
    }
}

bool WorkerThread::submit(store::Write&& write) {
    return office_.submit_write(office_.context, std::move(write));
}

bool WorkerThread::submit(engine::PasswordTask&& task) {
    return office_.submit_password(office_.context, std::move(task));
}

void WorkerThread::publish(size_t credential, const push::ProviderToken& token) {
    for (const auto& worker : office_.workers) {
        if (worker.get() != this)
            worker->post(engine::Message(engine::ProviderTokenRenewed{credential, token}));
    }
    // After a restart the newest one counts, else there would be one more.
    if (!token.is_restored) office_.report(office_.context, TokenMinted{credential, token.issued});
}

void WorkerThread::ask_token(size_t credential, push::TokenFault fault) {
    office_.workers.front()->post(engine::Message(engine::ReplaceProviderToken{credential, fault}));
}

void WorkerThread::report(const engine::LaneReport& report) {
    office_.report(office_.context, report);
}

void WorkerThread::drained() { office_.report(office_.context, Drained{index_}); }

}  // namespace knuckle::app
