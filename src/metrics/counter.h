// SPDX-License-Identifier: GPL-3.0-or-later
// A number with one writer and any number of readers, at any time. An addition is a load and a
// store without a lock prefix, which is why a second writer would lose counts.
#pragma once

#include <atomic>
#include <cstdint>

namespace knuckle::metrics {

class Counter {
public:
    void add(uint64_t n = 1) {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    void set(uint64_t n) { value_.store(n, std::memory_order_relaxed); }
    [[nodiscard]] uint64_t get() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<uint64_t> value_{0};
};

}  // namespace knuckle::metrics
