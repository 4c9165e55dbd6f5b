// SPDX-License-Identifier: GPL-3.0-or-later
// What happened in a simulated world, line by line: hashed, so that two runs of a seed can be
// compared; the last lines kept, so that a failure can be read; printed, if somebody follows along.
//
//     trace.note("conn %llu: %zu bytes", number, size);     the time is put in front
//
// A line holds nothing that differs from run to run: no address, no clock, no file name.
// Owner: one run.  Thread: one.  Limit: kLinesKept lines of kLineMax bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace knuckle::sim {

class Trace {
public:
    static constexpr size_t kLinesKept = 60;
    static constexpr size_t kLineMax = 240;

    explicit Trace(bool is_printed);

    [[gnu::format(printf, 2, 3)]] void note(const char* format, ...);
    void advance_to(Instant now) { now_ = now; }

    [[nodiscard]] uint64_t hash() const { return hash_; }
    [[nodiscard]] uint64_t lines() const { return lines_; }
    void show_last(std::FILE* to) const;

private:
    bool is_printed_;
    Instant now_{};
    uint64_t hash_ = 0xcbf29ce484222325;
    uint64_t lines_ = 0;
    std::vector<std::string> kept_;
};

}  // namespace knuckle::sim
