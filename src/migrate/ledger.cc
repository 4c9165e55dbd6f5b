// SPDX-License-Identifier: GPL-3.0-or-later
#include "migrate/ledger.h"

#include <algorithm>

namespace knuckle::migrate {

void Ledger::note(Source source, Fate fate, uint64_t line) {
    Entry& entry = entries_[static_cast<size_t>(source)][static_cast<size_t>(fate)];
    if (entry.count < kLinesNamedMax) entry.lines[entry.count] = line;
    ++entry.count;
}

uint64_t Ledger::rows(Source source) const {
    uint64_t sum = 0;
    for (const Entry& entry : entries_[static_cast<size_t>(source)]) sum += entry.count;
    return sum;
}

uint64_t Ledger::skipped(Source source) const {
    return rows(source) - count(source, Fate::imported) - count(source, Fate::already_there);
}

uint64_t Ledger::rows() const {
    uint64_t sum = 0;
    for (size_t i = 0; i < kSourceCount; ++i) sum += rows(static_cast<Source>(i));
    return sum;
}

std::span<const uint64_t> Ledger::lines(Source source, Fate fate) const {
    const Entry& found = entry(source, fate);
    return std::span(found.lines).first(std::min<uint64_t>(found.count, kLinesNamedMax));
}

}  // namespace knuckle::migrate
