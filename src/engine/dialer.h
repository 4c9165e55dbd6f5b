// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps the connections to the providers: dials at the start and when a fleet wants more, hands the
// lanes' pushes to them, replaces what drains, and says so when a lane becomes or ceases to be
// ready.
//
//     dialer.start(now)
//     dialer.find(id), dialer.on_connected / on_received / on_closed
//     dialer.flush(now)                     once per turn: take jobs, encode, seal, send
//     dialer.on_timer(timer, now)
//
// A lane has two fleets (engine/fleet.h), for proven and for unproven device tokens. A connection
// that breaks, or is sent away, before it has done anything worth its making counts as a failed
// dial, because APNs treats churn as an attack (providers.md A.5).
// Owner: engine::Worker.  Thread: its worker's.
#pragma once

#include <cstdint>
#include <vector>

#include "base/list.h"
#include "base/pool.h"
#include "base/timers.h"
#include "engine/conn_table.h"
#include "engine/core.h"
#include "engine/fleet.h"
#include "engine/upstream.h"
#include "io/io.h"
#include "push/apns.h"

namespace knuckle::engine {

class Knocks;

// What a connection must have done to be worth its making: lived so long, or answered so many.
inline constexpr Duration kStableTime = seconds(10);
inline constexpr uint64_t kStableAnswers = 50;
// Connections of a lane that only drain, at once.
inline constexpr size_t kDrainingMax = 4;

// All that a worker may have open.
[[nodiscard]] constexpr size_t upstreams_max(const Options& options) {
    return options.lanes.size() * (options.upstreams_max + 1 + kDrainingMax);
}

class Dialer {
public:
    Dialer(Core& core, Knocks& knocks);
    ~Dialer();
    Dialer(const Dialer&) = delete;
    Dialer& operator=(const Dialer&) = delete;

    void start(Now now);
    [[nodiscard]] Upstream* find(io::ConnId id) const { return table_.find(id); }
    void on_connected(Upstream& upstream, Now now);
    void on_received(Upstream& upstream, ByteView bytes, Now now);
    void on_closed(Upstream& upstream, Error why, Now now);
    // TimerKind::upstream and TimerKind::fleet.
    void on_timer(Timer& timer, Now now);
    void flush(Now now);
    // The last thing before the loop stops: goodbye to all.
    void end(Now now);

private:
    struct Readiness {
        bool is_ready = false;
        bool was_reported = false;
    };

    [[nodiscard]] Fleet& fleet_of(const Upstream& upstream);
    void tend(Fleet& fleet, Now now);
    void dial(Fleet& fleet, Now now);
    void lose(Upstream& upstream, Error why, Now now);
    void replace(Upstream& upstream, Now now);
    void retire(Upstream& upstream, Now now);
    void leave_fleet(Upstream& upstream);
    [[nodiscard]] static bool is_stable(const Upstream& upstream, Now now);
    void follow(Fleet& fleet, bool was_stable, Error why, Now now);
    void drop(Upstream& upstream, Now now);
    void set_ready(const Fleet& fleet, bool is_ready, Error why);
    void count();
    void arm(Upstream& upstream);
    void touch(Upstream& upstream);
    [[nodiscard]] bool hand_out(Fleet& fleet, Now now);
    void flush(Upstream& upstream, Now now);

    Core& core_;
    Knocks& knocks_;
    push::apns::Decoder decoder_;
    std::vector<Fleet> fleets_;  // by lane, and in it by trust
    std::vector<Readiness> lanes_;
    Pool<Upstream> upstreams_;
    ConnTable<Upstream> table_;
    List<Upstream, &Upstream::dirty_link> dirty_;
    bool has_ended_ = false;
};

}  // namespace knuckle::engine
