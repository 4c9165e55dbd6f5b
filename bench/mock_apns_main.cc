// SPDX-License-Identifier: GPL-3.0-or-later
// A simulated APNs that costs as little as it can, for measuring what stands before it: frames and
// streams are read by hand, nghttp2 decodes header blocks only, nothing is validated, and every
// push is answered 200. (tests/mock is the one that judges.)
//
//     mock_apns --port P --cert FILE --key FILE
//               [--arrivals FILE --devices N]   stamps (arrivals.h)
//               [--delay-us D]                  each answer comes so much later
//               [--max-streams M] [--goaway-every N]
//               [--stall-for S]                 is silent for so long at each SIGUSR1
//
// Says READY, and on SIGTERM what it saw, as JSON. One thread, one epoll.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <unordered_map>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "bench/arguments.h"
#include "bench/arrivals.h"
#include "bench/link.h"

namespace {

using namespace knuckle::bench;

volatile std::sig_atomic_t is_stopped = 0;
volatile std::sig_atomic_t is_to_stall = 0;

struct Options {
    uint64_t delay_ns;
    uint32_t streams_max;
    uint64_t goaway_every;
};

struct Seen {
    uint64_t pushes = 0;
    uint64_t connections = 0;
    uint64_t goaways = 0;
};

// RFC 9113, section 4.1 and 6.
enum class Type : uint8_t {
    data,
    headers,
    priority,
    reset,
    settings,
    promise,
    ping,
    goaway,
    window
};
constexpr uint8_t kContinuation = 9;
constexpr uint8_t kEndStream = 0x1;
constexpr uint8_t kAck = 0x1;
constexpr uint8_t kEndHeaders = 0x4;
constexpr uint8_t kPadded = 0x8;
constexpr uint8_t kPriority = 0x20;
constexpr size_t kHeadSize = 9;
constexpr size_t kPrefaceSize = 24;
constexpr uint32_t kWindowStep = 1u << 30;
constexpr size_t kIdSize = 36;

void put_u32(std::string& out, uint32_t value) {
    for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(value >> shift & 0xff);
}

void put_head(std::string& out, size_t size, uint8_t type, uint8_t flags, uint32_t stream) {
    out += static_cast<char>(size >> 16 & 0xff);
    out += static_cast<char>(size >> 8 & 0xff);
    out += static_cast<char>(size & 0xff);
    out += static_cast<char>(type);
    out += static_cast<char>(flags);
    put_u32(out, stream);
}

uint32_t u32_at(const uint8_t* at) {
    return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
}

class Connection {
public:
    Connection(Link link, const Options& options, Arrivals* arrivals, Seen& seen)
        : link_(std::move(link)), options_(options), arrivals_(arrivals), seen_(seen) {
        if (nghttp2_hd_inflate_new(&inflater_) != 0) throw std::bad_alloc();
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { nghttp2_hd_inflate_del(inflater_); }

    // False: the connection is over. Streams to be answered later go to `later`.
    template <typename Later>
    bool on_readable(Later later) {
        if (!is_up_) {
            const Step step = link_.handshake();
            if (step != Step::done) return step == Step::again;
            is_up_ = true;
            greet();
        }
        for (;;) {
            if (in_.size() < in_size_ + kReadSize) in_.resize(in_size_ + kReadSize);
            const ssize_t size = link_.read({in_.data() + in_size_, kReadSize});
            if (size == Link::kAgain) break;
            if (size < 0) return false;
            in_size_ += static_cast<size_t>(size);
            if (!consume(later)) return false;
            if (static_cast<size_t>(size) < kReadSize && !link_.has_more()) break;
        }
        return flush();
    }

    void answer(uint32_t stream) {
        // :status 200 by index, apns-id as a literal with a literal name (RFC 7541, section 6).
        static constexpr std::string_view kFields(
            "\x88\x00\x07"
            "apns-id\x24",
            11);
        const Stream& request = streams_[slot_of(stream)];
        put_head(out_,
                 kFields.size() + kIdSize,
                 static_cast<uint8_t>(Type::headers),
                 kEndStream | kEndHeaders,
                 stream);
        out_ += kFields;
        out_.append(request.id.data(), kIdSize);
        ++seen_.pushes;
        if (options_.goaway_every != 0 && ++answered_ == options_.goaway_every) {
            put_head(out_, 8, static_cast<uint8_t>(Type::goaway), 0, 0);
            put_u32(out_, last_stream_);
            put_u32(out_, 0);
            stream_limit_ = last_stream_;
            ++seen_.goaways;
        }
    }

    bool flush() {
        size_t begin = 0;
        while (begin < out_.size()) {
            const ssize_t size = link_.write(std::string_view(out_).substr(begin));
            if (size < 0) return false;
            if (size == 0) break;
            begin += static_cast<size_t>(size);
        }
        out_.erase(0, begin);
        return true;
    }

    [[nodiscard]] int fd() const { return link_.fd(); }
    [[nodiscard]] bool wants_to_write() const { return !out_.empty(); }
    bool is_writing = false;

private:
    struct Stream {
        size_t device = SIZE_MAX;
        std::array<char, kIdSize> id;
    };
    static constexpr size_t kReadSize = 64 * 1024;
    static constexpr size_t kStreams = 16 * 1024;

    static size_t slot_of(uint32_t stream) { return stream / 2 % kStreams; }

    void greet() {
        put_head(out_, 6, static_cast<uint8_t>(Type::settings), 0, 0);
        out_ += std::string_view("\x00\x03", 2);  // SETTINGS_MAX_CONCURRENT_STREAMS
        put_u32(out_, options_.streams_max);
        widen();
    }
    void widen() {
        put_head(out_, 4, static_cast<uint8_t>(Type::window), 0, 0);
        put_u32(out_, kWindowStep);
    }

    template <typename Later>
    bool consume(Later later) {
        const auto* const bytes = reinterpret_cast<const uint8_t*>(in_.data());
        size_t at = 0;
        if (!is_greeted_) {
            if (in_size_ < kPrefaceSize) return true;
            is_greeted_ = true;
            at = kPrefaceSize;
        }
        while (in_size_ - at >= kHeadSize) {
            const uint8_t* const head = bytes + at;
            const size_t size = u32_at(head) >> 8;
            if (in_size_ - at < kHeadSize + size) break;
            if (!on_frame(head[3],
                          head[4],
                          u32_at(head + 5) & 0x7fffffff,
                          head + kHeadSize,
                          size,
                          later)) {
                return false;
            }
            at += kHeadSize + size;
        }
        in_size_ -= at;
        std::memmove(in_.data(), in_.data() + at, in_size_);
        return true;
    }

    template <typename Later>
    bool on_frame(uint8_t type,
                  uint8_t flags,
                  uint32_t stream,
                  const uint8_t* payload,
                  size_t size,
                  Later later) {
        if (type == static_cast<uint8_t>(Type::headers)) {
            is_last_ = (flags & kEndStream) != 0;
            if ((flags & kPadded) != 0) {
                if (size < 1 || payload[0] >= size) return false;
                size -= payload[0] + size_t{1};
                ++payload;
            }
            if ((flags & kPriority) != 0) {
                if (size < 5) return false;
                payload += 5;
                size -= 5;
            }
            last_stream_ = std::max(last_stream_, stream);
            Stream& request = streams_[slot_of(stream)];
            request.device = SIZE_MAX;
            std::snprintf(
                request.id.data(), request.id.size(), "%08x-0000-4000-8000-00000000000", stream);
            request.id.back() = '0';
            return on_block(flags, stream, payload, size, later);
        }
        if (type == kContinuation) return on_block(flags, stream, payload, size, later);
        if (type == static_cast<uint8_t>(Type::data)) {
            received_ += size;
            if (received_ >= kWindowStep / 2) {
                received_ = 0;
                widen();
            }
            if ((flags & kEndStream) != 0 && stream <= stream_limit_) end(stream, later);
        } else if (type == static_cast<uint8_t>(Type::settings) && (flags & kAck) == 0) {
            put_head(out_, 0, static_cast<uint8_t>(Type::settings), kAck, 0);
        } else if (type == static_cast<uint8_t>(Type::ping) && (flags & kAck) == 0 && size == 8) {
            put_head(out_, 8, static_cast<uint8_t>(Type::ping), kAck, 0);
            out_.append(reinterpret_cast<const char*>(payload), size);
        }
        return true;
    }

    template <typename Later>
    bool on_block(uint8_t flags, uint32_t stream, const uint8_t* block, size_t size, Later later) {
        const int is_final = (flags & kEndHeaders) != 0 ? 1 : 0;
        Stream& request = streams_[slot_of(stream)];
        for (;;) {
            nghttp2_nv field;
            int seen = 0;
            const ssize_t used =
                nghttp2_hd_inflate_hd2(inflater_, &field, &seen, block, size, is_final);
            if (used < 0) return false;
            block += used;
            size -= static_cast<size_t>(used);
            if ((seen & NGHTTP2_HD_INFLATE_EMIT) != 0) on_field(request, field);
            if ((seen & NGHTTP2_HD_INFLATE_FINAL) != 0) {
                nghttp2_hd_inflate_end_headers(inflater_);
                break;
            }
            if ((seen & NGHTTP2_HD_INFLATE_EMIT) == 0 && size == 0) break;
        }
        if (is_final == 0) return true;
        // What came after a GOAWAY was not seen, by its own words: the client sends it elsewhere.
        if (stream > stream_limit_) return true;
        if (arrivals_ != nullptr && request.device < arrivals_->size()) {
            (*arrivals_)[request.device].headers_ns.store(now_ns(), std::memory_order_relaxed);
        }
        if (is_last_) end(stream, later);
        return true;
    }

    static void on_field(Stream& request, const nghttp2_nv& field) {
        const std::string_view name(reinterpret_cast<const char*>(field.name), field.namelen);
        const std::string_view value(reinterpret_cast<const char*>(field.value), field.valuelen);
        constexpr std::string_view kPath = "/3/device/";
        if (name == ":path" && value.starts_with(kPath)) {
            request.device = device_number(value.substr(kPath.size()));
        } else if (name == "apns-id" && value.size() == kIdSize) {
            value.copy(request.id.data(), kIdSize);
        }
    }

    template <typename Later>
    void end(uint32_t stream, Later later) {
        const Stream& request = streams_[slot_of(stream)];
        if (arrivals_ != nullptr) arrivals_->total().fetch_add(1, std::memory_order_relaxed);
        if (arrivals_ != nullptr && request.device < arrivals_->size()) {
            Arrival& arrival = (*arrivals_)[request.device];
            arrival.end_ns.store(now_ns(), std::memory_order_relaxed);
            arrival.count.fetch_add(1, std::memory_order_release);
        }
        if (options_.delay_ns == 0) {
            answer(stream);
        } else {
            later(stream);
        }
    }

    Link link_;
    const Options& options_;
    Arrivals* arrivals_;
    Seen& seen_;
    nghttp2_hd_inflater* inflater_ = nullptr;
    std::vector<char> in_;
    size_t in_size_ = 0;
    std::string out_;
    std::vector<Stream> streams_{kStreams};
    uint64_t received_ = 0;
    uint64_t answered_ = 0;
    uint32_t last_stream_ = 0;
    uint32_t stream_limit_ = UINT32_MAX;
    bool is_up_ = false;
    bool is_greeted_ = false;
    bool is_last_ = false;
};

// Who is to be answered, and when.
struct Due {
    int64_t at_ns;
    uint64_t connection;
    uint32_t stream;
};

class Server {
public:
    Server(const Arguments& arguments)
        : options_{.delay_ns = arguments.count("--delay-us", 0) * 1'000,
                   .streams_max = static_cast<uint32_t>(arguments.count("--max-streams", 1'000)),
                   .goaway_every = arguments.count("--goaway-every", 0)},
          stall_for_us_(static_cast<useconds_t>(arguments.real("--stall-for", 0) * 1e6)),
          tls_(TlsContext::server(arguments.text("--cert"), arguments.text("--key"), "h2")),
          epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        if (arguments.has("--arrivals")) {
            arrivals_.emplace(Arrivals::create(arguments.text("--arrivals"),
                                               arguments.count("--devices", 1'000'000)));
        }
        listener_ = listen_on(static_cast<uint16_t>(arguments.count("--port", 0)));
        watch(EPOLL_CTL_ADD, listener_, EPOLLIN, 0);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() {
        ::close(listener_);
        ::close(epoll_);
    }

    void run() {
        std::array<epoll_event, 64> events;
        while (is_stopped == 0) {
            if (is_to_stall != 0) {
                is_to_stall = 0;
                ::usleep(stall_for_us_);
            }
            timespec patience{.tv_sec = 0, .tv_nsec = 100'000'000};
            if (!due_.empty()) {
                const int64_t wait = due_.front().at_ns - now_ns();
                patience.tv_nsec = std::clamp<int64_t>(wait, 0, patience.tv_nsec);
            }
            const int count =
                ::epoll_pwait2(epoll_, events.data(), events.size(), &patience, nullptr);
            for (int i = 0; i < count; ++i) {
                const uint64_t id = events[static_cast<size_t>(i)].data.u64;
                if (id == 0) {
                    accept();
                } else {
                    on_ready(id);
                }
            }
            answer_due();
        }
        std::printf("{\"pushes\":%llu,\"connections\":%llu,\"goaways\":%llu}\n",
                    static_cast<unsigned long long>(seen_.pushes),
                    static_cast<unsigned long long>(seen_.connections),
                    static_cast<unsigned long long>(seen_.goaways));
    }

private:
    void watch(int operation, int fd, uint32_t events, uint64_t id) {
        epoll_event event{};
        event.events = events;
        event.data.u64 = id;
        ::epoll_ctl(epoll_, operation, fd, &event);
    }

    void accept() {
        for (;;) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) return;
            const uint64_t id = ++seen_.connections;
            connections_.emplace(
                id,
                std::make_unique<Connection>(
                    Link(fd, &tls_), options_, arrivals_ ? &*arrivals_ : nullptr, seen_));
            watch(EPOLL_CTL_ADD, fd, EPOLLIN, id);
        }
    }

    void on_ready(uint64_t id) {
        const auto at = connections_.find(id);
        if (at == connections_.end()) return;
        const auto later = [&](uint32_t stream) {
            due_.push_back({now_ns() + static_cast<int64_t>(options_.delay_ns), id, stream});
        };
        finish(id, *at->second, at->second->on_readable(later));
    }

    void finish(uint64_t id, Connection& connection, bool is_alive) {
        if (!is_alive) {
            connections_.erase(id);
        } else if (connection.wants_to_write() != connection.is_writing) {
            connection.is_writing = connection.wants_to_write();
            watch(EPOLL_CTL_MOD,
                  connection.fd(),
                  EPOLLIN | (connection.is_writing ? uint32_t{EPOLLOUT} : 0u),
                  id);
        }
    }

    void answer_due() {
        if (due_.empty()) return;
        const int64_t now = now_ns();
        std::vector<uint64_t> touched;
        for (; !due_.empty() && due_.front().at_ns <= now; due_.pop_front()) {
            const auto at = connections_.find(due_.front().connection);
            if (at == connections_.end()) continue;
            at->second->answer(due_.front().stream);
            if (touched.empty() || touched.back() != at->first) touched.push_back(at->first);
        }
        for (const uint64_t id : touched) {
            const auto at = connections_.find(id);
            if (at != connections_.end()) finish(id, *at->second, at->second->flush());
        }
    }

    Options options_;
    useconds_t stall_for_us_;
    Seen seen_;
    TlsContext tls_;
    std::optional<Arrivals> arrivals_;
    int epoll_;
    int listener_ = -1;
    std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
    std::deque<Due> due_;
};

}  // namespace

int main(int argc, char** argv) {
    ::prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGTERM, [](int) { is_stopped = 1; });
    std::signal(SIGUSR1, [](int) { is_to_stall = 1; });
    try {
        Server server{Arguments(argc, argv)};
        std::printf("READY\n");
        std::fflush(stdout);
        server.run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "mock_apns: %s\n", error.what());
        return 1;
    }
    return 0;
}
