// SPDX-License-Identifier: GPL-3.0-or-later
// What the files of net/ share about a loop; nobody outside net/ includes this.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <uv.h>

#include "base/buffer.h"
#include "base/list.h"
#include "base/pool.h"
#include "io/io.h"
#include "net/conn.h"
#include "net/loop.h"

namespace knuckle::net {

struct Listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    Loop::State* loop = nullptr;
    size_t index = 0;
    bool is_unix = false;
};

struct Loop::State {
    explicit State(const LoopOptions& options) : conns(options.connections_max) {}

    uv_loop_t uv{};
    uv_prepare_t prepare{};
    uv_timer_t timer{};
    Instant timer_deadline = kNever;
    io::Handler* handler = nullptr;

    ChunkPool chunks;
    Pool<Conn> conns;
    List<Conn, &Conn::linger_link> lingering;
    std::vector<Listener*> listeners;
    size_t conns_open = 0;
    uint32_t dials = 0;  // made so far; with which address the next one begins

    Now now{};
    bool is_now_fresh = false;
    bool is_stopping = false;

    // Shared by all connections: what is read is handled before anything else is read.
    std::array<char, io::kReadBufferSize + io::kReadPadding> read_buffer;

    Now read_clock();
    Conn* find(io::ConnId id);
    io::ConnId id_of(Conn& conn);
};

}  // namespace knuckle::net
