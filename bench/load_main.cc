// SPDX-License-Identifier: GPL-3.0-or-later
// The load generator of `make bench`: knocks on a schedule that no answer can delay (open loop;
// latency from the moment a knock was *due*), or as fast as they are answered (closed loop; for CPU
// per knock only).
//
//     load --port P [--rate R [--constant]] [--connections N] [--warm S] [--seconds S]
//          [--tls] [--per-knock [--resume]]     a connection for each knock
//          [--idle N]                           so many more that knock once and stay
//          [--knocks N]                         ends after so many, however long it takes
//          [--tokens N | --tokens-file FILE] [--devices N] [--first N]
//          [--path /p] [--body TEXT] [--header "Name: value"]
//                                               %t is the token, %d the device; the path: %d
//          [--arrivals FILE]                    of mock_apns: latency of the pushes, losses
//
// Poisson arrivals, unless --constant. Prints MARK when the measured time begins and END when it
// is over, for whoever reads the counters of the gateway, and one line of JSON at the end.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <vector>

#include "base/random.h"
#include "bench/arguments.h"
#include "bench/arrivals.h"
#include "bench/filled_store.h"
#include "bench/latencies.h"
#include "bench/link.h"

namespace {

using namespace knuckle;
using namespace knuckle::bench;

struct Plan {
    explicit Plan(const Arguments& arguments)
        : port(static_cast<uint16_t>(arguments.count("--port", 0))),
          rate(arguments.real("--rate", 0)),
          is_constant(arguments.has("--constant")),
          connections(arguments.count("--connections", 64)),
          idle(arguments.count("--idle", 0)),
          warm_ns(static_cast<int64_t>(arguments.real("--warm", 0.5) * 1e9)),
          measured_ns(static_cast<int64_t>(arguments.real("--seconds", 2) * 1e9)),
          is_per_knock(arguments.has("--per-knock")),
          knocks(arguments.count("--knocks", 0)),
          tokens(arguments.count("--tokens", 1'000'000)),
          devices(arguments.count("--devices", 0)),
          first(arguments.count("--first", 0)),
          path(arguments.text("--path", "/api/v1/messages/")),
          body(arguments.text("--body", R"({"token":"%t"})")),
          header(arguments.text("--header")) {
        if (const std::string file = arguments.text("--tokens-file"); !file.empty()) {
            std::ifstream lines(file);
            for (std::string line; std::getline(lines, line);) names.push_back(line);
            if (names.empty()) throw std::runtime_error(file + " has no tokens");
            tokens = names.size();
        }
        if (devices == 0) devices = tokens;
        if (tokens == 0) throw std::runtime_error("no tokens");
    }

    // The n-th knock, and the device it rings.
    [[nodiscard]] size_t device_of(uint64_t knock) const {
        return (first + knock) % tokens % devices;
    }
    void write(uint64_t knock, std::string& out) const {
        const uint64_t number = (first + knock) % tokens;
        content_ = body;
        if (const size_t at = content_.find("%t"); at != std::string::npos) {
            content_.replace(at, 2, names.empty() ? token_text(number) : names[number]);
        }
        if (const size_t at = content_.find("%d"); at != std::string::npos) {
            content_.replace(at, 2, device_text(number % devices));
        }
        target_ = path;
        if (const size_t at = target_.find("%d"); at != std::string::npos)
            target_.replace(at, 2, device_text(number % devices));
        out = "POST " + target_ + " HTTP/1.1\r\nHost: push.example.org\r\n";
        if (!header.empty()) out += header + "\r\n";
        out += "Content-Type: application/json\r\nContent-Length: ";
        out += std::to_string(content_.size());
        out += "\r\n\r\n";
        out += content_;
    }

    uint16_t port;
    double rate;  // a second; 0: closed loop
    bool is_constant;
    uint64_t connections;
    uint64_t idle;
    int64_t warm_ns;
    int64_t measured_ns;
    bool is_per_knock;
    uint64_t knocks;
    uint64_t tokens;
    uint64_t devices;
    uint64_t first;
    std::string path;
    std::string body;
    std::string header;
    std::vector<std::string> names;

private:
    mutable std::string content_;
    mutable std::string target_;
};

// The size of the answer at the front of `in`, 0 if it is not whole; its status.
size_t answer_size(std::string_view in, int& status) {
    const size_t head = in.find("\r\n\r\n");
    if (head == std::string_view::npos || head < 12) return 0;
    status = std::atoi(in.data() + 9);
    size_t body = 0;
    for (const std::string_view name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
        const size_t at = in.substr(0, head + 2).find(name);
        if (at != std::string_view::npos)
            body = std::strtoull(in.data() + at + name.size(), nullptr, 10);
    }
    if (in.substr(0, head).find("chunked") != std::string_view::npos) {
        const size_t last = in.find("0\r\n\r\n", head + 4);
        return last == std::string_view::npos ? 0 : last + 5;
    }
    return in.size() >= head + 4 + body ? head + 4 + body : 0;
}

class Load {
public:
    Load(const Plan& plan, TlsContext* tls, std::optional<Arrivals> arrivals)
        : plan_(plan),
          tls_(tls),
          arrivals_(std::move(arrivals)),
          epoll_(::epoll_create1(EPOLL_CLOEXEC)),
          conns_(plan.connections + plan.idle) {
        for (size_t i = plan_.connections; i < conns_.size(); ++i) rest(i);
        for (size_t i = 0; i < plan_.connections; ++i) {
            if (!plan_.is_per_knock) open(i);
            free_.push_back(i);
        }
        if (arrivals_) {
            for (size_t i = 0; i < arrivals_->size(); ++i) {
                arrived_before_ += (*arrivals_)[i].count.load(std::memory_order_relaxed);
            }
            rung_.resize(arrivals_->size());
            for (size_t i = 0; i < rung_.size(); ++i) {
                rung_[i] =
                    static_cast<uint32_t>((*arrivals_)[i].count.load(std::memory_order_relaxed));
            }
        }
    }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;
    ~Load() { ::close(epoll_); }

    void run() {
        begin_ns_ = now_ns() + plan_.warm_ns;
        end_ns_ = begin_ns_ + plan_.measured_ns;
        due_ns_ = now_ns();
        std::array<epoll_event, 256> events;
        while (!is_over()) {
            announce();
            send_due();
            timespec patience{.tv_sec = 0, .tv_nsec = 1'000'000};
            if (plan_.rate > 0 && !is_last()) {
                patience.tv_nsec = std::clamp<int64_t>(due_ns_ - now_ns(), 0, patience.tv_nsec);
            }
            const int count =
                ::epoll_pwait2(epoll_, events.data(), events.size(), &patience, nullptr);
            for (int i = 0; i < count; ++i) on_ready(events[static_cast<size_t>(i)].data.u64);
        }
        announce();
        report();
    }

private:
    struct Conn {
        Link link;
        bool is_up = false;
        bool is_busy = false;
        size_t device = 0;
        int64_t due_ns = 0;
        int64_t sent_ns = 0;
        std::string out;
        std::string in;
    };

    void watch(size_t index) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = index;
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, conns_[index].link.fd(), &event);
    }

    // A connection with its hands shaken; at set-up there is time to wait.
    void open(size_t index) {
        Conn& conn = conns_[index];
        conn.link = Link::connect(plan_.port, tls_);
        const int64_t patience = now_ns() + 10'000'000'000;
        for (Step step = conn.link.handshake(); step != Step::done; step = conn.link.handshake()) {
            if (step == Step::failed || now_ns() > patience)
                throw std::runtime_error("no handshake");
            ::usleep(50);
        }
        conn.is_up = true;
        watch(index);
    }

    // One that knocks once and is silent from then on.
    void rest(size_t index) {
        open(index);
        Conn& conn = conns_[index];
        plan_.write(next_++, conn.out);
        if (conn.link.write(conn.out) <= 0) throw std::runtime_error("a connection broke");
        int status = 0;
        const int64_t patience = now_ns() + 10'000'000'000;
        while (answer_size(conn.in, status) == 0) {
            const ssize_t size = conn.link.read(bytes_);
            if (size < 0 || now_ns() > patience) throw std::runtime_error("no answer");
            if (size == 0) ::usleep(20);
            conn.in.append(bytes_.data(), static_cast<size_t>(size));
        }
        ++sent_;
        ++answered_;
        conn.in = {};
        conn.out = {};
    }

    [[nodiscard]] bool is_last() const {
        return plan_.knocks != 0 ? scheduled_ >= plan_.knocks
                                 : (plan_.rate > 0 ? due_ns_ : now_ns()) >= end_ns_;
    }
    [[nodiscard]] bool is_over() const {
        if (!is_last()) return false;
        const bool is_done =
            busy_ == 0 && waiting_.empty() && (plan_.knocks != 0 || now_ns() >= end_ns_);
        return is_done || (plan_.knocks == 0 && now_ns() > end_ns_ + kPatience);
    }

    void announce() {
        const int64_t now = now_ns();
        if (!is_marked_ && now >= begin_ns_) {
            is_marked_ = true;
            marked_ns_ = now;
            if (arrivals_) arrived_at_mark_ = arrivals_->total().load(std::memory_order_relaxed);
            say("MARK");
        }
        if (!is_ended_ && is_marked_ && (now >= end_ns_ || (plan_.knocks != 0 && is_over()))) {
            is_ended_ = true;
            ended_ns_ = now;
            if (arrivals_)
                arrived_measured_ =
                    arrivals_->total().load(std::memory_order_relaxed) - arrived_at_mark_;
            say("END");
        }
    }
    void say(const char* word) const {
        std::printf("%s\n", word);
        std::fflush(stdout);
    }

    void send_due() {
        if (plan_.rate <= 0) {
            while (!free_.empty() && !is_last()) fire(now_ns());
            return;
        }
        while (!is_last() && due_ns_ <= now_ns()) {
            const int64_t due = due_ns_;
            due_ns_ += plan_.is_constant ? static_cast<int64_t>(1e9 / plan_.rate)
                                         : poisson_gap_ns(plan_.rate, random_);
            if (free_.empty()) {
                waiting_.push_back(due);
                ++scheduled_;
                waiting_max_ = std::max(waiting_max_, waiting_.size());
            } else {
                fire(due);
            }
        }
    }

    void fire(int64_t due_ns, bool is_scheduled = false) {
        const size_t index = free_.front();
        free_.pop_front();
        Conn& conn = conns_[index];
        if (!is_scheduled) ++scheduled_;
        conn.is_busy = true;
        conn.due_ns = due_ns;
        conn.device = plan_.device_of(next_);
        if (conn.device < rung_.size()) ++rung_[conn.device];
        plan_.write(next_++, conn.out);
        ++busy_;
        ++sent_;
        if (plan_.is_per_knock) {
            conn.link = Link::connect(plan_.port, tls_);
            conn.is_up = conn.link.handshake() == Step::done;
            watch(index);
        }
        if (conn.is_up) write(conn);
    }

    void write(Conn& conn) {
        if (conn.link.write(conn.out) != static_cast<ssize_t>(conn.out.size())) {
            throw std::runtime_error("a knock did not fit into its connection");
        }
        conn.sent_ns = now_ns();
        if (is_measured(conn)) lag_.add(conn.sent_ns - conn.due_ns);
    }
    [[nodiscard]] bool is_measured(const Conn& conn) const {
        return conn.due_ns >= begin_ns_ && conn.due_ns < end_ns_;
    }

    void on_ready(size_t index) {
        Conn& conn = conns_[index];
        if (!conn.is_up) {
            const Step step = conn.link.handshake();
            if (step == Step::again) return;
            if (step == Step::failed) return end(index, 0);
            conn.is_up = true;
            if (conn.link.is_resumed()) ++resumed_;
            write(conn);
        }
        bool is_closed = false;
        for (;;) {
            const ssize_t size = conn.link.read(bytes_);
            if (size <= 0) {
                is_closed = size < 0;
                break;
            }
            conn.in.append(bytes_.data(), static_cast<size_t>(size));
            if (static_cast<size_t>(size) < bytes_.size() && !conn.link.has_more()) break;
        }
        int status = 0;
        if (const size_t size = answer_size(conn.in, status); size != 0 && conn.is_busy) {
            conn.in.erase(0, size);
            end(index, status);
        } else if (is_closed) {
            end(index, 0);
        }
    }

    // `status` 0: no answer came.
    void end(size_t index, int status) {
        Conn& conn = conns_[index];
        const int64_t now = now_ns();
        const bool was_busy = std::exchange(conn.is_busy, false);
        if (was_busy) {
            --busy_;
            ++(status >= 200 && status < 300 ? answered_ : errors_);
            if (is_measured(conn) && status != 0) {
                ++measured_;
                answer_.add(now - conn.due_ns);
                if (arrivals_ && conn.device < arrivals_->size()) {
                    const int64_t at =
                        (*arrivals_)[conn.device].end_ns.load(std::memory_order_acquire);
                    if (at >= conn.due_ns) {
                        knock_.add(at - conn.due_ns);
                        path_.add(std::max<int64_t>(at - conn.sent_ns, 1));
                    } else {
                        ++late_;
                    }
                }
            }
        }
        if (plan_.is_per_knock || status == 0) {
            conn.link.close();
            conn.in.clear();
            conn.is_up = false;
            if (!was_busy) return;
            if (!plan_.is_per_knock) open(index);
        }
        free_.push_back(index);
        if (!waiting_.empty()) {
            const int64_t due = waiting_.front();
            waiting_.pop_front();
            fire(due, true);
        }
    }

    void report() {
        uint64_t arrived = 0;
        uint64_t doubled = 0;
        uint64_t lost = 0;
        if (arrivals_) {
            // What was answered early, by a promise, is still on its way.
            const int64_t patience = now_ns() + 1'000'000'000;
            do {
                ::usleep(50'000);
                arrived = doubled = lost = 0;
                for (size_t i = 0; i < rung_.size(); ++i) {
                    const uint64_t count = (*arrivals_)[i].count.load(std::memory_order_relaxed);
                    arrived += count;
                    (count > rung_[i] ? doubled : lost) +=
                        count > rung_[i] ? count - rung_[i] : rung_[i] - count;
                }
            } while (lost != 0 && now_ns() < patience);
            arrived -= arrived_before_;
        }
        const double seconds = static_cast<double>(ended_ns_ - marked_ns_) / 1e9;
        std::printf(
            "{\"sent\":%llu,\"answered\":%llu,\"errors\":%llu,\"unanswered\":%llu,\"arrived\":%llu,"
            "\"doubled\":%llu,\"lost\":%llu,\"late\":%llu,\"resumed\":%llu,\"waiting_max\":%zu,"
            "\"measured\":%llu,\"arrived_measured\":%llu,\"seconds\":%.4f,\"rate\":%.1f",
            number(sent_),
            number(answered_),
            number(errors_),
            number(busy_),
            number(arrived),
            number(doubled),
            number(lost),
            number(late_),
            number(resumed_),
            waiting_max_,
            number(measured_),
            number(arrived_measured_),
            seconds,
            seconds > 0 ? static_cast<double>(measured_) / seconds : 0);
        answer_.print("answer");
        knock_.print("knock");
        path_.print("path");
        lag_.print("lag");
        std::printf("}\n");
    }
    static unsigned long long number(uint64_t value) { return value; }

    static constexpr int64_t kPatience = 5'000'000'000;

    const Plan& plan_;
    TlsContext* tls_;
    std::optional<Arrivals> arrivals_;
    int epoll_;
    std::vector<Conn> conns_;
    std::deque<size_t> free_;
    std::deque<int64_t> waiting_;  // due, and no connection was free
    std::array<char, 16 * 1024> bytes_;
    Random random_{1};
    Latencies answer_;  // due -> answered
    Latencies knock_;   // due -> arrived
    Latencies path_;    // last byte written -> arrived
    Latencies lag_;     // due -> last byte written
    std::vector<uint32_t> rung_;
    uint64_t arrived_before_ = 0;
    uint64_t arrived_at_mark_ = 0;
    uint64_t arrived_measured_ = 0;  // between MARK and END, whenever they were sent
    uint64_t next_ = 0;
    uint64_t scheduled_ = 0;
    uint64_t sent_ = 0;
    uint64_t answered_ = 0;
    uint64_t errors_ = 0;
    uint64_t busy_ = 0;
    uint64_t measured_ = 0;
    uint64_t late_ = 0;
    uint64_t resumed_ = 0;
    size_t waiting_max_ = 0;
    int64_t begin_ns_ = 0;
    int64_t end_ns_ = 0;
    int64_t due_ns_ = 0;
    int64_t marked_ns_ = 0;
    int64_t ended_ns_ = 0;
    bool is_marked_ = false;
    bool is_ended_ = false;
};

}  // namespace

int main(int argc, char** argv) {
    ::prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    take_all_descriptors();
    try {
        const Arguments arguments(argc, argv);
        const Plan plan(arguments);
        std::optional<TlsContext> tls;
        if (arguments.has("--tls")) tls.emplace(TlsContext::client("", arguments.has("--resume")));
        std::optional<Arrivals> arrivals;
        if (arguments.has("--arrivals"))
            arrivals.emplace(Arrivals::open(arguments.text("--arrivals")));
        Load(plan, tls ? &*tls : nullptr, std::move(arrivals)).run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "load: %s\n", error.what());
        return 1;
    }
    return 0;
}
