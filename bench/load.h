// SPDX-License-Identifier: GPL-3.0-or-later
// Many knocks at once over keep-alive connections: at a fixed rate (open loop, latency from the
// moment a knock was *due*, so a gateway that stalls cannot hide it), or as many as will go.
//
//     Load load({.port = port, .connections = 64, .token = token_of});
//     Sample sample = load.run({.rate = 2'000, .duration = seconds(10)});
//
// A knock without a free connection waits for one, and its latency goes on. One thread; no
// allocation per knock in the steady state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "base/time.h"

namespace knuckle::bench {

struct LoadOptions {
    uint16_t port = 0;
    size_t connections = 64;
    // The token of the n-th knock, 40 characters.
    std::function<std::string(uint64_t)> token;
};

struct Pace {
    uint64_t rate = 0;  // knocks a second; 0: each connection knocks as soon as it was answered
    Duration duration;
};

// What was seen of the knocks that were due in one run.
struct Sample {
    uint64_t answered = 0;  // with 202
    uint64_t refused = 0;   // with anything else
    Duration duration;
    std::vector<int64_t> latencies_ns;

    // In microseconds; `part` from 0 to 1.
    [[nodiscard]] double percentile_us(double part);
};

class Load {
public:
    explicit Load(LoadOptions options);
    ~Load();
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    // Ends when all that were due are answered. Throws when a connection breaks.
    Sample run(const Pace& pace);

private:
    struct Conn {
        int fd = -1;
        int64_t due_ns = 0;
        bool is_waiting = false;
        std::string out;
        size_t token_at = 0;
        std::string in;
    };

    void knock(Conn& conn, int64_t due_ns);
    // True: a whole answer came.
    bool read(Conn& conn, Sample& sample);

    LoadOptions options_;
    uint64_t next_ = 0;
    int epoll_ = -1;
    std::vector<Conn> conns_;
    std::deque<size_t> idle_;  // the one that rested longest first: none rests until it is closed
};

// User and system time of a process so far.
[[nodiscard]] Duration cpu_time_of(int pid);
// A line of /proc/PID/smaps_rollup or status, in KiB; 0 if there is none.
[[nodiscard]] uint64_t memory_kib_of(int pid, const char* file, const char* line);

[[nodiscard]] double median(std::vector<double> values);

}  // namespace knuckle::bench
