// SPDX-License-Identifier: GPL-3.0-or-later
// The network between the gateway's workers and everybody else: an io::Io for each worker, wires
// with bytes under way in both directions, and everything that can befall them.
//
//     Seat seat(network, index);  seat.sit(worker)      a worker's place at the network
//     Wire* wire = network.call(seat, address, far)     somebody connects to that worker
//     network.say(wire, bytes)                          the far end speaks
//     network.hang_up(wire)                             after what it has said
//     network.cut(wire)                                 at once, in both directions
//     seat.die()                                        the process is gone; nothing it does counts
//
// The order of bytes is kept within a direction of a wire, nothing else is promised. What the
// worker sends passes its tap at once and the far end after a while.
// Owner: World.  Thread: one.  Wires live as long as the network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/result.h"
#include "base/time.h"
#include "io/io.h"
#include "tests/sim/events.h"
#include "tests/sim/swarm.h"
#include "tests/sim/tap.h"
#include "tests/sim/trace.h"

namespace knuckle::sim {

class Network;
class Seat;

// Whoever is at the other end of a wire from the gateway.
class FarEnd {
public:
    // The gateway's socket took these bytes, or ended; they are not here yet.
    virtual void on_sent(std::string_view bytes) = 0;
    // The gateway was handed bytes: so many of ours since the beginning.
    virtual void on_read(uint64_t bytes_total) = 0;
    virtual void on_bytes(std::string_view bytes) = 0;
    virtual void on_end() = 0;

protected:
    ~FarEnd() = default;
};

struct Direction {
    struct Piece {
        Instant due;
        std::string bytes;
    };
    std::deque<Piece> pieces;
    size_t size = 0;
    uint64_t delivered = 0;
    Instant last_due{};
    Instant frozen_until{};
    std::optional<Error> end;  // after the pieces
    Instant end_due{};
    bool is_ended = false;  // the end was told
};

struct Wire {
    uint64_t number = 0;
    io::ConnId id;
    Seat* seat = nullptr;  // nullptr once the gateway has no use for it
    FarEnd* far = nullptr;
    std::unique_ptr<Tap> tap;  // of HTTP/2
    Direction in;              // towards the gateway
    Direction out;
    size_t piece_max = SIZE_MAX;
    bool is_outgoing = false;
    bool is_up = false;
    bool is_paused = false;

    [[nodiscard]] bool is_stale() const { return seat == nullptr; }
};

// A worker's place at the network.
class Seat final : public io::Io {
public:
    Seat(Network& network, uint32_t index) : network_(network), index_(index) {}
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;

    void sit(io::Handler& handler) { handler_ = &handler; }
    // Its process is gone, and so are its connections.
    void die();

    io::ConnId connect(const io::Endpoint& endpoint) override;
    void send(io::ConnId id, Buffer& bytes) override;
    [[nodiscard]] size_t unsent(io::ConnId id) const override;
    void pause(io::ConnId id) override;
    void resume(io::ConnId id) override;
    void finish(io::ConnId id) override;
    void close(io::ConnId id) override;

    [[nodiscard]] io::Handler& handler() const { return *handler_; }
    [[nodiscard]] bool is_dead() const { return is_dead_; }
    [[nodiscard]] size_t wires_open() const;
    [[nodiscard]] uint32_t index() const { return index_; }

    bool is_awake = false;  // something happened: before_wait() is due
    // When it speaks: the same for all wires in one before_wait(), whose order says nothing.
    uint64_t turn = 0;

private:
    friend class Network;
    [[nodiscard]] Wire* find(io::ConnId id) const;
    void attach(Wire& wire);

    Network& network_;
    uint32_t index_;
    io::Handler* handler_ = nullptr;
    std::vector<Wire*> slots_;  // the newest of each index
    bool is_dead_ = false;
};

class Network {
public:
    // Who answers when the gateway dials.
    using Answerer = std::function<FarEnd&(Wire&, const io::Endpoint&)>;

    Network(Events& events, Swarm& swarm, Trace& trace)
        : events_(events), swarm_(swarm), trace_(trace) {}

    void set_answerer(Answerer answerer) { answerer_ = std::move(answerer); }

    Wire& call(Seat& seat, const io::PeerAddress& address, FarEnd& far);
    void say(Wire& wire, std::string_view bytes);
    void hang_up(Wire& wire);
    void cut(Wire& wire);
    // What stood still moves again, for ever.
    void thaw();

private:
    friend class Seat;

    Wire& make_wire(Seat& seat, bool is_outgoing);
    void dial(Wire& wire, const io::Endpoint& endpoint);
    void put(Wire& wire, Direction& direction, std::string_view bytes);
    void put_end(Wire& wire, Direction& direction);
    void schedule(Wire& wire, bool is_inward, Instant at);
    void pump_in(Wire& wire);
    void pump_out(Wire& wire);
    void deliver(Wire& wire, const std::string& bytes);
    void end_near(Wire& wire, Error why);
    void release(Wire& wire);

    Events& events_;
    Swarm& swarm_;
    Trace& trace_;
    Answerer answerer_;
    std::deque<Wire> wires_;
};

}  // namespace knuckle::sim
