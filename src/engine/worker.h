// SPDX-License-Identifier: GPL-3.0-or-later
// One worker: everything that happens on one core, as a handler of events. It opens no socket,
// reads no clock and starts no thread; net/ or the simulator drives it.
//
//     Worker worker(options, world);
//     worker.start(now);                     once, before the first event
//     ... events of io::Handler, on_message() ...
//    after Message Drain: Outbox::drained() says that the loop may be stopped; then worker.end(now)
//
// Owner: app::Supervisor.  Thread: its loop's.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/buffer.h"
#include "base/time.h"
#include "crypto/random.h"
#include "engine/options.h"
#include "engine/outbox.h"
#include "io/io.h"
#include "metrics/counters.h"
#include "push/credential.h"
#include "store/env.h"

namespace knuckle::engine {

// What a worker lives in. All of it outlives the worker.
struct World {
    uint32_t worker = 0;  // its index
    io::Io& io;
    Outbox& outbox;
    ChunkPool& chunks;
    metrics::Counters& counters;
    const store::Env& env;
    UnixTime serial_epoch{};  // see engine/serials.h; the same for all workers
    uint64_t random_seed = 0;
    crypto::SecureRandom::Seed secret_seed{};
    std::vector<push::ProviderToken> provider_tokens;  // one per credential
    std::vector<push::Credential> credentials;         // worker 0 only: it renews them
};

class Worker final : public io::Handler {
public:
    Worker(const Options& options, World&& world);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void start(Now now);
    void on_message(Message&& message, Now now);
    // Closes what is left; the loop stops after this.
    void end(Now now);

    void on_accepted(io::ConnId id, size_t listener, const io::PeerAddress& peer, Now now) override;
    void on_connected(io::ConnId id, Now now) override;
    void on_received(io::ConnId id, MutableBytes bytes, Now now) override;
    void on_closed(io::ConnId id, Error why, Now now) override;
    void on_deadline(Now now) override;
    void before_wait(Now now) override;
    [[nodiscard]] Instant next_deadline() const override;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace knuckle::engine
