// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/pending_row.h"

#include <algorithm>

namespace knuckle::store {

namespace {

// Is there still a push behind it that is to be seen?
bool is_to_be_seen(const Pending& row) {
    const bool is_settled = row.unseen_serial != 0 && row.unseen_serial == row.serial;
    return !row.is_background && !is_settled;
}

// `seen`, on which a push relies that nobody sees.
Pending relied_on(Pending seen, uint64_t unseen_serial, const Pending& unseen) {
    seen.unseen_serial = unseen_serial;
    seen.accepted = std::max(seen.accepted, unseen.accepted);
    seen.expires = std::max(seen.expires, unseen.expires);
    return seen;
}

}  // namespace

Pending row_after(const Pending& row, const PutPending& put) {
    const Pending& next = put.pending;
    if (!is_to_be_seen(row)) {
        if (next.serial >= row.serial) return next;
        return next.is_background ? row : relied_on(next, row.serial, row);
    }
    if (next.serial <= row.serial) return row;
    if (!next.is_background) {
        return row.unseen_serial > next.serial ? relied_on(next, row.unseen_serial, row) : next;
    }
    if (row.expires <= next.accepted) return next;
    return relied_on(row, std::max(row.unseen_serial, next.serial), next);
}

std::optional<Pending> row_after(const Pending& row, const ClearPending& clear) {
    if (clear.serial < row.serial) return row;
    if (!is_to_be_seen(row)) return std::nullopt;
    Pending after = row;
    if (clear.is_background) {
        if (clear.serial >= row.unseen_serial) after.unseen_serial = 0;
        return after;
    }
    if (clear.serial >= row.unseen_serial) return std::nullopt;
    after.serial = row.unseen_serial;
    return after;
}

}  // namespace knuckle::store
