// SPDX-License-Identifier: GPL-3.0-or-later
// The provider in a bad mood: a real HTTP/2 server on each wire, and for each push an answer, or
// none, as the swarm would have it.
//
//     FarEnd& end = provider.accept(wire, endpoint)
//     provider.calm()             from now on it is well
//
// Owner: World.  Thread: one.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "tests/mock/http2_server.h"
#include "tests/sim/book.h"
#include "tests/sim/events.h"
#include "tests/sim/network.h"
#include "tests/sim/swarm.h"

namespace knuckle::sim {

// Where the sandbox is; production is at any other port.
inline constexpr uint16_t kSandboxPort = 2'197;

class Provider {
public:
    Provider(Events& events, Swarm& swarm, Network& network, Book& book);
    ~Provider();
    Provider(const Provider&) = delete;
    Provider& operator=(const Provider&) = delete;

    FarEnd& accept(Wire& wire, const io::Endpoint& endpoint);
    void calm();

private:
    class End;
    struct Reply {
        uint16_t status = 200;
        std::string reason{};
        std::optional<UnixTime> timestamp{};
        std::string retry_after{};
    };
    [[nodiscard]] Reply draw_reply(const std::string& registration, bool is_astray);

    Events& events_;
    Swarm& swarm_;
    Network& network_;
    Book& book_;
    ChunkPool chunks_;
    std::vector<std::unique_ptr<End>> ends_;
    std::set<std::string> gone_;  // registrations
};

}  // namespace knuckle::sim
