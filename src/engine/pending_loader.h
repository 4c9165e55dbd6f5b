// SPDX-License-Identifier: GPL-3.0-or-later
// Which of the rows that an earlier process left is read next, and when: oldest first, and only so
// many that there is room for pushes that are new. How fast they are sent is the lane's business
// (push/lane.h).
//
//     loader.begin(now)                  once: looks through the table, notes this worker's rows
//     if (loader.due() <= now.instant)
//         while (const PendingLoader::Row* row = loader.next(now)) {
//             ... read it, make a push of it, or clear it ...   loader.pop()
//         }
//     loader.rest(now)                   sets the next due()
//
// A row is noted by its key and its serial, so a table of any size may be left, and is sent over
// time. Each app has its own line, and its own share of the jobs that are made of rows: while its
// provider is away its rows wait, here or in their lane, and hold up nobody else's. Twins have one
// line, that of the first, because a row does not say on which of them its push will go.
// Rows that are worth nothing (of an app that is no more, or expired) come up at once.
// Owner: engine::Knocks.  Thread: its worker's.  Memory: 64 bytes for each row that is this
// worker's, until it has been read. Limits: kLoadedAtOnce rows a turn; half of the dispatcher's
// jobs, in equal shares of the apps that have rows at the start, at least one each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"
#include "base/uuid.h"
#include "engine/core.h"

namespace knuckle::engine {

// What one turn of the loop may be held up by: some milliseconds.
inline constexpr size_t kLoadedAtOnce = 256;
inline constexpr Duration kLoadEvery = milliseconds(20);
// When there is no room, or no provider.
inline constexpr Duration kLoadRetryAfter = seconds(1);

class PendingLoader {
public:
    struct Row {
        Uuid account;
        Uuid device;
        uint64_t serial = 0;
        uint64_t last_serial = 0;  // of all knocks that it stands for
        UnixTime accepted;
        UnixTime expires;
    };

    explicit PendingLoader(Core& core);

    // False: the table could not be read to its end.
    [[nodiscard]] bool begin(Now now);
    [[nodiscard]] size_t count() const { return count_; }

    [[nodiscard]] Instant due() const { return due_; }
    // nullptr: none for now.
    [[nodiscard]] const Row* next(Now now);
    // The row that next() has shown is done with.
    void pop();
    void rest(Now now);

private:
    struct Line {
        std::vector<Row> rows;
        size_t done = 0;

        [[nodiscard]] const Row* front() const {
            return done < rows.size() ? &rows[done] : nullptr;
        }
    };

    [[nodiscard]] size_t line_of(std::string_view app) const;
    [[nodiscard]] bool may_come(size_t line, Now now) const;

    Core& core_;
    std::vector<Line> lines_;  // by lane; the last one: what is worth nothing
    size_t share_ = 0;         // of each app: its jobs in our hands that were rows
    size_t shown_ = 0;         // the line that next() chose
    size_t taken_ = 0;         // in this turn
    Instant due_ = kNever;
    size_t count_ = 0;
};

}  // namespace knuckle::engine
