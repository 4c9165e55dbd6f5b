// SPDX-License-Identifier: GPL-3.0-or-later
// What became of each row of an import, counted; of what was skipped also where it stands, the
// first few of each kind. Owner and thread: the caller's.  Memory: fixed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "migrate/reference.h"

namespace knuckle::migrate {

inline constexpr size_t kLinesNamedMax = 5;

class Ledger {
public:
    void note(Source source, Fate fate, uint64_t line);

    [[nodiscard]] uint64_t count(Source source, Fate fate) const {
        return entry(source, fate).count;
    }
    [[nodiscard]] uint64_t rows(Source source) const;
    [[nodiscard]] uint64_t skipped(Source source) const;
    [[nodiscard]] uint64_t rows() const;
    // Line numbers of the first that were skipped so.
    [[nodiscard]] std::span<const uint64_t> lines(Source source, Fate fate) const;

private:
    struct Entry {
        uint64_t count = 0;
        std::array<uint64_t, kLinesNamedMax> lines{};
    };

    [[nodiscard]] const Entry& entry(Source source, Fate fate) const {
        return entries_[static_cast<size_t>(source)][static_cast<size_t>(fate)];
    }

    std::array<std::array<Entry, kFateCount>, kSourceCount> entries_{};
};

}  // namespace knuckle::migrate
