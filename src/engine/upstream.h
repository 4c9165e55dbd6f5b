// SPDX-License-Identifier: GPL-3.0-or-later
// One HTTP/2 connection to a provider: jobs in, answers out. Over TLS, but for the simulator: where
// LaneOptions::tls is nullptr, the provider's first bytes take the place of the handshake.
//
// dialing -> shaking_hands -> ready -> draining (GOAWAY came, answers may still) -> gone. Dialer
// decides when to make and when to replace one; this class only lives its life.
//
// Is the far end still there? With answers outstanding and nothing heard for kPingAfter a PING
// asks; so does one in front of the first push after kPingBeforeUse without a word, and one after
// each kPingWhenIdle. Whoever says nothing at all for kPingTimeout is gone (providers.md A.5).
// Owner: engine::Dialer.  Thread: its worker's.
// Invariant: `in_flight_` holds exactly the jobs that have a stream here; whatever ends the
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
inline constexpr Duration kPingAfter = seconds(2);
inline constexpr Duration kPingTimeout = seconds(3);
inline constexpr Duration kPingBeforeUse = seconds(60);
inline constexpr Duration kPingWhenIdle = hours(1);
// After so many times that pushes were overdue, with no answer between, or so many answers with
// status 500 in a row, it takes no more.
inline constexpr uint32_t kFailuresInARowMax = 2;
inline constexpr size_t kUpstreamUnsentMax = 1024 * 1024;

enum class UpstreamState : uint8_t { dialing, shaking_hands, ready, draining };

class Upstream {
public:
    Upstream(Core& core, uint16_t lane, push::Trust trust, Instant now);
    ~Upstream();
    Upstream(const Upstream&) = delete;
    Upstream& operator=(const Upstream&) = delete;

    // Starts to connect. False: no connection can be had at all.
    [[nodiscard]] bool dial();
    // An error, from any of these, means that the connection is of no more use: end() it.
    Result<void> on_connected(Now now);
    Result<void> on_received(ByteView bytes, Knocks& knocks, push::apns::Decoder& decoder, Now now);
    // At next_deadline(): gives up what is overdue, asks whether anybody is there.
    Result<void> on_deadline(Knocks& knocks, Now now);

    // A stream is free, and the provider reads.
    [[nodiscard]] bool can_send() const;
    // Puts a job on a free stream, or settles it if it cannot be sent at all.
    void send(push::Job& job, Knocks& knocks, Now now);
    // Hands over what the session has to say.
    Result<void> flush();
    // Takes no more jobs; those in flight may still be answered.
    void stop_taking() { state_ = UpstreamState::draining; }
    // Says goodbye, closes, and hands back what was in flight: its fate is not known.
    void end(Knocks& knocks, Now now);

    [[nodiscard]] io::ConnId id() const { return id_; }
    // As push::Job::failed_on has it.
    [[nodiscard]] uint64_t number() const { return uint64_t{id_.index} << 32 | id_.generation; }
    [[nodiscard]] uint16_t lane() const { return lane_; }
    [[nodiscard]] push::Trust trust() const { return trust_; }
    [[nodiscard]] UpstreamState state() const { return state_; }
    [[nodiscard]] bool is_idle() const { return in_flight_.is_empty(); }
    [[nodiscard]] size_t in_flight() const { return in_flight_.count(); }
    // The provider has not refused our credential here: all streams may be used.
    [[nodiscard]] bool is_trusted() const;
    [[nodiscard]] bool wants_replacement() const;
    // Its last answer was a 5xx.
    [[nodiscard]] bool is_failing() const { return is_failing_; }
    [[nodiscard]] size_t streams_max() const { return session_.streams_max(); }
    [[nodiscard]] Instant next_deadline() const;
    [[nodiscard]] Instant dialed() const { return dialed_; }
    [[nodiscard]] Instant used() const { return used_; }
    [[nodiscard]] uint64_t answers() const { return answers_; }

    Link dirty_link;
    Link fleet_link;
    Timer timer;  // due no later than next_deadline()

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
    [[nodiscard]] Instant overdue_at() const;
    [[nodiscard]] Instant ping_at() const;
    [[nodiscard]] bool is_gone(Now now) const;
    void give_up_overdue(Knocks& knocks, Now now);
    void ping(Now now);

    Core& core_;
    const LaneOptions& options_;
    uint16_t lane_;
    push::Trust trust_;
    UpstreamState state_ = UpstreamState::dialing;
    bool is_pinging_ = false;  // and nothing has been heard since
    bool is_failing_ = false;
    io::ConnId id_;
    Instant dialed_;
    Instant received_;  // last sign of life
    Instant pinged_{};
    Instant used_;  // the last push went out
    uint64_t answers_ = 0;
    uint32_t failures_in_a_row_ = 0;  // times that pushes were overdue, with no answer between
    uint32_t server_errors_ = 0;      // answers in a row with status 500
    Buffer plain_;
    Buffer sealed_;
    http2::Session session_;
    std::unique_ptr<tls::Engine> tls_;             // nullptr: not connected yet, or plain
    List<push::Job, &push::Job::link> in_flight_;  // oldest first
};

}  // namespace knuckle::engine
