// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/network.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace knuckle::sim {

namespace {

Error peer_closed() { return fail(Errc::unavailable, "the peer closed the connection"); }
Error peer_reset() { return fail(Errc::unavailable, "the connection broke", ECONNRESET); }

std::string take_all(Buffer& buffer) {
    std::string bytes;
    buffer.for_each_view([&bytes](ByteView view) { bytes.append(as_text(view)); });
    buffer.clear();
    return bytes;
}

}  // namespace

// ---- a worker's side ----

void Seat::attach(Wire& wire) {
    // The lowest free index is used again, with a new generation, so that stale ids are noticed.
    const auto is_free = [](const Wire* slot) { return slot->is_stale(); };
    const auto slot = std::find_if(slots_.begin(), slots_.end(), is_free);
    const auto index = static_cast<uint32_t>(slot - slots_.begin());
    const uint32_t generation = slot == slots_.end() ? 1 : (*slot)->id.generation + 1;
    if (slot == slots_.end()) slots_.push_back(nullptr);
    slots_[index] = &wire;
    wire.id = {index, generation};
    wire.seat = this;
}

Wire* Seat::find(io::ConnId id) const {
    if (is_dead_ || id.index >= slots_.size()) return nullptr;
    Wire* const wire = slots_[id.index];
    return wire->id == id && !wire->is_stale() ? wire : nullptr;
}

size_t Seat::wires_open() const {
    return static_cast<size_t>(
        std::ranges::count_if(slots_, [](const Wire* wire) { return !wire->is_stale(); }));
}

void Seat::die() {
    is_dead_ = true;
    for (Wire* const wire : slots_) {
        if (wire->is_stale()) continue;
        network_.put_end(*wire, wire->out);
        network_.release(*wire);
    }
}

io::ConnId Seat::connect(const io::Endpoint& endpoint) {
    if (is_dead_ || network_.swarm_.has(Fault::no_connection)) return {};
    Wire& wire = network_.make_wire(*this, true);
    network_.dial(wire, endpoint);
    return wire.id;
}

void Seat::send(io::ConnId id, Buffer& buffer) {
    const std::string bytes = take_all(buffer);
    Wire* const wire = find(id);
    if (wire == nullptr || bytes.empty()) return;
    if (wire->tap != nullptr) wire->tap->on_sent(bytes, turn);
    if (wire->far != nullptr) wire->far->on_sent(bytes);
    network_.put(*wire, wire->out, bytes);
}

size_t Seat::unsent(io::ConnId id) const {
    const Wire* const wire = find(id);
    if (wire == nullptr) return 0;
    return wire->out.size - std::min(wire->out.size, network_.swarm_.kernel_max);
}

void Seat::pause(io::ConnId id) {
    if (Wire* const wire = find(id)) wire->is_paused = true;
}

void Seat::resume(io::ConnId id) {
    Wire* const wire = find(id);
    if (wire == nullptr || !std::exchange(wire->is_paused, false)) return;
    network_.schedule(*wire, true, network_.events_.now().instant);
}

void Seat::finish(io::ConnId id) {
    Wire* const wire = find(id);
    if (wire == nullptr) return;
    network_.trace_.note("wire %lu finished by the gateway", wire->number);
    network_.put_end(*wire, wire->out);
    network_.release(*wire);
}

void Seat::close(io::ConnId id) {
    Wire* const wire = find(id);
    if (wire == nullptr) return;
    network_.trace_.note("wire %lu closed by the gateway", wire->number);
    network_.put_end(*wire, wire->out);
    network_.release(*wire);
}

// ---- in between ----

Wire& Network::make_wire(Seat& seat, bool is_outgoing) {
    Wire& wire = wires_.emplace_back();
    wire.number = wires_.size();
    wire.is_outgoing = is_outgoing;
    if (swarm_.has(Fault::chopped)) {
        constexpr std::array<size_t, 5> kSizes = {1, 2, 7, 40, 600};
        wire.piece_max = kSizes[swarm_.below(kSizes.size())];
    }
    seat.attach(wire);
    return wire;
}

Wire& Network::call(Seat& seat, const io::PeerAddress& address, FarEnd& far) {
    Wire& wire = make_wire(seat, false);
    wire.far = &far;
    wire.is_up = true;
    trace_.note("wire %lu accepted by worker %u", wire.number, seat.index());
    seat.is_awake = true;
    seat.handler().on_accepted(wire.id, 0, address, events_.now());
    return wire;
}

void Network::dial(Wire& wire, const io::Endpoint& endpoint) {
    trace_.note("wire %lu dialed by worker %u to %s",
                wire.number,
                wire.seat->index(),
                endpoint.host.c_str());
    if (swarm_.has(Fault::dial_silent)) return;
    const bool is_refused = swarm_.has(Fault::dial_refused);
    events_.after(swarm_.latency(), [this, &wire, endpoint, is_refused] {
        if (wire.is_stale()) return;
        if (is_refused)
            return end_near(wire, fail(Errc::unavailable, "cannot connect", ECONNREFUSED));
        wire.is_up = true;
        wire.far = &answerer_(wire, endpoint);
        Seat& seat = *wire.seat;
        trace_.note("wire %lu connected", wire.number);
        seat.is_awake = true;
        seat.handler().on_connected(wire.id, events_.now());
    });
}

void Network::put(Wire& wire, Direction& direction, std::string_view bytes) {
    if (direction.end) return;
    const bool is_inward = &direction == &wire.in;
    const Instant now = events_.now().instant;
    while (!bytes.empty()) {
        const std::string_view piece =
            bytes.substr(0, std::min(bytes.size(), 1 + swarm_.below(wire.piece_max)));
        bytes.remove_prefix(piece.size());
        if (swarm_.has(Fault::stalled)) {
            const bool is_for_good = swarm_.below(4) == 0;
            direction.frozen_until = is_for_good ? kNever : now + swarm_.span(minutes(2));
        }
        // Bytes of one write come together more often than not, however they are cut.
        const bool is_prompt = !direction.pieces.empty() && swarm_.below(8) != 0;
        const Instant due = is_prompt ? direction.last_due : now + swarm_.latency();
        direction.last_due = std::max(direction.last_due, due);
        direction.pieces.push_back({direction.last_due, std::string(piece)});
        direction.size += piece.size();
        schedule(wire, is_inward, direction.last_due);
    }
    if (swarm_.has(Fault::broken)) events_.after(swarm_.latency(), [this, &wire] { cut(wire); });
}

void Network::put_end(Wire& wire, Direction& direction) {
    if (direction.end) return;
    direction.end = peer_closed();
    direction.end_due = std::max(direction.last_due, events_.now().instant + swarm_.latency());
    schedule(wire, &direction == &wire.in, direction.end_due);
}

void Network::schedule(Wire& wire, bool is_inward, Instant at) {
    if (at == kNever) return;
    // To the next grain, so that much happens in one turn.
    const int64_t grain = swarm_.grain.ns;
    if (grain > 0) at.ns = (at.ns + grain - 1) / grain * grain;
    events_.at(at, [this, &wire, is_inward] { is_inward ? pump_in(wire) : pump_out(wire); });
}

void Network::pump_in(Wire& wire) {
    Direction& in = wire.in;
    const Instant now = events_.now().instant;
    while (!wire.is_stale() && wire.is_up && !wire.is_paused) {
        if (in.frozen_until > now) return schedule(wire, true, in.frozen_until);
        if (in.pieces.empty() || in.pieces.front().due > now) break;
        const std::string bytes = std::move(in.pieces.front().bytes);
        in.pieces.pop_front();
        in.size -= bytes.size();
        deliver(wire, bytes);
    }
    if (wire.is_stale() || wire.is_paused || !in.pieces.empty() || !in.end || in.end_due > now)
        return;
    end_near(wire, *in.end);
}

// Into memory of exactly that size, so that a sanitizer sees who reads too far.
void Network::deliver(Wire& wire, const std::string& bytes) {
    const std::unique_ptr<uint8_t[]> memory(new uint8_t[bytes.size() + io::kReadPadding]);
    copy_bytes(memory.get(), as_bytes(bytes));
    std::fill_n(memory.get() + bytes.size(), io::kReadPadding, uint8_t{'x'});
    trace_.note("wire %lu read by the gateway: %zu", wire.number, bytes.size());
    wire.in.delivered += bytes.size();
    if (wire.tap != nullptr) wire.tap->on_received(bytes, events_.take_sequence());
    if (wire.far != nullptr) wire.far->on_read(wire.in.delivered);
    Seat& seat = *wire.seat;
    seat.is_awake = true;
    seat.handler().on_received(wire.id, {memory.get(), bytes.size()}, events_.now());
}

void Network::end_near(Wire& wire, Error why) {
    Seat& seat = *wire.seat;
    trace_.note("wire %lu ended: %s", wire.number, why.what);
    if (wire.tap != nullptr) wire.tap->on_end(events_.take_sequence());
    seat.is_awake = true;
    seat.handler().on_closed(wire.id, why, events_.now());
    release(wire);
    if (!wire.out.end) put_end(wire, wire.out);
}

void Network::release(Wire& wire) {
    if (wire.is_stale()) return;
    if (wire.tap != nullptr) wire.tap->on_end(events_.take_sequence());
    wire.seat = nullptr;
    wire.in.pieces.clear();
    wire.in.size = 0;
}

void Network::pump_out(Wire& wire) {
    Direction& out = wire.out;
    const Instant now = events_.now().instant;
    while (!out.is_ended && wire.far != nullptr) {
        if (out.frozen_until > now) return schedule(wire, false, out.frozen_until);
        if (out.pieces.empty() || out.pieces.front().due > now) break;
        const std::string bytes = std::move(out.pieces.front().bytes);
        out.pieces.pop_front();
        out.size -= bytes.size();
        out.delivered += bytes.size();
        wire.far->on_bytes(bytes);
    }
    if (out.is_ended || !out.pieces.empty() || !out.end || out.end_due > now) return;
    out.is_ended = true;
    if (wire.far != nullptr) wire.far->on_end();
}

void Network::say(Wire& wire, std::string_view bytes) { put(wire, wire.in, bytes); }
void Network::hang_up(Wire& wire) { put_end(wire, wire.in); }

void Network::cut(Wire& wire) {
    if (!wire.is_up) return;
    wire.out.pieces.clear();
    wire.out.size = 0;
    if (!wire.is_stale()) end_near(wire, peer_reset());
    if (!std::exchange(wire.out.is_ended, true) && wire.far != nullptr) wire.far->on_end();
}

void Network::thaw() {
    for (Wire& wire : wires_) {
        for (Direction* const direction : {&wire.in, &wire.out}) {
            direction->frozen_until = {};
            schedule(wire, direction == &wire.in, events_.now().instant);
        }
    }
}

}  // namespace knuckle::sim
