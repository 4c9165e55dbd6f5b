// SPDX-License-Identifier: GPL-3.0-or-later
// What systemd is told about the service, in datagrams to $NOTIFY_SOCKET (sd_notify(3)); without
// libsystemd.
//
//     SdNotify systemd;          before threads start: it reads the environment
//     systemd.ready();
//     systemd.watchdog();        as often as watchdog_interval() says, unless that is 0
//     systemd.stopping();
//
// Without $NOTIFY_SOCKET all of it does nothing: the gateway runs in a terminal as well. systemd
// acts by its own time-outs when it has not heard us, so a datagram that cannot be sent is worth
// one log line, and no more. Owner: the supervisor.  Thread: one.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace knuckle::app {

// As they stand in the environment; null: not set.
struct NotifyEnvironment {
    const char* notify_socket = nullptr;
    const char* watchdog_usec = nullptr;
    const char* watchdog_pid = nullptr;
};

class SdNotify {
public:
    SdNotify();
    SdNotify(const NotifyEnvironment& environment, int process_id);

    void ready();
    // What `systemctl status` shows.
    void status(std::string_view text);
    void watchdog();
    void stopping();

    [[nodiscard]] bool is_supervised() const { return !socket_.empty(); }
    // Half of the time after which systemd takes us for hung, as sd_watchdog_enabled(3) advises; 0:
    // it does not watch.
    [[nodiscard]] Duration watchdog_interval() const { return watchdog_interval_; }

private:
    void tell(std::string_view datagram);
    Result<void> send(std::string_view datagram) const;

    std::string socket_;
    Duration watchdog_interval_{};
    bool is_heard_ = true;
};

}  // namespace knuckle::app
