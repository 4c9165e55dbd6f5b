// SPDX-License-Identifier: GPL-3.0-or-later
// The simulated APNs on real sockets: TLS and HTTP/2 around an ApnsBehavior, one loop, one thread.
//
//     SimApns apns(loop, tls_context, options);     an io::Handler; listener 0 of the loop is APNs
//     apns.behavior().add_key(...)
//     apns.on_control(...)                             listener 1, see apns_control.h
//
// What a test can do to it besides what ApnsBehavior offers: set_delay(), set_stalled(), goaway().
// Owner: main() of sim_apns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "engine/conn_table.h"
#include "io/io.h"
#include "net/loop.h"
#include "tests/mock/apns_behavior.h"
#include "tests/mock/apns_control.h"
#include "tests/mock/http2_server.h"
#include "tls/context.h"
#include "tls/engine.h"

namespace knuckle::mock {

struct SimApnsOptions {
    ApnsOptions apns;
    Duration delay{};              // of every answer
    bool is_fast = false;          // a benchmark's: no validation of requests
    bool prints_arrivals = false;  // a line on stdout for each push
};

class SimApns final : public io::Handler {
public:
    SimApns(net::Loop& loop, const tls::Context& tls, const SimApnsOptions& options);
    ~SimApns();
    SimApns(const SimApns&) = delete;
    SimApns& operator=(const SimApns&) = delete;

    [[nodiscard]] ApnsBehavior& behavior() { return behavior_; }
    void set_delay(Duration delay) { delay_ = delay; }
    // Nothing is read, nothing is answered, but every socket stays open.
    void set_stalled(bool is_stalled);
    // Every connection is told to go away with this reason; what it has sent is answered still.
    void goaway(std::string_view reason);
    void set_clock_offset(Duration offset) { clock_offset_ = offset; }

    [[nodiscard]] size_t connections_open() const { return connections_.size(); }
    [[nodiscard]] uint64_t connections_made() const { return connections_made_; }
    [[nodiscard]] uint64_t handshakes_failed() const { return handshakes_failed_; }

    void on_accepted(io::ConnId id, size_t listener, const io::PeerAddress& peer, Now now) override;
    void on_connected(io::ConnId, Now) override {}
    void on_received(io::ConnId id, MutableBytes bytes, Now now) override;
    void on_closed(io::ConnId id, Error why, Now now) override;
    void on_deadline(Now now) override;
    void before_wait(Now now) override;
    [[nodiscard]] Instant next_deadline() const override;

private:
    struct Connection;
    struct DelayedAnswer;

    [[nodiscard]] Now shifted(Now now) const { return {now.instant, now.unix + clock_offset_}; }
    [[nodiscard]] bool receive(Connection& connection, ByteView bytes, Now now);
    void take_requests(Connection& connection, Now now);
    void respond(Connection& connection, int32_t stream, const ApnsAnswer& answer);
    void say_goodbye(Connection& connection, std::string_view debug);
    void touch(Connection& connection);
    void flush(Connection& connection);
    void remove(Connection& connection);
    void print(const Http2Request& request, const ApnsAnswer& answer) const;

    net::Loop& loop_;
    const tls::Context& tls_;
    SimApnsOptions options_;
    ApnsBehavior behavior_;
    ApnsControl control_;
    engine::ConnTable<Connection> table_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<Connection*> dirty_;
    std::multimap<Instant, DelayedAnswer> delayed_;
    std::vector<uint8_t> plaintext_;
    Duration delay_{};
    Duration clock_offset_{};
    uint64_t connections_made_ = 0;
    uint64_t handshakes_failed_ = 0;
    bool is_stalled_ = false;
};

}  // namespace knuckle::mock
