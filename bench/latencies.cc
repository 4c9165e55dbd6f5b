// SPDX-License-Identifier: GPL-3.0-or-later
#include "bench/latencies.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <new>

#include <hdr/hdr_histogram.h>

namespace knuckle::bench {

Latencies::Latencies() {
    if (hdr_init(1, 60'000'000'000, 3, &histogram_) != 0) throw std::bad_alloc();
}

Latencies::~Latencies() { hdr_close(histogram_); }

void Latencies::add(int64_t ns) { hdr_record_value(histogram_, std::max<int64_t>(ns, 1)); }

void Latencies::print(const char* name) const {
    std::printf(",\"%s\":{\"count\":%lld,\"mean\":%.1f",
                name,
                static_cast<long long>(histogram_->total_count),
                histogram_->total_count != 0 ? hdr_mean(histogram_) / 1e3 : 0);
    for (const double percentile : {50.0, 90.0, 99.0, 99.9}) {
        std::printf(",\"p%g\":%.1f",
                    percentile,
                    static_cast<double>(hdr_value_at_percentile(histogram_, percentile)) / 1e3);
    }
    std::printf(",\"max\":%.1f}", static_cast<double>(hdr_max(histogram_)) / 1e3);
}

int64_t poisson_gap_ns(double rate, Random& random) {
    const double part = (static_cast<double>(random.next() >> 8 & 0xffffff) + 1) / 16'777'217.0;
    return static_cast<int64_t>(-std::log(part) * 1e9 / rate);
}

}  // namespace knuckle::bench
