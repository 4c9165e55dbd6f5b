// SPDX-License-Identifier: GPL-3.0-or-later
// libuv's implementation of io::Io: one loop, one thread, all its connections and listeners.
//
//     Loop loop({.connections_max = 20'000});
//     loop.listen(fd, is_unix);             as often as there are listeners, see net/listener.h
//     loop.run(handler);                    until stop(), and then until every handle is closed
//
// stop_accepting() closes the listeners; stop() closes everything and makes run() return. run()
// checks that nothing is left behind: uv_loop_close() must succeed. A connection is a slot with a
// stable address. Closing makes its id stale at once; the slot itself is reused only when libuv has
// called back for everything that was in flight (libuv docs, "Handles and requests").
// Owner: app::Supervisor.  Thread: all calls from the one that calls run(), or before it.
#pragma once

#include <cstddef>
#include <memory>

#include "base/buffer.h"
#include "io/io.h"

namespace knuckle::net {

// A connection that is being finished is closed at the latest after this; more of them than
// kLingeringMax are closed at once.
inline constexpr Duration kLingerTime = seconds(2);
inline constexpr size_t kLingeringMax = 1'024;

// Of connections that we make: for data that the far end does not acknowledge (TCP_USER_TIMEOUT),
// and until a silent one is probed (SO_KEEPALIVE).
inline constexpr Duration kUnacknowledgedMax = seconds(10);
inline constexpr Duration kKeepAliveAfter = seconds(60);

inline constexpr int kListenBacklog = 4'096;

struct LoopOptions {
    size_t connections_max = 1'024;
};

class Loop final : public io::Io {
public:
    explicit Loop(const LoopOptions& options);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    // Takes ownership of a bound socket. The listener's index is the number of calls before.
    Result<void> listen(int fd, bool is_unix);
    void run(io::Handler& handler);
    void stop_accepting();
    void stop();

    [[nodiscard]] Now now();
    [[nodiscard]] ChunkPool& chunks();
    [[nodiscard]] size_t connections_open() const;

    io::ConnId connect(const io::Endpoint& endpoint) override;
    void send(io::ConnId id, Buffer& bytes) override;
    [[nodiscard]] size_t unsent(io::ConnId id) const override;
    void pause(io::ConnId id) override;
    void resume(io::ConnId id) override;
    void finish(io::ConnId id) override;
    void close(io::ConnId id) override;

    struct State;
    // For the other parts of net/, which attach their handles to the same loop.
    [[nodiscard]] State& state() { return *state_; }

private:
    std::unique_ptr<State> state_;
};

}  // namespace knuckle::net
