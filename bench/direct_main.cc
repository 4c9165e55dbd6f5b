// SPDX-License-Identifier: GPL-3.0-or-later
// Pushes to mock_apns without a gateway, over one HTTP/2 connection: the latency that a path
// through a gateway is compared with, and how much the mock can take.
//
//     direct --port P --arrivals FILE [--rate R | --in-flight N] [--warm S] [--seconds S]
//
// Poisson arrivals at a rate, latency from the moment a push was due; or so many in flight all the
// time. Prints MARK, END and a line of JSON, as load does.
#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "base/random.h"
#include "bench/arguments.h"
#include "bench/arrivals.h"
#include "bench/latencies.h"
#include "bench/link.h"

namespace {

using namespace knuckle;
using namespace knuckle::bench;

constexpr std::string_view kPayload =
    R"({"aps":{"alert":"New message","mutable-content":1,"sound":"default"}})";
constexpr int64_t kPatience = 5'000'000'000;

// Names and values live as long as the program or until submit() returns; all of them are copied.
nghttp2_nv field(std::string_view name, std::string_view value, bool is_indexed = true) {
    const auto bytes = [](std::string_view text) {
        return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
    };
    const int flags = is_indexed ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX;
    return {bytes(name), bytes(value), name.size(), value.size(), static_cast<uint8_t>(flags)};
}

class Direct {
public:
    explicit Direct(const Arguments& arguments)
        : rate_(arguments.real("--rate", 0)),
          in_flight_max_(arguments.count("--in-flight", 500)),
          warm_ns_(static_cast<int64_t>(arguments.real("--warm", 0.5) * 1e9)),
          measured_ns_(static_cast<int64_t>(arguments.real("--seconds", 2) * 1e9)),
          tls_(TlsContext::client("h2")),
          link_(Link::connect(static_cast<uint16_t>(arguments.count("--port", 0)), &tls_)),
          arrivals_(Arrivals::open(arguments.text("--arrivals"))),
          sent_(arrivals_.size()),
          epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        const int64_t patience = now_ns() + kPatience;
        for (Step step = link_.handshake(); step != Step::done; step = link_.handshake()) {
            if (step == Step::failed || now_ns() > patience)
                throw std::runtime_error("no handshake");
            ::usleep(50);
        }
        epoll_event event{};
        event.events = EPOLLIN;
        ::epoll_ctl(epoll_, EPOLL_CTL_ADD, link_.fd(), &event);
        nghttp2_session_callbacks* callbacks = nullptr;
        nghttp2_session_callbacks_new(&callbacks);
        nghttp2_session_callbacks_set_on_stream_close_callback(
            callbacks, [](nghttp2_session*, int32_t stream, uint32_t error, void* direct) {
                static_cast<Direct*>(direct)->end(stream, error);
                return 0;
            });
        nghttp2_session_client_new(&session_, callbacks, this);
        nghttp2_session_callbacks_del(callbacks);
        nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
    }
    Direct(const Direct&) = delete;
    Direct& operator=(const Direct&) = delete;
    ~Direct() {
        nghttp2_session_del(session_);
        ::close(epoll_);
    }

    void run() {
        const int64_t begin = now_ns() + warm_ns_;
        const int64_t end = begin + measured_ns_;
        begin_ns_ = begin;
        end_ns_ = end;
        due_ns_ = now_ns();
        bool is_marked = false;
        while (now_ns() < end || (in_flight_ != 0 && now_ns() < end + kPatience)) {
            if (!is_marked && now_ns() >= begin) {
                is_marked = true;
                say("MARK");
            }
            push_due();
            flush();
            wait();
            read();
        }
        say("END");
        report();
    }

private:
    struct Push {
        int64_t due_ns = 0;
        int64_t sent_ns = 0;
    };

    static void say(const char* word) {
        std::printf("%s\n", word);
        std::fflush(stdout);
    }

    void push_due() {
        if (rate_ <= 0) {
            while (in_flight_ < in_flight_max_ && now_ns() < end_ns_) push(now_ns());
            return;
        }
        while (due_ns_ <= now_ns() && due_ns_ < end_ns_) {
            push(due_ns_);
            due_ns_ += poisson_gap_ns(rate_, random_);
        }
    }

    void push(int64_t due_ns) {
        const size_t device = next_++ % sent_.size();
        const std::string path = "/3/device/" + device_text(device);
        const std::array fields = {field(":method", "POST"),
                                   field(":scheme", "https"),
                                   field(":authority", "localhost"),
                                   field(":path", path, false),
                                   field("authorization", authorization_, false),
                                   field("apns-id", "6f1c2d3e-0000-4000-8000-000000000000", false),
                                   field("apns-topic", "org.example.chat"),
                                   field("apns-push-type", "alert"),
                                   field("apns-priority", "10")};
        nghttp2_data_provider body{};
        body.read_callback = [](nghttp2_session*,
                                int32_t,
                                uint8_t* into,
                                size_t,
                                uint32_t* flags,
                                nghttp2_data_source*,
                                void*) {
            *flags |= NGHTTP2_DATA_FLAG_EOF;
            kPayload.copy(reinterpret_cast<char*>(into), kPayload.size());
            return static_cast<ssize_t>(kPayload.size());
        };
        auto* const number = reinterpret_cast<void*>(device);
        if (nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), &body, number) <
            0) {
            throw std::runtime_error("a push was not submitted");
        }
        sent_[device] = {due_ns, now_ns()};
        ++in_flight_;
    }

    void flush() {
        const uint8_t* bytes = nullptr;
        for (;;) {
            const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
            if (size <= 0) break;
            out_.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
        }
        if (out_.empty()) return;
        const ssize_t size = link_.write(out_);
        if (size < 0) throw std::runtime_error("the connection broke");
        out_.erase(0, static_cast<size_t>(size));
    }

    void wait() {
        timespec patience{.tv_sec = 0, .tv_nsec = 1'000'000};
        if (rate_ > 0 && due_ns_ < end_ns_)
            patience.tv_nsec = std::clamp<int64_t>(due_ns_ - now_ns(), 0, patience.tv_nsec);
        epoll_event event{};
        ::epoll_pwait2(epoll_, &event, 1, &patience, nullptr);
    }

    void read() {
        for (;;) {
            const ssize_t size = link_.read(bytes_);
            if (size < 0) throw std::runtime_error("the connection broke");
            if (size == 0) return;
            const auto* const bytes = reinterpret_cast<const uint8_t*>(bytes_.data());
            if (nghttp2_session_mem_recv(session_, bytes, static_cast<size_t>(size)) < 0)
                throw std::runtime_error("bad HTTP/2");
        }
    }

    void end(int32_t stream, uint32_t error) {
        const auto device =
            reinterpret_cast<size_t>(nghttp2_session_get_stream_user_data(session_, stream));
        --in_flight_;
        if (error != 0) ++errors_;
        const Push& push = sent_[device];
        if (push.due_ns < begin_ns_ || push.due_ns >= end_ns_) return;
        ++measured_;
        answer_.add(now_ns() - push.due_ns);
        lag_.add(push.sent_ns - push.due_ns);
        const int64_t arrived = arrivals_[device].end_ns.load(std::memory_order_acquire);
        if (arrived < push.due_ns) return;
        knock_.add(arrived - push.due_ns);
        path_.add(std::max<int64_t>(arrived - push.sent_ns, 1));
    }

    void report() const {
        std::printf("{\"measured\":%llu,\"errors\":%llu,\"unanswered\":%zu,\"rate\":%.1f",
                    static_cast<unsigned long long>(measured_),
                    static_cast<unsigned long long>(errors_),
                    in_flight_,
                    static_cast<double>(measured_) * 1e9 / static_cast<double>(measured_ns_));
        answer_.print("answer");
        knock_.print("knock");
        path_.print("path");
        lag_.print("lag");
        std::printf("}\n");
    }

    double rate_;
    size_t in_flight_max_;
    int64_t warm_ns_;
    int64_t measured_ns_;
    TlsContext tls_;
    Link link_;
    Arrivals arrivals_;
    std::vector<Push> sent_;  // by device
    int epoll_;
    nghttp2_session* session_ = nullptr;
    std::string authorization_ = "bearer " + std::string(204, 'j');
    std::string out_;
    std::array<char, 16 * 1024> bytes_;
    Random random_{1};
    Latencies answer_;
    Latencies knock_;
    Latencies path_;
    Latencies lag_;
    size_t next_ = 0;
    size_t in_flight_ = 0;
    uint64_t measured_ = 0;
    uint64_t errors_ = 0;
    int64_t begin_ns_ = 0;
    int64_t end_ns_ = 0;
    int64_t due_ns_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    ::prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    try {
        Direct(Arguments(argc, argv)).run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "direct: %s\n", error.what());
        return 1;
    }
    return 0;
}
