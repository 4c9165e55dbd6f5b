// SPDX-License-Identifier: GPL-3.0-or-later
// A net::Loop on a thread of its own, and peers with blocking sockets to face it from a test.
//
//     LoopThread loop;                              stops at the end of the test
//     const uint16_t port = loop.listen();
//     Peer peer(port);  peer.says("hello");
//     loop.waits_for([&](Events& events) { return events.received_text() == "hello"; });
//     loop.tells([&](net::Loop& io, Events& events) { io.close(events.accepted[0]); });
//
// What the loop tells is noted in Events, which is only ever touched on the loop's thread. Every
// wait is bounded by kLoopPatience, which is for what hangs: no test expects it to pass. Catch2
// serves one thread at a time: tells() may check, because the test waits for it; hooks must not.
#pragma once

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/buffer.h"
#include "io/io.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/mailbox.h"

namespace knuckle::test {

inline constexpr std::chrono::seconds kLoopPatience{20};

// What a loop has told, and what to do then: hooks run inside the event.
struct Events final : io::Handler {
    explicit Events(net::Loop& of) : loop(of) {}

    void on_accepted(io::ConnId id,
                     size_t listener,
                     const io::PeerAddress& peer,
                     Now now) override {
        note(now);
        accepted.push_back(id);
        accepted_by.push_back(listener);
        peers.push_back(peer);
        if (accepting) accepting(id);
    }
    void on_connected(io::ConnId id, Now now) override {
        note(now);
        connected.push_back(id);
        if (connecting) connecting(id);
    }
    void on_received(io::ConnId id, MutableBytes bytes, Now now) override {
        note(now);
        received[{id.index, id.generation}] += as_text(bytes);
        // Promised to be readable, and to mean nothing.
        std::memset(bytes.data() + bytes.size(), 'x', io::kReadPadding);
        if (receiving) receiving(id);
    }
    void on_closed(io::ConnId id, Error why, Now now) override {
        note(now);
        closed.push_back(id);
        reasons.push_back(why);
        if (closing) closing(id);
    }
    void on_deadline(Now now) override {
        note(now);
        if (deadline > now.instant) ++deadlines_early;
        ++deadlines;
        deadline = kNever;
    }
    void before_wait(Now now) override {
        note(now);
        is_turn_open = false;
        for (size_t i = 0; i < conditions.size();) {
            if (!conditions[i].first()) {
                ++i;
                continue;
            }
            conditions[i].second.set_value();
            conditions.erase(conditions.begin() + static_cast<ptrdiff_t>(i));
        }
    }
    [[nodiscard]] Instant next_deadline() const override { return deadline; }

    void send(io::ConnId id, std::string_view text) {
        Buffer out(loop.chunks());
        out.append(text);
        loop.send(id, out);
    }
    [[nodiscard]] std::string text_of(io::ConnId id) { return received[{id.index, id.generation}]; }
    [[nodiscard]] size_t received_size() const {
        size_t size = 0;
        for (const auto& [id, text] : received) size += text.size();
        return size;
    }

    net::Loop& loop;
    std::vector<io::ConnId> accepted;
    std::vector<size_t> accepted_by;
    std::vector<io::PeerAddress> peers;
    std::vector<io::ConnId> connected;
    std::vector<io::ConnId> closed;
    std::vector<Error> reasons;
    std::map<std::pair<uint32_t, uint32_t>, std::string> received;
    std::function<void(io::ConnId)> accepting;
    std::function<void(io::ConnId)> connecting;
    std::function<void(io::ConnId)> receiving;
    std::function<void(io::ConnId)> closing;
    Instant deadline = kNever;
    size_t deadlines = 0;
    size_t deadlines_early = 0;
    bool has_one_now_per_turn = true;
    std::deque<std::pair<std::function<bool()>, std::promise<void>>> conditions;

private:
    void note(Now now) {
        if (is_turn_open && now.instant != turn) has_one_now_per_turn = false;
        is_turn_open = true;
        turn = now.instant;
    }
    Instant turn{};
    bool is_turn_open = false;
};

class LoopThread {
public:
    explicit LoopThread(const net::LoopOptions& options = {})
        : loop_(options),
          events_(loop_),
          mailbox_(loop_, 1'000, [](void*, Task&& task) { task(); }, nullptr) {
        ::signal(SIGPIPE, SIG_IGN);  // as the gateway does
    }
    ~LoopThread() { stop(); }

    // Before the first tells() or waits_for(). The port.
    uint16_t listen(const std::string& host = "127.0.0.1", uint16_t port = 0) {
        const Result<int> fd = net::bind_listener({host, port, {}});
        REQUIRE(fd);
        const uint16_t bound = net::bound_port(*fd);
        REQUIRE(loop_.listen(*fd, false));
        return bound;
    }
    void listen_at(const std::string& unix_path) {
        const Result<int> fd = net::bind_listener({{}, 0, unix_path});
        REQUIRE(fd);
        REQUIRE(loop_.listen(*fd, true));
    }

    // Does something on the loop's thread and waits until it is done.
    template <typename Act>
    void tells(Act act) {
        start();
        std::promise<void> done;
        const bool was_posted = mailbox_.post([&] {
            act(loop_, events_);
            done.set_value();
        });
        REQUIRE(was_posted);
        const std::future_status status = done.get_future().wait_for(kLoopPatience);
        REQUIRE(status == std::future_status::ready);
    }
    // Until this holds at the end of a turn.
    template <typename Condition>
    void waits_for(Condition condition) {
        std::future<void> done;
        tells([&](net::Loop&, Events& events) {
            std::promise<void> promise;
            done = promise.get_future();
            events.conditions.emplace_back([&events, condition] { return condition(events); },
                                           std::move(promise));
        });
        const std::future_status status = done.wait_for(kLoopPatience);
        REQUIRE(status == std::future_status::ready);
    }
    // run() checks that nothing is left behind.
    void stop() {
        if (std::exchange(is_stopped_, true)) return;
        if (!thread_.joinable()) {
            mailbox_.close();
            return;
        }
        static_cast<void>(mailbox_.post([this] {
            mailbox_.close();
            loop_.stop();
        }));
        thread_.join();
    }

private:
    using Task = std::function<void()>;

    void start() {
        if (!thread_.joinable()) thread_ = std::thread([this] { loop_.run(events_); });
    }

    net::Loop loop_;
    Events events_;
    net::Mailbox<Task> mailbox_;
    std::thread thread_;
    bool is_stopped_ = false;
};

class Peer {
public:
    explicit Peer(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        is_up = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        be_patient();
    }
    explicit Peer(const std::string& unix_path)
        : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, unix_path.data(), unix_path.size());
        is_up = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        be_patient();
    }
    Peer(Peer&& other) noexcept : is_up(other.is_up), fd_(std::exchange(other.fd_, -1)) {}
    Peer& operator=(Peer&&) = delete;
    ~Peer() { hangs_up(); }

    // False once the other end is gone.
    bool says(std::string_view text) {
        while (!text.empty()) {
            const ssize_t size = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
            if (size < 0 && errno == EINTR) continue;
            if (size <= 0) return false;
            text.remove_prefix(static_cast<size_t>(size));
        }
        return true;
    }
    // So many bytes, or less if the other end is gone.
    std::string hears(size_t size) {
        std::string text(size, '\0');
        size_t at = 0;
        while (at < size) {
            const ssize_t count = ::recv(fd_, text.data() + at, size - at, 0);
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) {
                last_error = count < 0 ? errno : 0;
                break;
            }
            at += static_cast<size_t>(count);
        }
        text.resize(at);
        return text;
    }
    // Until the other end is gone.
    std::string hears_all() {
        std::string all;
        std::string piece;
        do all += piece = hears(100'000);
        while (piece.size() == 100'000);
        return all;
    }
    void says_no_more() { ::shutdown(fd_, SHUT_WR); }
    void resets() {
        const linger now{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        hangs_up();
    }
    void hangs_up() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

    bool is_up = false;
    int last_error = 0;

private:
    void be_patient() {
        const timeval limit{kLoopPatience.count(), 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    }

    int fd_;
};

}  // namespace knuckle::test
