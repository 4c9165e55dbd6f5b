// SPDX-License-Identifier: GPL-3.0-or-later
// Many knocks at once: keep-alive connections in one epoll loop, each with one knock under way at a
// time.
//
//     KnockLoad load({.port = port, .phone = phone, .connections = 64, .knocks = 10'000});
//     load.run(seconds(60), [&] { ... });          called after each turn, to make mischief
//     load.answered(202) == 10'000
//
// With a rate, knocks are sent at that pace for as long as a connection is free.
//
// Each knock carries its number as "data", so that the push it becomes can be recognized. A
// connection that the gateway closes is not opened again; its knock counts as cut off. Thread: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "tests/support/gateway.h"
#include "tests/support/process.h"

namespace knuckle::test {

struct KnockLoadOptions {
    uint16_t port = 0;
    Phone phone = {};
    size_t connections = 64;
    size_t knocks = 10'000;
    std::vector<Phone> phones = {};  // to be woken in turn, instead of the one
    int rate = 0;                    // knocks a second; 0: the next as soon as the last is answered
};

class KnockLoad {
public:
    explicit KnockLoad(const KnockLoadOptions& options);
    ~KnockLoad();
    KnockLoad(const KnockLoad&) = delete;
    KnockLoad& operator=(const KnockLoad&) = delete;

    // False: not done within the limit.
    template <typename AfterTurn>
    bool run(Duration limit, AfterTurn after_turn) {
        const Instant deadline = monotonic_now() + limit;
        while (!is_done()) {
            if (monotonic_now() >= deadline) return false;
            turn();
            after_turn();
        }
        return true;
    }
    bool run(Duration limit) {
        return run(limit, [] {});
    }

    [[nodiscard]] bool is_done() const;
    // The knocks that were answered with this status, by number.
    [[nodiscard]] const std::set<size_t>& numbers(int status) { return by_status_[status]; }
    [[nodiscard]] size_t answered(int status) { return by_status_[status].size(); }
    [[nodiscard]] size_t answered() const { return answered_; }
    // Sent, and the connection closed without an answer.
    [[nodiscard]] const std::set<size_t>& cut_off() const { return cut_off_; }
    // Connections closed in the middle of an answer, which must never be.
    [[nodiscard]] size_t torn() const { return torn_; }

private:
    struct Conn {
        int fd = -1;
        size_t number = 0;  // of the knock under way
        bool is_waiting = false;
        std::string out;
        std::string in;
    };

    void turn();
    void proceed(Conn& conn);
    void knock_when_due();
    void knock(Conn& conn);
    [[nodiscard]] const Phone& next_phone() const;
    void read(Conn& conn);
    void close(Conn& conn);

    KnockLoadOptions options_;
    int epoll_ = -1;
    std::vector<Conn> conns_;
    std::deque<Conn*> resting_;  // until their next knock is due
    Instant begin_{};
    size_t open_ = 0;
    size_t sent_ = 0;
    size_t answered_ = 0;
    size_t torn_ = 0;
    std::map<int, std::set<size_t>> by_status_;
    std::set<size_t> cut_off_;
};

// What "data" says in the payloads of arrivals: how often each number came.
[[nodiscard]] std::map<size_t, size_t> count_numbers(const std::vector<std::string>& arrivals);

}  // namespace knuckle::test
