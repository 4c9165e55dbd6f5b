// SPDX-License-Identifier: GPL-3.0-or-later
#include <cerrno>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include <catch_amalgamated.hpp>

#include "net/listener.h"
#include "tests/support/loop_thread.h"
#include "tests/support/temp_dir.h"

namespace knuckle::test {

namespace {

struct Socket {
    explicit Socket(const io::Endpoint& endpoint) : fd(net::bind_listener(endpoint)) {}
    ~Socket() {
        if (fd) ::close(*fd);
    }
    Result<int> fd;
};

}  // namespace

TEST_CASE("workers share a port, strangers do not get it", "[net]") {
    const Socket first({"127.0.0.1", 0, {}});
    REQUIRE(first.fd);
    const uint16_t port = net::bound_port(*first.fd);
    CHECK(port != 0);
    const Socket second({"127.0.0.1", port, {}});
    CHECK(second.fd);

    // Somebody who does not share.
    const int stranger = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(stranger, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    const Socket third({"127.0.0.1", net::bound_port(stranger), {}});
    REQUIRE_FALSE(third.fd);
    CHECK(third.fd.error().detail == EADDRINUSE);
    ::close(stranger);
}

TEST_CASE("an address to listen on that cannot be had is an error that says so", "[net]") {
    const Socket foreign({"192.0.2.1", 0, {}});  // RFC 5737: nobody's
    REQUIRE_FALSE(foreign.fd);
    CHECK(foreign.fd.error().detail == EADDRNOTAVAIL);
    const Socket nameless({"no name at all", 0, {}});
    REQUIRE_FALSE(nameless.fd);
    CHECK(nameless.fd.error().code == Errc::not_found);
    const Socket endless({{}, 0, std::string(200, 'x')});
    REQUIRE_FALSE(endless.fd);
    CHECK(endless.fd.error().code == Errc::invalid);
    const Socket homeless({{}, 0, "/nonexistent/socket"});
    REQUIRE_FALSE(homeless.fd);
    CHECK(homeless.fd.error().detail == ENOENT);
}

TEST_CASE("a Unix socket is for its owner and group, and is shared by duplicates", "[net]") {
    const TempDir dir;
    LoopThread first;
    LoopThread second;
    const Result<int> fd = net::bind_listener({{}, 0, dir / "socket"});
    REQUIRE(fd);
    const Result<int> copy = net::duplicate(*fd);
    REQUIRE(copy);
    CHECK(*copy != *fd);
    ::close(*copy);
    ::close(*fd);
    ::unlink((dir / "socket").c_str());

    first.listen_at(dir / "socket");
    struct stat status{};
    REQUIRE(::stat((dir / "socket").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0660);
    first.tells([](net::Loop&, Events&) {});
    Peer peer(dir / "socket");
    REQUIRE(peer.says("x"));
    first.waits_for([](Events& events) { return events.received_size() == 1; });
}

TEST_CASE("what a killed process left is replaced, what is in use is not", "[net]") {
    const TempDir dir;
    const io::Endpoint endpoint{{}, 0, dir / "socket"};
    {
        const Socket killed(endpoint);
        REQUIRE(killed.fd);
        // Bound, but nobody listens yet: that counts as stale, too.
    }
    const Socket alive(endpoint);
    REQUIRE(alive.fd);
    REQUIRE(::listen(*alive.fd, 1) == 0);
    const Socket second(endpoint);
    REQUIRE_FALSE(second.fd);
    CHECK(second.fd.error().detail == EADDRINUSE);
    // The question of the second one and this fill the queue: that is in use as well.
    const Peer peer(dir / "socket");
    const Socket third(endpoint);
    REQUIRE_FALSE(third.fd);
    CHECK(third.fd.error().detail == EADDRINUSE);

    const std::string file = dir.write("file", "precious");
    const Socket careless({{}, 0, file});
    REQUIRE_FALSE(careless.fd);
    CHECK(read_whole_file(file) == "precious");
}

}  // namespace knuckle::test
