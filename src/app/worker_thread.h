// SPDX-License-Identifier: GPL-3.0-or-later
// One worker with its thread, its loop and its mailbox; and the binding of its Outbox to the rest
// of the process.
//
//     WorkerThread thread(office, options, seed);
//     thread.listen(fd, is_unix);  thread.start();
//     thread.post(letter);                    any thread
//     thread.post(Stop{});  thread.join();
//
// Owner: app::Supervisor.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <variant>
#include <vector>

#include "engine/outbox.h"
#include "engine/worker.h"
#include "metrics/counters.h"
#include "net/loop.h"
#include "net/mailbox.h"

namespace knuckle::app {

class WorkerThread;

// What the watchdog asks of each worker: to come round to it.
struct Ping {};
// Close everything and leave the loop.
struct Stop {};
using Letter = std::variant<engine::Message, Ping, Stop>;

// What a worker tells the supervisor.
struct Drained {
    uint32_t worker = 0;
};
struct TokenMinted {
    size_t credential = 0;
    UnixTime issued;
};
using Report = std::variant<engine::LaneReport, TokenMinted, Drained>;

// At most this many letters wait for a worker. Committed writes are the only ones that come in
// numbers, and the committer's queue is shorter.
inline constexpr size_t kLettersMax = 65'536;

// Where a worker's letters go; filled by the supervisor before any worker starts.
struct Office {
    std::vector<std::unique_ptr<WorkerThread>> workers;
    void* context = nullptr;
    bool (*submit_write)(void* context, store::Write&& write) = nullptr;
    bool (*submit_password)(void* context, engine::PasswordTask&& task) = nullptr;
    void (*report)(void* context, Report&& report) = nullptr;
};

class WorkerThread final : public engine::Outbox {
public:
    // `world` without what this class itself provides: io, outbox, chunks and counters.
    struct Seed {
        uint32_t index = 0;
        const store::Env& env;
        UnixTime serial_epoch{};
        uint64_t random_seed = 0;
        crypto::SecureRandom::Seed secret_seed{};
        std::vector<push::ProviderToken> provider_tokens;
        std::vector<push::Credential> credentials;
    };

    WorkerThread(Office& office, const engine::Options& options, Seed&& seed);
    ~WorkerThread();

    // Takes ownership of a bound socket; in the order of options.listeners.
    Result<void> listen(int fd, bool is_unix);
    void start();
    void post(Letter&& letter);
    void join();

    [[nodiscard]] const metrics::Counters& counters() const { return counters_; }
    [[nodiscard]] uint64_t pings_answered() const {
        return pings_answered_.load(std::memory_order_relaxed);
    }

    bool submit(store::Write&& write) override;
    bool submit(engine::PasswordTask&& task) override;
    void publish(size_t credential, const push::ProviderToken& token) override;
    void ask_token(size_t credential, push::TokenFault fault) override;
    void report(const engine::LaneReport& report) override;
    void drained() override;

private:
    void run();
    void open(Letter&& letter);

    Office& office_;
    const uint32_t index_;
    metrics::Counters counters_;
    net::Loop loop_;
    engine::Worker worker_;
    net::Mailbox<Letter> mailbox_;
    std::atomic<uint64_t> pings_answered_{0};
    bool has_started_ = false;
    std::thread thread_;
};

}  // namespace knuckle::app
