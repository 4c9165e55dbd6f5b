// SPDX-License-Identifier: GPL-3.0-or-later
#include "net/listener.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace knuckle::net {

namespace {

Error system_error(const char* what) { return fail(Errc::system, what, errno); }

Error close_and_fail(int fd, const char* what) {
    const Error error = system_error(what);
    ::close(fd);
    return error;
}

// True if the file is a socket that nobody listens on: what a killed process leaves behind.
bool is_stale(const sockaddr_un& address) {
    struct stat status{};
    if (::lstat(address.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
    // Must not wait for room in the queue of one who is only slow.
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0) return false;
    const bool is_refused =
        ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
        errno == ECONNREFUSED;
    ::close(probe);
    return is_refused;
}

Result<int> bind_unix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return fail(Errc::invalid, "the path of the socket is too long");
    std::memcpy(address.sun_path, path.data(), path.size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return system_error("cannot make a socket");
    if (is_stale(address)) ::unlink(path.c_str());
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return close_and_fail(fd, "cannot bind the socket");
    }
    ::chmod(path.c_str(), 0660);
    return fd;
}

Result<int> bind_tcp(const addrinfo& address) {
    const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return system_error("cannot make a socket");
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
        return close_and_fail(fd, "the kernel has no SO_REUSEPORT");
    }
    if (::bind(fd, address.ai_addr, address.ai_addrlen) != 0)
        return close_and_fail(fd, "cannot bind the address");
    return fd;
}

}  // namespace

Result<int> bind_listener(const io::Endpoint& endpoint) {
    if (endpoint.is_unix()) return bind_unix(endpoint.unix_path);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(endpoint.port);
    if (::getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found) != 0 ||
        found == nullptr) {
        return fail(Errc::not_found, "cannot resolve the host name to listen on");
    }
    Result<int> fd = bind_tcp(*found);
    ::freeaddrinfo(found);
    return fd;
}

uint16_t bound_port(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
    if (address.ss_family == AF_INET)
        return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
    if (address.ss_family == AF_INET6)
        return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
    return 0;
}

Result<int> duplicate(int fd) {
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return system_error("cannot duplicate a socket");
    return copy;
}

}  // namespace knuckle::net
