// SPDX-License-Identifier: GPL-3.0-or-later
// One run of the simulator: everything in it comes from the seed.
//
//     World world(seed, is_printed);
//     bool went_well = world.run();       then failure(), hash(), trace(), describe()
//
// First a storm: knocks come while what the swarm drew goes wrong, and the process may die and
// begin again. Then calm: faults stop, and within kCalmMax every promise must be kept. Then
// everybody registers and knocks at every worker, after which every lane must be in order. Then the
// process is stopped and started once more, and must find nothing left to do.
// Owner: main.  Thread: one.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "tests/sim/book.h"
#include "tests/sim/clients.h"
#include "tests/sim/disk.h"
#include "tests/sim/events.h"
#include "tests/sim/network.h"
#include "tests/sim/process.h"
#include "tests/sim/provider.h"
#include "tests/sim/swarm.h"
#include "tests/sim/trace.h"

namespace knuckle::sim {

// Longer than the longest wait between two tries of a push, and than any limit makes a knock wait.
inline constexpr Duration kCalmMax = hours(4);

class World {
public:
    World(uint64_t seed, bool is_printed);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    [[nodiscard]] bool run();

    [[nodiscard]] const std::string& failure() const { return book_.failure(); }
    [[nodiscard]] const Trace& trace() const { return trace_; }
    [[nodiscard]] std::string describe() const { return swarm_.describe(); }
    [[nodiscard]] size_t pushes() const { return book_.pushes(); }

private:
    void begin_life();
    void storm();
    void act();
    void trouble();
    void jump(Duration by);
    void calm();
    void say_good_morning();
    void check_calm();
    void stop_process();
    // Until `done` says so, or for so long.
    void run_until(Instant end, const std::function<bool()>& done);
    void turn(Instant limit);

    Trace trace_;
    Swarm swarm_;
    Events events_;
    Disk disk_;
    Book book_;
    Network network_;
    Provider provider_;
    std::deque<std::unique_ptr<Process>> lives_;
    Clients clients_;
    Process* process_ = nullptr;  // nullptr: between two
    uint32_t knocks_left_;
    Instant last_turn_{};
    uint64_t turns_at_once_ = 0;
};

}  // namespace knuckle::sim
