// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/lane_board.h"

#include <algorithm>

#include "app/describe.h"
#include "base/log.h"

namespace knuckle::app {

void LaneBoard::reset(const engine::Options& options) {
    lanes_.clear();
    for (const engine::LaneOptions& lane : options.lanes) {
        lanes_.push_back({lane.name,
                          lane.endpoint.text(),
                          std::vector<State>(options.workers),
                          State::unknown,
                          {},
                          {}});
    }
}

// Failed if one worker failed, ready when all are; unknown until the last has said something.
LaneBoard::State LaneBoard::combine(const Lane& lane) {
    const auto has = [&](State state) {
        return std::find(lane.workers.begin(), lane.workers.end(), state) != lane.workers.end();
    };
    if (has(State::failed)) return State::failed;
    return has(State::unknown) ? State::unknown : State::ready;
}

void LaneBoard::update(const engine::LaneReport& report) {
    Lane& lane = lanes_[report.lane];
    lane.workers[report.worker] = report.is_ready ? State::ready : State::failed;
    if (!report.is_ready) {
        lane.why = report.why;
        lane.reason = report.reason;
    }
    const State state = combine(lane);
    if (state == lane.state || state == State::unknown) return;
    lane.state = state;
    if (state == State::ready) {
        log::notice("provider_ready").field("app", lane.name).field("endpoint", lane.endpoint);
    } else {
        log::Line line = log::warning("provider_unavailable");
        line.field("app", lane.name)
            .field("endpoint", lane.endpoint)
            .field("error", describe(lane.why));
        if (!report.reason.empty()) line.field("reason", report.reason);
    }
}

std::string LaneBoard::problems() const {
    std::string text;
    for (const Lane& lane : lanes_) {
        const State state = combine(lane);
        if (state == State::ready) continue;
        text += "app " + lane.name + ": provider " + lane.endpoint + " is not ready";
        text += state == State::failed ? ": " + describe(lane.why) : " yet";
        if (state == State::failed && !lane.reason.empty()) text += ", " + lane.reason;
        text += "\n";
    }
    return text;
}

}  // namespace knuckle::app
