// SPDX-License-Identifier: GPL-3.0-or-later
// A program that a test runs: its output lies in a file, and it ends with the test at the latest.
//
//     Process process({KNUCKLE_BINARY, "serve", ...}, dir / "output");
//     process.signal(SIGTERM);
//     process.wait(seconds(10)) == 0                    nullopt: still running
//
// And eventually(): waits for what another process will do, without waiting longer than needed.
// Thread: one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/time.h"

namespace knuckle::test {

enum class As { ourselves, nobody };

class Process {
public:
    // stdout and stderr go to the file `output`, which is appended to. Only root can start a
    // program as nobody.
    Process(const std::vector<std::string>& words, std::string output, As as = As::ourselves);
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process();

    void signal(int number) const;
    // The exit status, or 128 and the number of the signal that ended it.
    std::optional<int> wait(Duration limit);
    [[nodiscard]] bool is_running();
    [[nodiscard]] pid_t pid() const { return pid_; }
    // What it has written so far.
    [[nodiscard]] std::string output() const;

private:
    pid_t pid_ = -1;
    std::string output_;
    std::optional<int> status_;
};

// Memory that a process has for itself, which no file and no other process stands for: what grows
// when something leaks.
[[nodiscard]] int64_t anonymous_kib(pid_t pid);
[[nodiscard]] int64_t open_descriptors(pid_t pid);

void pause_for(Duration time);
[[nodiscard]] Instant monotonic_now();

// True as soon as `is_so()` is; false if it was not for as long as the limit.
template <typename Predicate>
bool eventually(Predicate is_so, Duration limit = seconds(20)) {
    const Instant deadline = monotonic_now() + limit;
    while (!is_so()) {
        if (monotonic_now() >= deadline) return is_so();
        pause_for(milliseconds(2));
    }
    return true;
}

}  // namespace knuckle::test
