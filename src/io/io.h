// SPDX-License-Identifier: GPL-3.0-or-later
// The seam: what the core asks of the world (Io) and what the world tells it (Handler).
//
// net/ implements Io with libuv, the simulator with a list of events; engine::Worker is the Handler
// of both. Nobody on this side holds a socket: people hold a ConnId, and a stale one is harmless
// (find nothing, do nothing). One turn of a loop:  the events of this turn, each a call of
// on_...();  on_deadline() if next_deadline() has come; before_wait(), where the core hands over
// everything it has to send;  then the loop waits.
// Owner: the loop owns connections; the worker owns what it attaches to an id.  Thread: one per
// loop. `now` is read once per turn, so all events of a turn carry the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "io/peer_address.h"

namespace knuckle::io {

// Readable bytes behind every view given to on_received(); parsers may look at them, they mean
// nothing.
inline constexpr size_t kReadPadding = 64;
inline constexpr size_t kReadBufferSize = 64 * 1024;

struct ConnId {
    uint32_t index = 0;
    uint32_t generation = 0;  // 0: no connection

    [[nodiscard]] bool is_null() const { return generation == 0; }
    bool operator==(const ConnId&) const = default;
};

// Where to connect to or listen on: a TCP host and port, or the path of a Unix socket.
struct Endpoint {
    std::string host;
    uint16_t port = 0;
    std::string unix_path;

    [[nodiscard]] bool is_unix() const { return !unix_path.empty(); }
    [[nodiscard]] std::string text() const;  // for messages
};

class Io {
public:
    // Resolves the name (uncached), tries its addresses one after the other, each time beginning
    // with another, and reports with on_connected() or on_closed(), never before this returns. Null
    // when no connection can be had at all (our own limit).
    virtual ConnId connect(const Endpoint& endpoint) = 0;
    // Takes all of `bytes`. What the kernel does not take at once waits, see unsent().
    virtual void send(ConnId id, Buffer& bytes) = 0;
    // Bytes taken by send() that the kernel has not: the measure of a slow reader.
    [[nodiscard]] virtual size_t unsent(ConnId id) const = 0;
    // Between pause() and resume() nothing is received, so the peer feels back-pressure.
    virtual void pause(ConnId id) = 0;
    virtual void resume(ConnId id) = 0;
    // Sends what was taken, ends the writing side, discards what still arrives for a moment, then
    // closes: a peer that is still sending gets to read our last words. The id is stale at once; no
    // event follows.
    virtual void finish(ConnId id) = 0;
    // Closes at once. The id is stale at once; no on_closed() follows.
    virtual void close(ConnId id) = 0;

protected:
    ~Io() = default;
};

class Handler {
public:
    // `listener` is the index of the listener it came in by. Refuse with Io::close().
    virtual void on_accepted(ConnId id, size_t listener, const PeerAddress& peer, Now now) = 0;
    virtual void on_connected(ConnId id, Now now) = 0;
    // The bytes may be changed by the handler and are gone when this returns.
    virtual void on_received(ConnId id, MutableBytes bytes, Now now) = 0;
    // The peer ended or broke the connection, or it never came to be; the id is stale when this
    // returns.
    virtual void on_closed(ConnId id, Error why, Now now) = 0;
    virtual void on_deadline(Now now) = 0;
    virtual void before_wait(Now now) = 0;
    [[nodiscard]] virtual Instant next_deadline() const = 0;

protected:
    ~Handler() = default;
};

}  // namespace knuckle::io
