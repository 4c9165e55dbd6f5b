// SPDX-License-Identifier: GPL-3.0-or-later
// What each worker last said about each lane, and one log line whenever a lane as a whole becomes
// or ceases to be ready.
// Owner: app::Supervisor.  Thread: the main one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/options.h"
#include "engine/outbox.h"

namespace knuckle::app {

class LaneBoard {
public:
    void reset(const engine::Options& options);
    void update(const engine::LaneReport& report);
    // One line for each lane that is not ready on every worker; empty when all are.
    [[nodiscard]] std::string problems() const;

private:
    enum class State : uint8_t { unknown, ready, failed };

    struct Lane {
        std::string name;
        std::string endpoint;
        std::vector<State> workers;
        State state = State::unknown;  // as last logged
        Error why;
        std::string reason;  // the provider's word
    };

    [[nodiscard]] static State combine(const Lane& lane);

    std::vector<Lane> lanes_;
};

}  // namespace knuckle::app
