// SPDX-License-Identifier: GPL-3.0-or-later
#include "bench/load.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <fstream>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "base/text.h"
#include "tests/support/process.h"

namespace knuckle::bench {

namespace {

constexpr size_t kTokenSize = 40;

int64_t now_ns() { return test::monotonic_now().ns; }

int connect_to(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        throw std::runtime_error("load: cannot connect");
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

}  // namespace

double Sample::percentile_us(double part) {
    if (latencies_ns.empty()) return 0;
    const auto at = latencies_ns.begin() +
                    static_cast<ptrdiff_t>(part * static_cast<double>(latencies_ns.size() - 1));
    std::nth_element(latencies_ns.begin(), at, latencies_ns.end());
    return static_cast<double>(*at) / 1'000;
}

Load::Load(LoadOptions options)
    : options_(std::move(options)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      conns_(options_.connections) {
    ::prctl(PR_SET_TIMERSLACK, 1UL);  // nanoseconds; the default of 50 us would be in each latency
    for (size_t i = 0; i < conns_.size(); ++i) {
        Conn& conn = conns_[i];
        conn.fd = connect_to(options_.port);
        const std::string body = R"({"token":")" + std::string(kTokenSize, '0') + "\"}";
        conn.out =
            "POST /api/v1/messages/ HTTP/1.1\r\nHost: push.example.org\r\nAccept: "
            "application/json\r\nContent-Type: application/json\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body;
        conn.token_at = conn.out.size() - 2 - kTokenSize;
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = i;
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, conn.fd, &event);
        idle_.push_back(i);
    }
}

Load::~Load() {
    for (const Conn& conn : conns_) ::close(conn.fd);
    ::close(epoll_);
}

Sample Load::run(const Pace& pace) {
    Sample sample;
    sample.latencies_ns.reserve(pace.rate * static_cast<uint64_t>(to_ms(pace.duration)) / 1'000 +
                                1);
    const int64_t begin = now_ns();
    const int64_t end = begin + pace.duration.ns;
    const int64_t step = pace.rate == 0 ? 0 : 1'000'000'000 / static_cast<int64_t>(pace.rate);
    int64_t due = begin;
    std::array<epoll_event, 256> events;
    for (;;) {
        const int64_t now = now_ns();
        while (!idle_.empty() && due < end && (step == 0 ? now < end : due <= now)) {
            Conn& conn = conns_[idle_.front()];
            idle_.pop_front();
            knock(conn, step == 0 ? now_ns() : due);
            due += step;
        }
        const bool is_over = due >= end || (step == 0 && now >= end);
        if (is_over && idle_.size() == conns_.size()) break;
        // Asleep until the next is due: spinning would take a core from who is measured. A wake-up
        // that comes late is in the figure, as the knock was due.
        timespec patience{.tv_sec = 0, .tv_nsec = 50'000'000};
        if (step != 0 && !is_over && !idle_.empty()) {
            patience.tv_nsec = std::clamp<int64_t>(due - now_ns(), 0, patience.tv_nsec);
        }
        const int count = ::epoll_pwait2(epoll_, events.data(), events.size(), &patience, nullptr);
        for (int i = 0; i < count; ++i) {
            const size_t index = events[static_cast<size_t>(i)].data.u64;
            if (read(conns_[index], sample)) idle_.push_back(index);
        }
    }
    sample.duration = Duration{now_ns() - begin};
    return sample;
}

void Load::knock(Conn& conn, int64_t due_ns) {
    conn.due_ns = due_ns;
    conn.is_waiting = true;
    options_.token(next_++).copy(conn.out.data() + conn.token_at, kTokenSize);
    if (::send(conn.fd, conn.out.data(), conn.out.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(conn.out.size())) {
        throw std::runtime_error("load: a connection broke");
    }
}

bool Load::read(Conn& conn, Sample& sample) {
    std::array<char, 4 * 1024> bytes;
    const ssize_t size = ::recv(conn.fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (size <= 0 || !conn.is_waiting) throw std::runtime_error("load: a connection broke");
    conn.in.append(bytes.data(), static_cast<size_t>(size));
    const size_t head_size = conn.in.find("\r\n\r\n");
    if (head_size == std::string::npos) return false;
    const std::string_view head(conn.in.data(), head_size + 2);
    constexpr std::string_view kLength = "\r\nContent-Length: ";
    size_t body_size = 0;
    if (const size_t at = head.find(kLength); at != std::string_view::npos) {
        const std::string_view rest = head.substr(at + kLength.size());
        body_size = parse_decimal(rest.substr(0, rest.find('\r'))).value_or(0);
    }
    if (conn.in.size() < head_size + 4 + body_size) return false;
    sample.latencies_ns.push_back(now_ns() - conn.due_ns);
    ++(head.substr(9, 3) == "202" ? sample.answered : sample.refused);
    conn.in.clear();
    conn.is_waiting = false;
    return true;
}

Duration cpu_time_of(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(file, text);
    // The name in brackets may hold spaces; user and system time are the 12th and 13th after it.
    std::istringstream rest(text.substr(text.rfind(')') + 2));
    std::string word;
    for (int i = 0; i < 11; ++i) rest >> word;
    int64_t user = 0;
    int64_t system = 0;
    rest >> user >> system;
    return milliseconds((user + system) * 1'000 / ::sysconf(_SC_CLK_TCK));
}

uint64_t memory_kib_of(int pid, const char* file, const char* line) {
    std::ifstream source("/proc/" + std::to_string(pid) + "/" + file);
    std::string word;
    while (source >> word) {
        uint64_t kib = 0;
        if (word == line && source >> kib) return kib;
    }
    return 0;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values.empty() ? 0 : values[values.size() / 2];
}

}  // namespace knuckle::bench
