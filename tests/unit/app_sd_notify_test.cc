// SPDX-License-Identifier: GPL-3.0-or-later
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

#include <catch_amalgamated.hpp>

#include "app/sd_notify.h"
#include "tests/support/log_watch.h"

using namespace knuckle;
using app::NotifyEnvironment;
using app::SdNotify;

namespace {

// systemd's end of the conversation.
class Systemd {
public:
    // '@' in front makes the name an abstract one, as in $NOTIFY_SOCKET.
    explicit Systemd(const std::string& name)
        : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
        REQUIRE(fd_ >= 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        REQUIRE(name.size() < sizeof address.sun_path);
        std::memcpy(address.sun_path, name.data(), name.size());
        size_t size = offsetof(sockaddr_un, sun_path) + name.size();
        if (name[0] == '@') {
            address.sun_path[0] = '\0';
        } else {
            ++size;
        }
        REQUIRE(::bind(fd_,
                       reinterpret_cast<const sockaddr*>(&address),
                       static_cast<socklen_t>(size)) == 0);
    }
    ~Systemd() { ::close(fd_); }
    Systemd(const Systemd&) = delete;
    Systemd& operator=(const Systemd&) = delete;

    // The next datagram, "(nothing)" if there is none.
    [[nodiscard]] std::string heard() const {
        char bytes[4096];
        const ssize_t size = ::recv(fd_, bytes, sizeof bytes, 0);
        return size < 0 ? "(nothing)" : std::string(bytes, static_cast<size_t>(size));
    }

private:
    int fd_;
};

class Folder {
public:
    Folder() {
        std::string name =
            (std::filesystem::temp_directory_path() / "knuckle-notify-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

Duration interval(const char* usec, const char* pid) {
    return SdNotify({.watchdog_usec = usec, .watchdog_pid = pid}, 4711).watchdog_interval();
}

}  // namespace

TEST_CASE("systemd hears of each step of a service's life", "[app]") {
    const Folder folder;
    const std::string name = folder.file("notify");
    const Systemd systemd(name);
    const test::LogWatch log;
    SdNotify notify({.notify_socket = name.c_str()}, 1);
    CHECK(notify.is_supervised());

    notify.ready();
    CHECK(systemd.heard() == "READY=1");
    notify.status("chat: provider unreachable");
    CHECK(systemd.heard() == "STATUS=chat: provider unreachable");
    notify.watchdog();
    CHECK(systemd.heard() == "WATCHDOG=1");
    notify.stopping();
    CHECK(systemd.heard() == "STOPPING=1");
    CHECK(systemd.heard() == "(nothing)");
    CHECK(log.lines().empty());
}

TEST_CASE("a status cannot say more than a status", "[app]") {
    const Folder folder;
    const std::string name = folder.file("notify");
    const Systemd systemd(name);
    SdNotify({.notify_socket = name.c_str()}, 1).status("a\nMAINPID=1");
    CHECK(systemd.heard() == "STATUS=a MAINPID=1");
}

TEST_CASE("systemd may listen on an abstract socket", "[app]") {
    const std::string name = "@knuckle-test-" + std::to_string(::getpid());
    const Systemd systemd(name);
    SdNotify({.notify_socket = name.c_str()}, 1).watchdog();
    CHECK(systemd.heard() == "WATCHDOG=1");
}

TEST_CASE("a socket's path may be as long as an address can hold, and no longer", "[app]") {
    const Folder folder;
    const std::string start = folder.file("");
    const std::string longest = start + std::string(107 - start.size(), 'n');
    const Systemd systemd(longest);
    const test::LogWatch log;
    SdNotify({.notify_socket = longest.c_str()}, 1).watchdog();
    CHECK(systemd.heard() == "WATCHDOG=1");
    CHECK(log.lines().empty());

    const std::string longer = longest + "n";
    SdNotify({.notify_socket = longer.c_str()}, 1).watchdog();
    REQUIRE(log.lines().size() == 1);
    CHECK_THAT(log.lines()[0], Catch::Matchers::ContainsSubstring("too long"));
}

TEST_CASE("without systemd nothing happens, and nothing is logged", "[app]") {
    const test::LogWatch log;
    for (const char* socket : {static_cast<const char*>(nullptr), ""}) {
        SdNotify notify({.notify_socket = socket}, 1);
        CHECK_FALSE(notify.is_supervised());
        notify.ready();
        notify.watchdog();
        notify.stopping();
    }
    CHECK(log.lines().empty());
}

TEST_CASE("a systemd that does not hear is logged once, until it hears again", "[app]") {
    const Folder folder;
    const std::string name = folder.file("notify");
    const test::LogWatch log;
    SdNotify notify({.notify_socket = name.c_str()}, 1);
    notify.ready();
    notify.watchdog();
    REQUIRE(log.lines().size() == 1);
    CHECK_THAT(log.lines()[0], Catch::Matchers::StartsWith("<4>event=systemd_unreachable "));
    {
        const Systemd systemd(name);
        notify.watchdog();
        CHECK(systemd.heard() == "WATCHDOG=1");
    }
    notify.watchdog();
    notify.watchdog();
    CHECK(log.lines().size() == 2);

    SdNotify({.notify_socket = "vsock:2:1234"}, 1).ready();
    REQUIRE(log.lines().size() == 3);
    CHECK_THAT(log.lines()[2], Catch::Matchers::ContainsSubstring("names no Unix socket"));
}

TEST_CASE("the watchdog is fed twice as often as it must be", "[app]") {
    CHECK(interval("30000000", nullptr) == seconds(15));
    CHECK(interval("30000000", "4711") == seconds(15));
}

TEST_CASE("a watchdog that is off, or another process's, is not fed", "[app]") {
    CHECK(interval(nullptr, nullptr) == Duration{});
    CHECK(interval(nullptr, "4711") == Duration{});
    CHECK(interval("30000000", "4712") == Duration{});
    for (const char* usec :
         {"", "0", "-1", "30s", "18446744073709551615", "99999999999999999999"}) {
        INFO(usec);
        CHECK(interval(usec, nullptr) == Duration{});
    }
    CHECK(interval("30000000", "") == Duration{});
    CHECK(interval("30000000", "x") == Duration{});
}

TEST_CASE("the environment is the process's own", "[app]") {
    ::setenv("NOTIFY_SOCKET", "@knuckle-nobody", 1);
    ::setenv("WATCHDOG_USEC", "2000000", 1);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    const SdNotify notify;
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
    ::unsetenv("WATCHDOG_PID");
    CHECK(notify.is_supervised());
    CHECK(notify.watchdog_interval() == seconds(1));
}
