// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/serials.h"

#include <algorithm>

namespace knuckle::engine {

namespace {

constexpr uint64_t kPerMicrosecond = 256;

}  // namespace

UnixTime serial_epoch(store::Reader& reader, Now now) {
    uint64_t highest = 0;
    store::Snapshot snapshot = reader.snapshot();
    // Who takes the rows over says so if some cannot be read.
    static_cast<void>(snapshot.for_each_pending([&highest](const store::PendingRow& row) {
        highest = std::max(highest, row.last_serial());
    }));
    const int64_t begin =
        std::max(now.unix.us, static_cast<int64_t>(highest / kPerMicrosecond) + 1);
    return {begin - now.instant.ns / 1'000};
}

uint64_t Serials::make(Instant now, Duration deferral) {
    const Instant out = now + deferral;
    const uint64_t serial =
        static_cast<uint64_t>(epoch_.us + out.ns / 1'000) * kPerMicrosecond + worker_;
    if (deferral > Duration{}) return serial;
    last_ = std::max(last_ + kPerMicrosecond, serial);
    return last_;
}

}  // namespace knuckle::engine
