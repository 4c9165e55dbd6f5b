// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/knock_load.h"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/support/json_fields.h"

namespace knuckle::test {

KnockLoad::KnockLoad(const KnockLoadOptions& options)
    : options_(options),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      conns_(options.connections),
      begin_(monotonic_now()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t i = 0; i < conns_.size(); ++i) {
        Conn& conn = conns_[i];
        conn.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (::connect(conn.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            throw std::runtime_error("load: cannot connect");
        }
        const int on = 1;
        ::setsockopt(conn.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = i;
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, conn.fd, &event);
        ++open_;
        proceed(conn);
    }
}

KnockLoad::~KnockLoad() {
    for (Conn& conn : conns_) {
        if (conn.fd >= 0) ::close(conn.fd);
    }
    ::close(epoll_);
}

bool KnockLoad::is_done() const {
    return open_ == 0 || answered_ + cut_off_.size() == options_.knocks;
}

void KnockLoad::turn() {
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(
        epoll_, events.data(), static_cast<int>(events.size()), options_.rate > 0 ? 2 : 50);
    for (int i = 0; i < count; ++i) read(conns_[events[static_cast<size_t>(i)].data.u64]);
    knock_when_due();
}

void KnockLoad::proceed(Conn& conn) {
    if (options_.rate == 0) return knock(conn);
    resting_.push_back(&conn);
}

void KnockLoad::knock_when_due() {
    const int64_t elapsed_ms = (monotonic_now() - begin_).ns / 1'000'000;
    const auto due = static_cast<size_t>(elapsed_ms * options_.rate / 1'000);
    while (!resting_.empty() && sent_ < due && sent_ < options_.knocks) {
        Conn& conn = *resting_.front();
        resting_.pop_front();
        if (conn.fd >= 0) knock(conn);
    }
}

const Phone& KnockLoad::next_phone() const {
    return options_.phones.empty() ? options_.phone
                                   : options_.phones[sent_ % options_.phones.size()];
}

void KnockLoad::knock(Conn& conn) {
    if (sent_ == options_.knocks) return;
    const Phone& phone = next_phone();
    conn.number = sent_++;
    conn.is_waiting = true;
    const std::string body = knock_json(phone, std::to_string(conn.number));
    conn.out = "POST /api/v1/messages/ HTTP/1.1\r\nHost: " + phone.host +
               "\r\nContent-Type: "
               "application/json\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n\r\n" + body;
    // A few hundred bytes on a connection without any under way: the kernel takes them at once.
    if (::send(conn.fd, conn.out.data(), conn.out.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(conn.out.size())) {
        close(conn);
    }
}

void KnockLoad::read(Conn& conn) {
    if (conn.fd < 0) return;
    std::array<char, 16 * 1024> bytes;
    const ssize_t size = ::recv(conn.fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) {
        close(conn);
        return;
    }
    conn.in.append(bytes.data(), static_cast<size_t>(size));
    const size_t head_size = conn.in.find("\r\n\r\n");
    if (head_size == std::string::npos) return;
    const std::string_view head(conn.in.data(), head_size + 2);
    constexpr std::string_view kLength = "\r\nContent-Length: ";
    size_t body_size = 0;
    if (const size_t at = head.find(kLength); at != std::string_view::npos) {
        const std::string_view rest = head.substr(at + kLength.size());
        body_size = parse_decimal(rest.substr(0, rest.find('\r'))).value_or(0);
    }
    if (conn.in.size() < head_size + 4 + body_size) return;
    const int status = static_cast<int>(parse_decimal(head.substr(9, 3)).value_or(0));
    const bool is_last = head.find("\r\nConnection: close\r\n") != std::string_view::npos;
    by_status_[status].insert(conn.number);
    ++answered_;
    conn.is_waiting = false;
    conn.in.erase(0, head_size + 4 + body_size);
    if (is_last) {
        close(conn);
    } else {
        proceed(conn);
    }
}

void KnockLoad::close(Conn& conn) {
    if (!conn.in.empty()) ++torn_;
    if (conn.is_waiting) cut_off_.insert(conn.number);
    conn.is_waiting = false;
    ::close(conn.fd);
    conn.fd = -1;
    --open_;
}

std::map<size_t, size_t> count_numbers(const std::vector<std::string>& arrivals) {
    std::map<size_t, size_t> counts;
    for (const std::string& arrival : arrivals) {
        const std::string payload = json_string(arrival, "/payload");
        const std::string number = json_string(payload, "/aps/alert/message/data");
        ++counts[parse_decimal(number).value_or(SIZE_MAX)];
    }
    return counts;
}

}  // namespace knuckle::test
