// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/pending_loader.h"

#include <algorithm>

#include "base/assert.h"

namespace knuckle::engine {

namespace {

// Which worker takes a row over. The row alone tells, because while one worker reads the table
// another may already be clearing it.
uint32_t taker_of(const Uuid& device, uint32_t workers) {
    const auto& id = device.bytes;  // the end of it is random
    return (uint32_t{id[14]} << 8 | id[15]) % workers;
}

}  // namespace

PendingLoader::PendingLoader(Core& core) : core_(core), lines_(core.options.lanes.size() + 1) {}

size_t PendingLoader::line_of(std::string_view app) const {
    const std::vector<AppOptions>& apps = core_.options.apps;
    const auto found = std::find_if(
        apps.begin(), apps.end(), [&](const AppOptions& each) { return each.name == app; });
    const bool has_lane = found != apps.end() && found->lane != kNoLane;
    return has_lane ? found->lane : lines_.size() - 1;
}

bool PendingLoader::begin(Now now) {
    store::Snapshot snapshot = core_.reader.snapshot();
    const store::Lookup lookup = snapshot.for_each_pending([&](const store::PendingRow& row) {
        if (taker_of(row.device, core_.options.workers) != core_.worker) return;
        lines_[line_of(row.app)].rows.push_back(
            {row.account, row.device, row.serial, row.last_serial(), row.accepted, row.expires});
        ++count_;
    });
    for (Line& line : lines_) {
        std::sort(line.rows.begin(), line.rows.end(), [](const Row& a, const Row& b) {
            return a.accepted != b.accepted ? a.accepted < b.accepted : a.device < b.device;
        });
    }
    size_t apps = 0;
    for (size_t i = 0; i + 1 < lines_.size(); ++i) {
        if (lines_[i].front() != nullptr) ++apps;
    }
    const size_t room = (core_.dispatcher.jobs_max() + 1) / 2;
    share_ = std::max<size_t>(1, room / std::max<size_t>(1, apps));
    if (count_ > 0) due_ = now.instant;
    return lookup != store::Lookup::damaged;
}

bool PendingLoader::may_come(size_t line, Now now) const {
    const Row* const row = lines_[line].front();
    if (row == nullptr) return false;
    if (line + 1 == lines_.size() || row->expires <= now.unix) return true;
    const auto index = static_cast<uint16_t>(line);
    if (core_.dispatcher.left_count(index) >= share_) return false;
    const push::Lane& lane = core_.dispatcher.lane(index);
    // The row does not say on which of twins its push will go.
    const bool is_twin_open =
        lane.twin != push::kNoTwin && !core_.dispatcher.lane(lane.twin).is_stopped();
    return !lane.is_stopped() || is_twin_open;
}

const PendingLoader::Row* PendingLoader::next(Now now) {
    if (taken_ == kLoadedAtOnce) return nullptr;
    const Row* oldest = nullptr;
    for (size_t i = 0; i < lines_.size(); ++i) {
        if (!may_come(i, now)) continue;
        const Row* const row = lines_[i].front();
        if (oldest != nullptr && oldest->accepted <= row->accepted) continue;
        oldest = row;
        shown_ = i;
    }
    return oldest;
}

void PendingLoader::pop() {
    Line& line = lines_[shown_];
    KNUCKLE_ASSERT(line.front() != nullptr);
    ++taken_;
    --count_;
    if (++line.done == line.rows.size()) line = {};
}

void PendingLoader::rest(Now now) {
    const bool was_idle = taken_ == 0;
    taken_ = 0;
    due_ = kNever;
    if (count_ == 0) return;
    due_ = now.instant + (was_idle ? kLoadRetryAfter : kLoadEvery);
}

}  // namespace knuckle::engine
