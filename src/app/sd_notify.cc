// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/sd_notify.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

namespace knuckle::app {

namespace {

// Half of what systemd allows. Nothing if it does not watch, or watches another process
// ($WATCHDOG_PID).
Duration interval_from(const NotifyEnvironment& environment, int process_id) {
    if (environment.watchdog_usec == nullptr) return {};
    const auto limit_us = parse_decimal(environment.watchdog_usec);
    if (!limit_us || *limit_us == 0 || *limit_us > static_cast<uint64_t>(INT64_MAX / 1'000))
        return {};
    if (environment.watchdog_pid != nullptr) {
        const auto pid = parse_decimal(environment.watchdog_pid);
        if (!pid || *pid != static_cast<uint64_t>(process_id)) return {};
    }
    return microseconds(static_cast<int64_t>(*limit_us / 2));
}

NotifyEnvironment read_environment() {
    // NOLINTBEGIN(concurrency-mt-unsafe): read before threads start
    return {.notify_socket = std::getenv("NOTIFY_SOCKET"),
            .watchdog_usec = std::getenv("WATCHDOG_USEC"),
            .watchdog_pid = std::getenv("WATCHDOG_PID")};
    // NOLINTEND(concurrency-mt-unsafe)
}

}  // namespace

SdNotify::SdNotify() : SdNotify(read_environment(), ::getpid()) {}

SdNotify::SdNotify(const NotifyEnvironment& environment, int process_id)
    : socket_(environment.notify_socket == nullptr ? "" : environment.notify_socket),
      watchdog_interval_(interval_from(environment, process_id)) {}

void SdNotify::ready() { tell("READY=1"); }

void SdNotify::status(std::string_view text) {
    std::string line = "STATUS=" + std::string(text);
    // A line break would begin another assignment.
    std::replace(line.begin(), line.end(), '\n', ' ');
    tell(line);
}

void SdNotify::watchdog() { tell("WATCHDOG=1"); }

void SdNotify::stopping() { tell("STOPPING=1"); }

void SdNotify::tell(std::string_view datagram) {
    if (!is_supervised()) return;
    const Result<void> result = send(datagram);
    if (!result && is_heard_) log::warning("systemd_unreachable").field("error", result.error());
    is_heard_ = result.has_value();
}

Result<void> SdNotify::send(std::string_view datagram) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    // '@' is an abstract socket, whose name begins with NUL and ends where the address does.
    const bool is_abstract = socket_.front() == '@';
    if (!is_abstract && socket_.front() != '/')
        return fail(Errc::invalid, "$NOTIFY_SOCKET names no Unix socket");
    if (socket_.size() >= sizeof address.sun_path)
        return fail(Errc::invalid, "$NOTIFY_SOCKET is too long");
    std::memcpy(address.sun_path, socket_.data(), socket_.size());
    if (is_abstract) address.sun_path[0] = '\0';
    const size_t address_size =
        offsetof(sockaddr_un, sun_path) + socket_.size() + (is_abstract ? 0 : 1);

    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return fail(Errc::system, "cannot make a socket for $NOTIFY_SOCKET", errno);
    const ssize_t sent = ::sendto(fd,
                                  datagram.data(),
                                  datagram.size(),
                                  MSG_NOSIGNAL,
                                  reinterpret_cast<const sockaddr*>(&address),
                                  static_cast<socklen_t>(address_size));
    const int error = errno;
    ::close(fd);
    if (sent < 0) return fail(Errc::system, "cannot send to $NOTIFY_SOCKET", error);
    return {};
}

}  // namespace knuckle::app
