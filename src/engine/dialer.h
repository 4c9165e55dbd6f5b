// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps one usable connection to the provider on every lane: dials at the start, replaces what
// drains, backs off from what fails, and says so when a lane becomes or ceases to be ready.
//
//     dialer.start(now)
//     dialer.find(id), dialer.on_connected / on_received / on_closed
//     dialer.flush(now)                     once per turn: take jobs, encode, seal, send
//     dialer.on_timer(timer, now)
//
// One dial at a time per lane. After a failure it waits kBackoffFirst, doubled each time up to
// kBackoffMax, with jitter; a connection that breaks, or is sent away, within kStableTime counts as
// a failure too, because APNs treats churn as an attack (providers.md A.5).
// Owner: engine::Worker.  Thread: its worker's.
#pragma once

#include <cstdint>
#include <vector>

#include "base/list.h"
#include "base/pool.h"
#include "base/timers.h"
#include "engine/conn_table.h"
#include "engine/core.h"
#include "engine/upstream.h"
#include "io/io.h"
#include "push/apns.h"

namespace knuckle::engine {

class Knocks;

inline constexpr Duration kBackoffFirst = seconds(1);
inline constexpr Duration kBackoffMax = seconds(60);
inline constexpr Duration kStableTime = seconds(10);
inline constexpr size_t kUpstreamsPerLaneMax = 4;  // one that takes jobs, the others drain

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
    // TimerKind::upstream and TimerKind::lane.
    void on_timer(Timer& timer, Now now);
    void flush(Now now);
    // The last thing before the loop stops: goodbye to all.
    void end(Now now);

private:
    struct LaneState {
        Timer timer;                  // back-off
        Upstream* current = nullptr;  // dialing or ready; nullptr while backing off
        uint32_t failures = 0;
        uint16_t lane = 0;
        bool is_ready = false;
        bool was_reported = false;
    };

    void dial(LaneState& lane, Now now);
    void back_off(LaneState& lane, Now now);
    void lose(Upstream& upstream, Error why, Now now);
    void replace(Upstream& upstream, Now now);
    [[nodiscard]] static bool is_stable(const Upstream& upstream, Now now);
    void dial_next(LaneState& lane, bool was_stable, Error why, Now now);
    void drop(Upstream& upstream, Now now);
    void set_ready(LaneState& lane, bool is_ready, Error why);
    void arm(Upstream& upstream);
    void touch(Upstream& upstream);
    void flush(Upstream& upstream, Now now);

    Core& core_;
    Knocks& knocks_;
    push::apns::Decoder decoder_;
    std::vector<LaneState> lanes_;
    Pool<Upstream> upstreams_;
    ConnTable<Upstream> table_;
    List<Upstream, &Upstream::dirty_link> dirty_;
    bool has_ended_ = false;
};

}  // namespace knuckle::engine
