// SPDX-License-Identifier: GPL-3.0-or-later
// How many pending rows there are, how large, and how old the oldest is, so that the table has a
// limit and the operator can see it.
//
//     ledger.put(row)          at the start, for each row there is;  then ledger.keep()
//     ledger.has_room(row, old)                  before one is put, in the place of another or not
//     ledger.put(row)  ledger.erase(row)         as a transaction goes on
//     ledger.keep() or ledger.forget()           as it ends
//
// Exact, because only the committer puts and erases rows, and it counts them when it begins,
// however the process before it ended.
// Owner: Committer.  Thread: the committer's; counts() any.  Memory: one entry for each second in
// which a row was accepted, at most one for each row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "base/time.h"
#include "metrics/counter.h"

namespace knuckle::store {

struct PendingLimits {
    size_t rows_max = 100'000;
    size_t bytes_max = 100'000'000;  // keys and values
};

// All of them gauges.
struct PendingCounts {
    metrics::Counter rows;
    metrics::Counter bytes;
    metrics::Counter oldest;  // when it was accepted, in seconds since 1970; 0 if there is none
};

class PendingLedger {
public:
    struct Row {
        size_t size = 0;      // key and value
        UnixTime accepted{};  // 1970: nobody knows, the row is damaged
    };

    explicit PendingLedger(const PendingLimits& limits) : limits_(limits) {}

    // A row without size is none.
    [[nodiscard]] bool has_room(const Row& row, const Row& old) const;
    void put(const Row& row);
    void erase(const Row& row);
    // What has happened since the last keep() is on disk, or it is not.
    void keep();
    void forget();

    [[nodiscard]] const PendingCounts& counts() const { return counts_; }

private:
    struct Change {
        int64_t second = 0;
        bool is_put = false;
    };

    const PendingLimits limits_;
    size_t rows_ = 0;  // with the changes that are not kept yet
    size_t bytes_ = 0;
    std::vector<Change> changes_;
    std::map<int64_t, size_t> rows_by_second_;
    PendingCounts counts_;
};

}  // namespace knuckle::store
