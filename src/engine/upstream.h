// SPDX-License-Identifier: GPL-3.0-or-later
// One HTTP/2 connection to a provider: jobs in, answers out. Over TLS, but for the simulator: where
// LaneOptions::tls is nullptr, the provider's first bytes take the place of the handshake.
//
// dialing -> shaking_hands -> ready -> draining (GOAWAY came, answers may still) -> gone. Dialer
// decides when to make and when to replace one; this class only lives its life.
// Owner: engine::Dialer.  Thread: its worker's.
// Invariant: `in_flight` holds exactly the jobs that have a stream here; whatever ends the
// connection hands each of them back with an outcome.
#pragma once

#include <cstdint>
#include <memory>

#include "base/buffer.h"
#include "base/list.h"
#include "base/timers.h"
#include "engine/core.h"
#include "http2/session.h"
#include "io/io.h"
#include "push/apns.h"
#include "push/dispatcher.h"
#include "tls/engine.h"

namespace knuckle::engine {

class Knocks;

inline constexpr Duration kDialTimeout = seconds(10);  // name, TCP and TLS together
inline constexpr size_t kUpstreamUnsentMax = 1024 * 1024;

enum class UpstreamState : uint8_t { dialing, shaking_hands, ready, draining };

class Upstream {
public:
    Upstream(Core& core, uint16_t lane, Instant now);
    ~Upstream();
    Upstream(const Upstream&) = delete;
    Upstream& operator=(const Upstream&) = delete;

    // Starts to connect. False: no connection can be had at all.
    [[nodiscard]] bool dial();
    Result<void> on_connected(Now now);
    // An error means that the connection is of no more use: end() it.
    Result<void> on_received(ByteView bytes, Knocks& knocks, push::apns::Decoder& decoder, Now now);

    // Moves jobs from the lane to free streams, as many as there are.
    void take_jobs(Knocks& knocks, Now now);
    // Sends what the session has to say.
    Result<void> flush();
    // Takes no more jobs; those in flight may still be answered.
    void stop_taking() { state_ = UpstreamState::draining; }
    // Gives up the pushes whose answer is overdue.
    void give_up_overdue(Knocks& knocks, Now now);
    // Says goodbye, closes, and hands back what was in flight: its fate is not known.
    void end(Knocks& knocks, Now now);

    [[nodiscard]] io::ConnId id() const { return id_; }
    [[nodiscard]] uint16_t lane() const { return lane_; }
    [[nodiscard]] UpstreamState state() const { return state_; }
    [[nodiscard]] bool is_idle() const { return in_flight_.is_empty(); }
    [[nodiscard]] bool wants_replacement() const;
    [[nodiscard]] size_t streams_max() const { return session_.streams_max(); }
    [[nodiscard]] Instant overdue_at() const;
    [[nodiscard]] Instant dialed() const { return dialed_; }
    // Nothing at all has come since the oldest unanswered push went out, and that is overdue: a
    // dead link.
    [[nodiscard]] bool is_silent(Now now) const;

    Link dirty_link;
    Timer timer;  // the dial's deadline, then the oldest answer's

private:
    Result<void> read(ByteView plain, Knocks& knocks, push::apns::Decoder& decoder, Now now);
    void read_events(Knocks& knocks, push::apns::Decoder& decoder, Now now);
    void on_response(const http2::Event& event,
                     Knocks& knocks,
                     push::apns::Decoder& decoder,
                     Now now);
    [[nodiscard]] bool is_open() const;
    [[nodiscard]] push::Job& job_of(const http2::Event& event);
    void hand_back(push::Job& job, push::Outcome outcome, Knocks& knocks, Now now);

    Core& core_;
    const LaneOptions& options_;
    uint16_t lane_;
    UpstreamState state_ = UpstreamState::dialing;
    io::ConnId id_;
    Instant dialed_;
    Instant received_{};  // last sign of life
    Buffer plain_;
    Buffer sealed_;
    http2::Session session_;
    std::unique_ptr<tls::Engine> tls_;             // nullptr: not connected yet, or plain
    List<push::Job, &push::Job::link> in_flight_;  // oldest first
};

}  // namespace knuckle::engine
