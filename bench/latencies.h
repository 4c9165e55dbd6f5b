// SPDX-License-Identifier: GPL-3.0-or-later
// What the programs that make load have in common: when the next knock is due, and a histogram of
// what was seen (HdrHistogram: three significant digits, from a nanosecond to a minute), which
// prints itself as a member of a JSON object. Throws std::bad_alloc at set-up.
#pragma once

#include <cstdint>

#include "base/random.h"

struct hdr_histogram;

namespace knuckle::bench {

class Latencies {
public:
    Latencies();
    Latencies(const Latencies&) = delete;
    Latencies& operator=(const Latencies&) = delete;
    ~Latencies();

    void add(int64_t ns);
    // ,"name":{"count":..,"mean":..,"p50":..,...}, in microseconds
    void print(const char* name) const;

private:
    hdr_histogram* histogram_ = nullptr;
};

// The time between two arrivals that know nothing of each other.
[[nodiscard]] int64_t poisson_gap_ns(double rate, Random& random);

}  // namespace knuckle::bench
