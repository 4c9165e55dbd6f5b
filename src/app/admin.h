// SPDX-License-Identifier: GPL-3.0-or-later
// The operator's HTTP listener, on the main thread: GET /healthz, /readyz, /metrics,
// /feedback.
//
//     Admin admin(loop, source, context);     an io::Handler for the main loop
//
// It asks for each answer with source(context, path, query), so it knows nothing of what it shows.
// A slow or hostile client here hurts nobody: at most kAdminConnectionsMax, each closed after
// kAdminTimeout without a request, or when it leaves kAdminUnsentMax bytes of answers unread.
// Owner: app::Supervisor.  Thread: the main one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/list.h"
#include "base/pool.h"
#include "engine/conn_table.h"
#include "http1/parser.h"
#include "io/io.h"
#include "net/loop.h"

namespace knuckle::app {

inline constexpr size_t kAdminConnectionsMax = 64;
inline constexpr Duration kAdminTimeout = seconds(30);
inline constexpr size_t kAdminUnsentMax = 1024 * 1024;

struct Page {
    uint16_t status = 404;
    std::string_view content_type = "text/plain; charset=utf-8";
    std::string body = "Not found. There are /healthz, /readyz, /metrics and /feedback.\n";
};

class Admin final : public io::Handler {
public:
    using Source = Page (*)(void* context, std::string_view path, std::string_view query);
    // Called once a second, for what the main thread does on time.
    using Tick = void (*)(void* context, Now now);

    Admin(net::Loop& loop, Source source, Tick tick, void* context);
    ~Admin();
    Admin(const Admin&) = delete;
    Admin& operator=(const Admin&) = delete;

    void on_accepted(io::ConnId id, size_t listener, const io::PeerAddress& peer, Now now) override;
    void on_connected(io::ConnId id, Now now) override;
    void on_received(io::ConnId id, MutableBytes bytes, Now now) override;
    void on_closed(io::ConnId id, Error why, Now now) override;
    void on_deadline(Now now) override;
    void before_wait(Now now) override;
    [[nodiscard]] Instant next_deadline() const override { return next_tick_; }

private:
    struct Conn {
        io::ConnId id;
        Link link;      // who asked least recently first
        Instant asked;  // last, or accepted
        http1::Parser parser;
    };

    bool answer(Conn& conn, Now now);
    void refuse(Conn& conn);
    void remove(Conn& conn);

    net::Loop& loop_;
    const Source source_;
    const Tick tick_;
    void* const context_;
    Pool<Conn> conns_;
    engine::ConnTable<Conn> table_;
    List<Conn, &Conn::link> by_age_;
    Instant next_tick_{};
};

}  // namespace knuckle::app
