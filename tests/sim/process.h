// SPDX-License-Identifier: GPL-3.0-or-later
// One life of the gateway: its workers, the letters between them, and the one who commits.
//
//     Process process(events, swarm, network, disk, book, life)
//     process.start()
//     process.wake()                each turn: deadlines, before_wait()
//     process.drain()               SIGTERM; is_over() some time later
//     process.crash()               kill -9: what is not on disk is gone
//
// Owner: World; lives as long as the world, because events may still name it. Thread: one.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/buffer.h"
#include "crypto/jwt.h"
#include "engine/options.h"
#include "engine/outbox.h"
#include "engine/worker.h"
#include "metrics/counters.h"
#include "tests/sim/book.h"
#include "tests/sim/disk.h"
#include "tests/sim/events.h"
#include "tests/sim/network.h"
#include "tests/sim/swarm.h"

namespace knuckle::sim {

class Process {
public:
    Process(Events& events, Swarm& swarm, Network& network, Disk& disk, Book& book, Trace& trace);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    void start();
    void wake();
    [[nodiscard]] Instant next_deadline() const;
    void drain();
    void crash();

    // A worker that takes connections, or nullptr.
    [[nodiscard]] Seat* pick_seat();
    [[nodiscard]] Seat& seat(uint32_t worker);
    [[nodiscard]] bool is_over() const { return is_over_; }
    [[nodiscard]] bool is_draining() const { return is_draining_; }
    [[nodiscard]] bool is_ready() const;  // every lane of every worker
    [[nodiscard]] uint64_t sum(uint64_t (*of)(const metrics::Counters&)) const;

private:
    class Desk;

    void commit();
    void schedule_commit();
    void deliver_commits(const std::vector<store::Committed>& done);
    void on_drained();
    void end();

    Events& events_;
    Swarm& swarm_;
    Network& network_;
    Disk& disk_;
    Book& book_;
    Trace& trace_;
    engine::Options options_;
    std::vector<std::unique_ptr<Desk>> desks_;
    std::vector<store::Write> writes_;
    Instant broken_until_{};
    bool is_commit_scheduled_ = false;
    bool is_draining_ = false;
    bool is_over_ = false;
};

}  // namespace knuckle::sim
