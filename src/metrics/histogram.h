// SPDX-License-Identifier: GPL-3.0-or-later
// How long things took, in buckets whose bounds are fixed: 1, 2, 5 times each power of ten, from 50
// microseconds (a provider on the same machine) to 10 seconds (a push is given up).
//
//     histogram.add(now.instant - started)      one writer; no lock, no allocation
//     histogram.bucket(i), histogram.sum_ns()   any thread; buckets are not cumulative
//
// A reader may see a bucket counted and the sum not yet: they agree as soon as the writer rests.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "metrics/counter.h"

namespace knuckle::metrics {

class Histogram {
public:
    // Each is the longest duration that its bucket counts.
    static constexpr std::array<Duration, 17> kBounds{microseconds(50),
                                                      microseconds(100),
                                                      microseconds(200),
                                                      microseconds(500),
                                                      milliseconds(1),
                                                      milliseconds(2),
                                                      milliseconds(5),
                                                      milliseconds(10),
                                                      milliseconds(20),
                                                      milliseconds(50),
                                                      milliseconds(100),
                                                      milliseconds(200),
                                                      milliseconds(500),
                                                      seconds(1),
                                                      seconds(2),
                                                      seconds(5),
                                                      seconds(10)};
    // The last one counts what is longer than every bound.
    static constexpr size_t kBucketCount = kBounds.size() + 1;

    // A negative duration counts as none.
    void add(Duration duration) {
        const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), duration);
        buckets_[static_cast<size_t>(bound - kBounds.begin())].add();
        sum_ns_.add(static_cast<uint64_t>(std::max<int64_t>(duration.ns, 0)));
    }

    [[nodiscard]] uint64_t bucket(size_t index) const { return buckets_[index].get(); }
    [[nodiscard]] uint64_t sum_ns() const { return sum_ns_.get(); }

private:
    std::array<Counter, kBucketCount> buckets_;
    Counter sum_ns_;
};

}  // namespace knuckle::metrics
