// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/probe.h"

#include <array>
#include <utility>

#include "base/buffer.h"
#include "http1/response.h"
#include "http2/session.h"
#include "net/loop.h"
#include "tls/engine.h"

namespace knuckle::app {

namespace {

class Probe final : public io::Handler {
public:
    explicit Probe(const ProbeOptions& options)
        : options_(options),
          loop_({.connections_max = 4}),
          sealed_(loop_.chunks()),
          session_(http2::SessionOptions{}),
          tls_(*options.tls,
               {.server_name = options.server_name, .shown = &result_.shown},
               sealed_) {}

    ProbeResult run() {
        deadline_ = loop_.now().instant + kProbeTimeout;
        id_ = loop_.connect(options_.endpoint);
        loop_.run(*this);
        return std::move(result_);
    }

    void on_accepted(io::ConnId, size_t, const io::PeerAddress&, Now) override {}

    void on_connected(io::ConnId, Now) override {
        result_.stage = Stage::connected;
        if (const Result<void> started = tls_.start(); !started) end(started.error());
    }

    void on_received(io::ConnId, MutableBytes bytes, Now) override {
        if (has_ended_) return;
        if (const Result<void> read = receive(bytes); !read) end(read.error());
    }

    void on_closed(io::ConnId, Error why, Now) override {
        id_ = {};
        end(why);
    }

    void on_deadline(Now) override { end(fail(Errc::unavailable, "nothing came for 10 seconds")); }

    // What TLS has to say at the end is sent as well: it tells the provider why.
    void before_wait(Now) override {
        if (has_stopped_) return;
        if (!has_ended_ && tls_.is_ready()) say();
        if (!id_.is_null() && !sealed_.is_empty()) loop_.send(id_, sealed_);
        if (!has_ended_) return;
        has_stopped_ = true;
        if (!id_.is_null()) loop_.close(id_);
        loop_.stop();
    }

    [[nodiscard]] Instant next_deadline() const override { return deadline_; }

private:
    Result<void> receive(ByteView bytes) {
        tls_.feed(bytes);
        std::array<uint8_t, 16 * 1024> plain;
        for (;;) {
            const size_t size = KNUCKLE_TRY(tls_.open(plain));
            if (tls_.is_ready() && result_.stage == Stage::connected)
                result_.stage = Stage::trusted;
            if (size == 0) return {};
            KNUCKLE_TRY(session_.feed({plain.data(), size}));
            // The first frame of a server is SETTINGS, or the session has just failed.
            if (result_.stage == Stage::trusted) result_.stage = Stage::greeted;
            read_events();
            if (options_.head == nullptr) end({});
        }
    }

    void read_events() {
        http2::Event event;
        while (session_.next_event(event)) {
            if (event.kind == http2::EventKind::response) {
                result_.stage = Stage::answered;
                result_.status = event.status;
                result_.body = to_text(event.body);
                if (const auto date = http1::parse_http_date(session_.date()))
                    result_.clock_ahead = *date - loop_.now().unix;
                end({});
            } else if (event.kind == http2::EventKind::refused ||
                       event.kind == http2::EventKind::reset) {
                end(fail(Errc::unavailable, "the provider ended the request without an answer"));
            }
        }
    }

    void say() {
        Buffer plain(loop_.chunks());
        if (options_.head != nullptr && !has_asked_) {
            has_asked_ = true;
            if (const auto sent = session_.submit(*options_.head, options_.body, 1, plain); !sent)
                return end(sent.error());
        }
        Result<void> done = session_.drain(plain);
        if (done) done = tls_.seal(plain);
        if (!done) end(done.error());
    }

    static std::string to_text(ByteView bytes) {
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }

    // The first reason counts. The loop stops in before_wait(), which follows at once.
    void end(Error why) {
        if (has_ended_) return;
        has_ended_ = true;
        result_.why = why;
    }

    const ProbeOptions& options_;
    net::Loop loop_;
    Buffer sealed_;
    http2::Session session_;
    ProbeResult result_;
    tls::Engine tls_;
    io::ConnId id_;
    Instant deadline_{};
    bool has_asked_ = false;
    bool has_ended_ = false;
    bool has_stopped_ = false;
};

}  // namespace

ProbeResult probe(const ProbeOptions& options) { return Probe(options).run(); }

}  // namespace knuckle::app
