// SPDX-License-Identifier: GPL-3.0-or-later
// One socket with everything that is in flight on it; nobody outside net/ includes this.
//
// Life: dialing (connect() only) -> open -> finishing (finish() only) -> closing -> gone. `joins`
// counts what libuv still owes us a callback for; the slot goes back to the pool with the last of
// them.
#pragma once

#include <cstddef>
#include <cstdint>

#include <uv.h>

#include "base/buffer.h"
#include "base/list.h"
#include "base/result.h"
#include "base/time.h"
#include "io/io.h"
#include "net/loop.h"

namespace knuckle::net {

// Outgoing connections only, until they are up.
struct Dial {
    uv_getaddrinfo_t resolve{};
    uv_connect_t connect{};
    addrinfo* addresses = nullptr;  // what the resolver gave, freed with the dial
    addrinfo* first = nullptr;      // of them, the one tried first
    addrinfo* next = nullptr;       // the one to try next; nullptr when all were tried
    uint16_t port = 0;
    Error failure;  // of the last attempt
};

// Bytes the kernel did not take at once.
struct Unsent {
    explicit Unsent(ChunkPool& chunks) : in_flight(chunks), queued(chunks) {}

    uv_write_t write{};
    Buffer in_flight;  // what libuv is writing
    Buffer queued;     // what follows
};

struct Conn {
    enum class Phase : uint8_t { dialing, open, finishing, closing };

    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    Loop::State* loop = nullptr;
    Dial* dial = nullptr;
    Unsent* unsent = nullptr;
    Link linger_link;
    Instant linger_deadline;
    uint8_t joins = 0;
    Phase phase = Phase::open;
    bool is_unix = false;
    bool is_paused = false;
};

// Verbs of a connection; all of them may be called in any phase.
void start_reading(Conn& conn);
void send(Conn& conn, Buffer& bytes);
void finish(Conn& conn);
void close(Conn& conn);
// Starts with the name or address of `endpoint`; reports through the handler.
void dial(Conn& conn, const io::Endpoint& endpoint);

}  // namespace knuckle::net
