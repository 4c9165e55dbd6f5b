// SPDX-License-Identifier: GPL-3.0-or-later
#include "net/loop.h"

#include <algorithm>
#include <ctime>
#include <unistd.h>

#include "base/assert.h"
#include "net/loop_state.h"

namespace knuckle::net {

namespace {

int64_t read_ns(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

void close_listener(uv_handle_t* handle) {
    uv_close(handle, [](uv_handle_t* closed) { delete static_cast<Listener*>(closed->data); });
}

// Takes a slot and makes a handle in it; nullptr when all are in use.
Conn* make_conn(Loop::State& loop, bool is_unix) {
    Conn* const conn = loop.conns.take();
    if (conn == nullptr) return nullptr;
    conn->loop = &loop;
    conn->is_unix = is_unix;
    const int error =
        is_unix ? uv_pipe_init(&loop.uv, &conn->uv.pipe, 0) : uv_tcp_init(&loop.uv, &conn->uv.tcp);
    KNUCKLE_ASSERT(error == 0);
    conn->uv.handle.data = conn;
    conn->joins = 1;
    ++loop.conns_open;
    return conn;
}

io::PeerAddress peer_of(const Conn& conn) {
    io::PeerAddress peer;
    sockaddr_storage address{};
    int size = sizeof address;
    if (conn.is_unix ||
        uv_tcp_getpeername(&conn.uv.tcp, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        return peer;
    if (address.ss_family == AF_INET6) {
        const auto* const in6 = reinterpret_cast<const sockaddr_in6*>(&address);
        std::copy_n(in6->sin6_addr.s6_addr, 16, peer.bytes.begin());
    } else {
        // ::ffff:a.b.c.d, RFC 4291 section 2.5.5.2.
        const auto* const in4 = reinterpret_cast<const sockaddr_in*>(&address);
        const auto* const four = reinterpret_cast<const uint8_t*>(&in4->sin_addr);
        peer.bytes[10] = peer.bytes[11] = 0xff;
        std::copy_n(four, 4, peer.bytes.begin() + 12);
    }
    return peer;
}

// libuv stops asking for connections until the one it announced is accepted, so one that has no
// slot is accepted into a handle of its own and closed.
void accept_and_drop(Listener& listener) {
    auto* const surplus = new Listener;
    Loop::State& loop = *listener.loop;
    if (listener.is_unix) {
        uv_pipe_init(&loop.uv, &surplus->uv.pipe, 0);
    } else {
        uv_tcp_init(&loop.uv, &surplus->uv.tcp);
    }
    surplus->uv.handle.data = surplus;
    uv_accept(&listener.uv.stream, &surplus->uv.stream);
    close_listener(&surplus->uv.handle);
}

void on_incoming(uv_stream_t* stream, int status) {
    Listener& listener = *static_cast<Listener*>(stream->data);
    if (status < 0) return;  // out of descriptors, or the peer is gone already: libuv tries again
    Loop::State& loop = *listener.loop;
    Conn* const conn = make_conn(loop, listener.is_unix);
    if (conn == nullptr) {
        accept_and_drop(listener);
        return;
    }
    if (uv_accept(stream, &conn->uv.stream) != 0) {
        close(*conn);
        return;
    }
    if (!conn->is_unix) uv_tcp_nodelay(&conn->uv.tcp, 1);
    const io::ConnId id = loop.id_of(*conn);
    loop.handler->on_accepted(id, listener.index, peer_of(*conn), loop.read_clock());
    if (loop.find(id) != nullptr) start_reading(*conn);
}

void close_lingering(Loop::State& loop, Instant now) {
    while (Conn* const conn = loop.lingering.front()) {
        if (conn->linger_deadline > now) return;
        close(*conn);
    }
}

void on_timer(uv_timer_t* timer) {
    Loop::State& loop = *static_cast<Loop::State*>(timer->data);
    loop.timer_deadline = kNever;
    const Now now = loop.read_clock();
    close_lingering(loop, now.instant);
    if (loop.handler->next_deadline() <= now.instant) loop.handler->on_deadline(now);
}

void arm_timer(Loop::State& loop) {
    Instant deadline = loop.handler->next_deadline();
    if (const Conn* const conn = loop.lingering.front())
        deadline = std::min(deadline, conn->linger_deadline);
    // A timer that goes off too early costs one turn; moving it with every knock would cost more.
    if (deadline >= loop.timer_deadline) return;
    loop.timer_deadline = deadline;
    // libuv counts in milliseconds from the time it cached; rounding up keeps a timer from firing
    // early.
    const auto now = Instant{static_cast<int64_t>(uv_now(&loop.uv)) * 1'000'000};
    const int64_t wait_ms = std::max<int64_t>(0, to_ms(deadline - now) + 1);
    uv_timer_start(&loop.timer, on_timer, static_cast<uint64_t>(wait_ms), 0);
}

// The last thing before the loop waits: everything of this turn leaves together.
void on_prepare(uv_prepare_t* prepare) {
    Loop::State& loop = *static_cast<Loop::State*>(prepare->data);
    if (!loop.is_stopping) {
        loop.handler->before_wait(loop.read_clock());
        arm_timer(loop);
    }
    loop.is_now_fresh = false;
}

}  // namespace

Now Loop::State::read_clock() {
    if (!is_now_fresh) {
        now = {{read_ns(CLOCK_MONOTONIC)}, {read_ns(CLOCK_REALTIME) / 1'000}};
        is_now_fresh = true;
    }
    return now;
}

Conn* Loop::State::find(io::ConnId id) {
    Conn* const conn = conns.find({id.index, id.generation});
    const bool is_known = conn != nullptr &&
                          (conn->phase == Conn::Phase::open || conn->phase == Conn::Phase::dialing);
    return is_known ? conn : nullptr;
}

io::ConnId Loop::State::id_of(Conn& conn) {
    const Id<Conn> id = conns.id_of(conn);
    return {id.index, id.generation};
}

Loop::Loop(const LoopOptions& options) : state_(std::make_unique<State>(options)) {
    KNUCKLE_ASSERT(uv_loop_init(&state_->uv) == 0);
    uv_prepare_init(&state_->uv, &state_->prepare);
    uv_timer_init(&state_->uv, &state_->timer);
    state_->prepare.data = state_->timer.data = state_.get();
}

Loop::~Loop() {
    if (!state_->is_stopping) {
        stop();
        uv_run(&state_->uv, UV_RUN_DEFAULT);
    }
    KNUCKLE_ASSERT(uv_loop_close(&state_->uv) == 0);
}

Result<void> Loop::listen(int fd, bool is_unix) {
    auto* const listener = new Listener;
    listener->loop = state_.get();
    listener->index = state_->listeners.size();
    listener->is_unix = is_unix;
    int error = 0;
    if (is_unix) {
        uv_pipe_init(&state_->uv, &listener->uv.pipe, 0);
        error = uv_pipe_open(&listener->uv.pipe, fd);
    } else {
        uv_tcp_init(&state_->uv, &listener->uv.tcp);
        error = uv_tcp_open(&listener->uv.tcp, fd);
    }
    listener->uv.handle.data = listener;
    if (error == 0) error = uv_listen(&listener->uv.stream, kListenBacklog, on_incoming);
    if (error != 0) {
        close_listener(&listener->uv.handle);
        return fail(Errc::system, "cannot listen on the socket", -error);
    }
    state_->listeners.push_back(listener);
    return {};
}

void Loop::run(io::Handler& handler) {
    state_->handler = &handler;
    if (!state_->is_stopping) uv_prepare_start(&state_->prepare, on_prepare);
    uv_run(&state_->uv, UV_RUN_DEFAULT);
    KNUCKLE_ASSERT(state_->is_stopping && state_->conns.count() == 0);
}

void Loop::stop_accepting() {
    for (Listener* const listener : state_->listeners) close_listener(&listener->uv.handle);
    state_->listeners.clear();
}

void Loop::stop() {
    if (state_->is_stopping) return;
    state_->is_stopping = true;
    stop_accepting();
    state_->conns.for_each([](Conn& conn) { net::close(conn); });
    uv_close(reinterpret_cast<uv_handle_t*>(&state_->prepare), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&state_->timer), nullptr);
}

Now Loop::now() { return state_->read_clock(); }
ChunkPool& Loop::chunks() { return state_->chunks; }
size_t Loop::connections_open() const { return state_->conns_open; }

io::ConnId Loop::connect(const io::Endpoint& endpoint) {
    if (state_->is_stopping) return {};
    Conn* const conn = make_conn(*state_, endpoint.is_unix());
    if (conn == nullptr) return {};
    conn->phase = Conn::Phase::dialing;
    dial(*conn, endpoint);
    return state_->id_of(*conn);
}

void Loop::send(io::ConnId id, Buffer& bytes) {
    if (Conn* const conn = state_->find(id)) {
        net::send(*conn, bytes);
    } else {
        bytes.clear();
    }
}

size_t Loop::unsent(io::ConnId id) const {
    const Conn* const conn = state_->find(id);
    return conn != nullptr && conn->unsent != nullptr
               ? conn->unsent->in_flight.size() + conn->unsent->queued.size()
               : 0;
}

void Loop::pause(io::ConnId id) {
    Conn* const conn = state_->find(id);
    if (conn == nullptr || conn->is_paused) return;
    conn->is_paused = true;
    if (conn->phase == Conn::Phase::open) uv_read_stop(&conn->uv.stream);
}

void Loop::resume(io::ConnId id) {
    Conn* const conn = state_->find(id);
    if (conn == nullptr || !conn->is_paused) return;
    conn->is_paused = false;
    start_reading(*conn);
}

void Loop::finish(io::ConnId id) {
    if (Conn* const conn = state_->find(id)) net::finish(*conn);
}

void Loop::close(io::ConnId id) {
    if (Conn* const conn = state_->find(id)) net::close(*conn);
}

}  // namespace knuckle::net
