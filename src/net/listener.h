// SPDX-License-Identifier: GPL-3.0-or-later
// Sockets to listen on, bound before anything is served, so that an occupied port is one clear
// error at the start.
//
//     auto fd = bind_listener(endpoint);          not listening yet; give it to Loop::listen()
//     uint16_t port = bound_port(*fd);            for port 0
//     int same = duplicate(*fd);              a Unix socket cannot be bound twice: workers share it
//
// TCP sockets have SO_REUSEPORT, so that each worker binds its own and the kernel spreads
// connections. A stale Unix socket file (nobody listens) is replaced; the new one has mode 0660.
// Owner: the caller owns the descriptor.  Thread: any.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "io/io.h"

namespace knuckle::net {

Result<int> bind_listener(const io::Endpoint& endpoint);
[[nodiscard]] uint16_t bound_port(int fd);
Result<int> duplicate(int fd);

}  // namespace knuckle::net
