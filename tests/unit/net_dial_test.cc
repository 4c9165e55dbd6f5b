// SPDX-License-Identifier: GPL-3.0-or-later
// Connections that we make: names, addresses, refusals, and giving up on the way.
#include <array>
#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <catch_amalgamated.hpp>

#include "net/loop_state.h"
#include "tests/support/loop_thread.h"
#include "tests/support/temp_dir.h"

namespace {

using Resolve = int(const char*, const char*, const addrinfo*, addrinfo**);

constexpr const char* kTwoAddresses = "two-addresses.test";

}  // namespace

// The resolver of this process, with one more name: of its addresses only the last has a listener.
extern "C" int getaddrinfo(const char* host,
                           const char* service,
                           const addrinfo* hints,
                           addrinfo** found) {
    static auto* const real = reinterpret_cast<Resolve*>(::dlsym(RTLD_NEXT, "getaddrinfo"));
    if (host == nullptr || std::strcmp(host, kTwoAddresses) != 0)
        return real(host, service, hints, found);
    addrinfo* second = nullptr;
    if (real("127.0.0.2", service, hints, found) != 0) return EAI_FAIL;
    if (real("127.0.0.1", service, hints, &second) != 0) return EAI_FAIL;
    (*found)->ai_next = second;
    return 0;
}

namespace knuckle::test {

namespace {

io::Endpoint at(const std::string& host, uint16_t port) { return {host, port, {}}; }

// Listens, but its queue of connections is full and stays so: who dials is not answered.
class DeafListener {
public:
    DeafListener(const char* address, uint16_t port) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(port);
        REQUIRE(::inet_pton(AF_INET, address, &at.sin_addr) == 1);
        auto* const where = reinterpret_cast<sockaddr*>(&at);
        fds_[0] = ::socket(AF_INET, SOCK_STREAM, 0);
        REQUIRE(::bind(fds_[0], where, sizeof(at)) == 0);
        REQUIRE(::listen(fds_[0], 0) == 0);
        for (size_t i = 1; i < fds_.size(); ++i) {
            fds_[i] = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
            static_cast<void>(::connect(fds_[i], where, sizeof(at)));
        }
    }
    DeafListener(const DeafListener&) = delete;
    DeafListener& operator=(const DeafListener&) = delete;
    ~DeafListener() {
        for (const int fd : fds_) ::close(fd);
    }

private:
    std::array<int, 4> fds_{};
};

// A port where nobody listens.
uint16_t closed_port() {
    const int fd = *net::bind_listener(at("127.0.0.1", 0));
    const uint16_t port = net::bound_port(fd);
    ::close(fd);
    return port;
}

}  // namespace

TEST_CASE("a connection is made by name or by address, and carries bytes", "[net]") {
    LoopThread server;
    const uint16_t port = server.listen();
    std::string host;
    SECTION("by address") { host = "127.0.0.1"; }
    SECTION("by name") { host = "localhost"; }
    SECTION("by the second address of a name, when nobody is at the first") {
        host = kTwoAddresses;
    }
    LoopThread loop;
    loop.tells([&](net::Loop& io, Events& events) {
        const io::ConnId id = io.connect(at(host, port));
        CHECK_FALSE(id.is_null());
        CHECK(io.connections_open() == 1);
        events.send(id, "too early, and so lost");
        events.connecting = [&events](io::ConnId up) { events.send(up, "hello"); };
    });
    server.waits_for([](Events& events) { return events.received_size() >= 5; });
    server.tells([](net::Loop&, Events& events) {
        CHECK(events.text_of(events.accepted[0]) == "hello");
        events.send(events.accepted[0], "well met");
    });
    loop.waits_for([](Events& events) { return events.received_size() == 8; });
    loop.tells([](net::Loop&, Events& events) {
        CHECK(events.text_of(events.connected[0]) == "well met");
        CHECK(events.closed.empty());
    });
}

TEST_CASE("the kernel gives up a connection of ours whose far end acknowledges nothing", "[net]") {
    LoopThread server;
    const uint16_t port = server.listen();
    LoopThread loop;
    loop.tells([&](net::Loop& io, Events&) { io.connect(at("127.0.0.1", port)); });
    loop.waits_for([](Events& events) { return !events.connected.empty(); });
    loop.tells([](net::Loop& io, Events& events) {
        net::Conn* const conn = io.state().find(events.connected[0]);
        REQUIRE(conn != nullptr);
        uv_os_fd_t fd = -1;
        REQUIRE(uv_fileno(&conn->uv.handle, &fd) == 0);
        unsigned timeout = 0;
        int is_kept_alive = 0;
        socklen_t size = sizeof timeout;
        CHECK(::getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, &size) == 0);
        CHECK(timeout == to_ms(net::kUnacknowledgedMax));
        CHECK(::getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &is_kept_alive, &size) == 0);
        CHECK(is_kept_alive == 1);
    });
}

TEST_CASE("dials take turns in which address they try first", "[net]") {
    LoopThread at_last;
    const uint16_t port = at_last.listen("127.0.0.1");
    LoopThread at_first;
    REQUIRE(at_first.listen("127.0.0.2", port) == port);
    at_first.tells([](net::Loop&, Events&) {});
    at_last.tells([](net::Loop&, Events&) {});
    LoopThread loop;
    for (size_t i = 1; i <= 4; ++i) {
        loop.tells([&](net::Loop& io, Events&) {
            CHECK_FALSE(io.connect(at(kTwoAddresses, port)).is_null());
        });
        loop.waits_for([=](Events& events) { return events.connected.size() == i; });
    }
    at_first.waits_for([](Events& events) { return events.accepted.size() == 2; });
    at_last.waits_for([](Events& events) { return events.accepted.size() == 2; });
}

TEST_CASE("an address that says nothing keeps only the dials that begin with it", "[net]") {
    LoopThread at_last;
    const uint16_t port = at_last.listen("127.0.0.1");
    at_last.tells([](net::Loop&, Events&) {});
    // Its backlog is full: the kernel drops what comes, and says nothing to who dials.
    const DeafListener deaf("127.0.0.2", port);
    LoopThread loop;
    std::vector<io::ConnId> dialled;
    loop.tells([&](net::Loop& io, Events&) {
        for (int i = 0; i < 4; ++i) dialled.push_back(io.connect(at(kTwoAddresses, port)));
    });
    loop.waits_for([](Events& events) { return events.connected.size() == 2; });
    loop.tells([&](net::Loop& io, Events& events) {
        CHECK(events.closed.empty());
        CHECK(io.connections_open() == 4);
        // As the engine does when their time is over.
        for (const io::ConnId id : dialled) io.close(id);
    });
}

TEST_CASE("a connection to a Unix socket", "[net]") {
    const TempDir dir;
    LoopThread server;
    server.listen_at(dir / "socket");
    LoopThread loop;
    loop.tells([&](net::Loop& io, Events& events) {
        events.connecting = [&events](io::ConnId up) { events.send(up, "hello"); };
        CHECK_FALSE(io.connect({{}, 0, dir / "socket"}).is_null());
    });
    server.waits_for([](Events& events) { return events.received_size() == 5; });
    server.tells([](net::Loop&, Events& events) {
        CHECK(events.peers[0].bytes == std::array<uint8_t, 16>{});
    });
}

TEST_CASE("a connection that cannot be had is reported, and never before connect() returns",
          "[net]") {
    io::Endpoint nowhere;
    int error = 0;
    SECTION("nobody listens") {
        nowhere = at("127.0.0.1", closed_port());
        error = ECONNREFUSED;
    }
    SECTION("nobody listens at either address") {
        nowhere = at(kTwoAddresses, closed_port());
        error = ECONNREFUSED;
    }
    SECTION("the name is none") { nowhere = at("no name at all", 443); }
    SECTION("the name is far too long") { nowhere = at(std::string(5'000, 'x'), 443); }
    SECTION("there is no such socket") {
        nowhere = {{}, 0, "/nonexistent/socket"};
        error = ENOENT;
    }
    SECTION("the socket's path is far too long") { nowhere = {{}, 0, std::string(5'000, 'x')}; }
    LoopThread loop;
    bool has_returned = false;
    bool was_late = false;
    loop.tells([&](net::Loop& io, Events& events) {
        events.closing = [&](io::ConnId) { was_late = has_returned; };
        CHECK_FALSE(io.connect(nowhere).is_null());
        has_returned = true;
    });
    loop.waits_for([](Events& events) { return events.closed.size() == 1; });
    loop.tells([&](net::Loop& io, Events& events) {
        CHECK(was_late);
        CHECK(events.connected.empty());
        CHECK(events.reasons[0].code == Errc::unavailable);
        if (error != 0) CHECK(events.reasons[0].detail == error);
        CHECK(io.connections_open() == 0);
    });
}

TEST_CASE("there is a limit of connections, for those that are made too", "[net]") {
    LoopThread server;
    const uint16_t port = server.listen();
    LoopThread loop({.connections_max = 2});
    loop.tells([&](net::Loop& io, Events&) {
        CHECK_FALSE(io.connect(at("127.0.0.1", port)).is_null());
        CHECK_FALSE(io.connect(at("127.0.0.1", port)).is_null());
        CHECK(io.connect(at("127.0.0.1", port)).is_null());
    });
    loop.waits_for([](Events& events) { return events.connected.size() == 2; });
}

TEST_CASE("a dial may be given up at any moment", "[net]") {
    LoopThread server;
    const uint16_t port = server.listen();
    LoopThread loop;
    io::Endpoint where;
    SECTION("to somebody") { where = at("127.0.0.1", port); }
    SECTION("to the second address") { where = at(kTwoAddresses, port); }
    SECTION("to nobody") { where = at("127.0.0.1", closed_port()); }
    SECTION("to no name") { where = at("no name at all", 443); }
    SECTION("to a Unix socket") { where = {{}, 0, "/nonexistent/socket"}; }
    std::vector<io::ConnId> ids;
    for (int turns = 0; turns < 4; ++turns) {
        loop.tells([&](net::Loop& io, Events&) {
            for (int i = 0; i < 20; ++i) ids.push_back(io.connect(where));
        });
        for (int i = 0; i < turns; ++i) loop.tells([](net::Loop&, Events&) {});
        loop.tells([&](net::Loop& io, Events&) {
            for (size_t i = 0; i < ids.size(); ++i)
                i % 2 == 0 ? io.close(ids[i]) : io.finish(ids[i]);
            CHECK(io.connections_open() == 0);
        });
    }
}

TEST_CASE("a handler may close, or dial again, when a dial has failed", "[net]") {
    const io::Endpoint nowhere = at("127.0.0.1", closed_port());
    LoopThread loop({.connections_max = 2});
    size_t left = 10;
    bool is_refused = false;
    loop.tells([&](net::Loop& io, Events& events) {
        events.closing = [&](io::ConnId id) {
            if (left % 2 == 0) io.close(id);
            if (--left > 0 && io.connect(nowhere).is_null()) is_refused = true;
        };
        CHECK_FALSE(io.connect(nowhere).is_null());
    });
    loop.waits_for([](Events& events) { return events.closed.size() == 10; });
    CHECK_FALSE(is_refused);
}

}  // namespace knuckle::test
