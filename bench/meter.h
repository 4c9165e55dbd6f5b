// SPDX-License-Identifier: GPL-3.0-or-later
// What a piece of code costs: nanoseconds and allocations, summed over its calls.
//
//     Meter meter;
//     meter.measure(tally, [&] { ... });     Tally: sums, since it was last taken
//
// The time that reading the clock takes is left out. Allocations are those of this thread, known
// only when allocations.so is loaded before the program (LD_PRELOAD).
#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <dlfcn.h>
#include <utility>

namespace knuckle::bench {

struct Tally {
    uint64_t calls = 0;
    int64_t ns = 0;
    uint64_t allocations = 0;
};

class Meter {
public:
    Meter() {
        count_ = reinterpret_cast<Count>(::dlsym(RTLD_DEFAULT, "knuckle_allocations"));
        int64_t least = INT64_MAX;
        for (int i = 0; i < 10'000; ++i) {
            const int64_t begin = clock_ns();
            least = std::min(least, clock_ns() - begin);
        }
        clock_cost_ = least;
    }

    [[nodiscard]] bool counts_allocations() const { return count_ != nullptr; }

    template <typename Work>
    void measure(Tally& tally, Work&& work) const {
        const uint64_t allocations = count_ != nullptr ? count_() : 0;
        const int64_t begin = clock_ns();
        std::forward<Work>(work)();
        tally.ns += clock_ns() - begin - clock_cost_;
        ++tally.calls;
        if (count_ != nullptr) tally.allocations += count_() - allocations;
    }

private:
    using Count = uint64_t (*)();

    static int64_t clock_ns() {
        timespec time{};
        ::clock_gettime(CLOCK_MONOTONIC, &time);
        return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
    }

    Count count_ = nullptr;
    int64_t clock_cost_ = 0;
};

}  // namespace knuckle::bench
