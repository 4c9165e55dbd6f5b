// SPDX-License-Identifier: GPL-3.0-or-later
// When each device's push arrived, in memory that the simulated APNs and the load generator share:
// a knock's latency is measured on one clock, and no protocol carries a stamp.
//
//     Arrivals arrivals = Arrivals::create(path, devices);       mock_apns, before it listens
//     Arrivals arrivals = Arrivals::open(path);                  load
//
// A device's number is in the first 16 hexadecimal digits of its registration (device_text). The
// mock writes, the generator reads; a generator that knocks for one device again before it was
// answered sees the later stamp. Throws std::runtime_error.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace knuckle::bench {

struct Arrival {
    std::atomic<int64_t> headers_ns;  // the header block was read
    std::atomic<int64_t> end_ns;      // the whole request was read
    std::atomic<uint64_t> count;      // whole requests
};

class Arrivals {
public:
    static Arrivals create(const std::string& path, size_t devices);
    static Arrivals open(const std::string& path);
    Arrivals(Arrivals&& other) noexcept
        : table_(std::exchange(other.table_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Arrivals& operator=(Arrivals&&) = delete;
    ~Arrivals();

    [[nodiscard]] size_t size() const { return size_; }
    [[nodiscard]] Arrival& operator[](size_t device) { return table_[device]; }
    // All pushes, those for devices that are in no table too.
    [[nodiscard]] std::atomic<uint64_t>& total() { return table_[size_].count; }

private:
    Arrivals(const std::string& path, int flags, size_t devices);

    Arrival* table_ = nullptr;
    size_t size_ = 0;
};

// CLOCK_MONOTONIC.
[[nodiscard]] int64_t now_ns();

// 64 digits; what they begin with is the number.
[[nodiscard]] std::string device_text(uint64_t number);
// The number that a registration or a path's last part begins with; SIZE_MAX if there is none.
[[nodiscard]] size_t device_number(std::string_view registration);

}  // namespace knuckle::bench
