// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cstdint>

#include <catch_amalgamated.hpp>

#include "metrics/histogram.h"

using namespace knuckle;
using metrics::Histogram;

namespace {

// The only bucket that has counted anything.
size_t bucket_of(Duration duration) {
    Histogram histogram;
    histogram.add(duration);
    size_t found = Histogram::kBucketCount;
    for (size_t i = 0; i < Histogram::kBucketCount; ++i) {
        if (histogram.bucket(i) == 0) continue;
        CHECK(histogram.bucket(i) == 1);
        CHECK(found == Histogram::kBucketCount);
        found = i;
    }
    return found;
}

}  // namespace

TEST_CASE("the bounds rise from 50 microseconds to 10 seconds", "[metrics]") {
    CHECK(std::is_sorted(Histogram::kBounds.begin(), Histogram::kBounds.end()));
    CHECK(Histogram::kBounds.front() == microseconds(50));
    CHECK(Histogram::kBounds.back() == seconds(10));
    for (size_t i = 1; i < Histogram::kBounds.size(); ++i) {
        const double step = static_cast<double>(Histogram::kBounds[i].ns) /
                            static_cast<double>(Histogram::kBounds[i - 1].ns);
        CHECK((step == 2.0 || step == 2.5));
    }
}

TEST_CASE("a duration is counted in the first bucket whose bound it does not exceed", "[metrics]") {
    CHECK(bucket_of(Duration{0}) == 0);
    for (size_t i = 0; i < Histogram::kBounds.size(); ++i) {
        CHECK(bucket_of(Duration{Histogram::kBounds[i].ns - 1}) == i);
        CHECK(bucket_of(Histogram::kBounds[i]) == i);
        CHECK(bucket_of(Duration{Histogram::kBounds[i].ns + 1}) == i + 1);
    }
    CHECK(bucket_of(hours(24)) == Histogram::kBounds.size());
    CHECK(bucket_of(Duration{INT64_MAX}) == Histogram::kBounds.size());
}

TEST_CASE("a clock that stepped back counts as no time at all", "[metrics]") {
    Histogram histogram;
    histogram.add(Duration{-1});
    histogram.add(Duration{INT64_MIN});
    CHECK(histogram.bucket(0) == 2);
    CHECK(histogram.sum_ns() == 0);
}

TEST_CASE("the sum is exact", "[metrics]") {
    Histogram histogram;
    histogram.add(Duration{1});
    histogram.add(milliseconds(250));
    histogram.add(seconds(30));
    CHECK(histogram.sum_ns() == 30'250'000'001);
}
