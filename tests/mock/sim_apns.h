// SPDX-License-Identifier: GPL-3.0-or-later
// The simulated APNs on real sockets: TLS and HTTP/2 around an ApnsBehavior, one loop, one thread.
//
//     SimApns apns(loop, tls_context, options);     an io::Handler; listener 0 of the loop is APNs
//     apns.behavior().add_key(...)
//     apns.on_control(...)                             listener 1, see apns_control.h
//
// What a test can do to it besides what ApnsBehavior offers: faults() for single requests,
// transport() and set_tls() for connections that come, set_delay(), set_stalled(), goaway(),
// cut() and set_streams_max() for those that are there.
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
#include "tests/mock/apns_faults.h"
#include "tests/mock/http2_server.h"
#include "tls/context.h"
#include "tls/engine.h"

namespace knuckle::mock {

inline constexpr std::string_view kDemandsCertificate = "demands_certificate";

struct SimApnsOptions {
    ApnsOptions apns;
    Duration delay{};              // of every answer
    bool is_fast = false;          // a benchmark's: no validation of requests
    bool prints_arrivals = false;  // a line on stdout for each push
};

// How connections are made and written to.
struct ApnsTransport {
    Http2ServerOptions http2 = {};
    Duration handshake_delay{};    // before a byte of the client's is read
    Duration settings_delay{};     // before our SETTINGS and all that follows
    bool closes_on_hello = false;  // at the first byte of a handshake
    bool refuses = false;          // closed as soon as it is accepted
    bool dribbles = false;         // a TLS record for each byte
    bool says_date = false;        // answers name the time, by the clock that judges tokens
    bool says_trailers = false;    // a trailer behind each answer
    Duration ping_delay{};         // before a PING is answered; needs http2.acks_pings to be off
};

// Of all connections so far, those that have ended included.
struct ApnsTransportCounts {
    uint64_t pings = 0;
    uint64_t priority_frames = 0;
    uint64_t resets = 0;
    uint64_t heads_too_large = 0;
    uint64_t streams_open_peak = 0;
    // Fields that entered the dynamic table and must not; needs http2.inspects_hpack.
    uint64_t hpack_offences = 0;
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
    // Every connection is told to go away with this debug text; what it has sent is answered still.
    void goaway(std::string_view debug);
    // The same after an announcement (RFC 9113 section 6.8), and said twice.
    void goaway_slowly(std::string_view debug, Duration notice, Now now);
    // The connections that are there go silent for good, as when a firewall has forgotten them.
    void freeze();
    // Every connection is gone, without a word.
    void cut();
    void set_streams_max(uint32_t streams_max);
    [[nodiscard]] ApnsFaults& faults() { return faults_; }
    // For connections that are accepted from now on.
    [[nodiscard]] ApnsTransport& transport() { return transport_; }
    void reset_transport();
    // What connections to come can be shown; the contexts live as long as this. Who gets through
    // the one called kDemandsCertificate has shown a certificate.
    void add_tls(std::string_view mode, const tls::Context& tls) {
        faces_[std::string(mode)] = &tls;
    }
    // False: there is no such mode.
    bool choose_tls(std::string_view mode);
    void set_clock_offset(Duration offset) { clock_offset_ = offset; }

    [[nodiscard]] size_t connections_open() const { return connections_.size(); }
    [[nodiscard]] uint64_t connections_made() const { return connections_made_; }
    [[nodiscard]] ApnsTransportCounts transport_counts() const;
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
    struct Later;

    [[nodiscard]] Now shifted(Now now) const { return {now.instant, now.unix + clock_offset_}; }
    [[nodiscard]] bool receive(Connection& connection, ByteView bytes, Now now);
    // False: this connection is gone.
    bool take_requests(Connection& connection, Now now);
    bool suffer(Connection& connection, const Http2Request& request, const Fault& fault, Now now);
    void answer_later(Connection& connection,
                      int32_t stream,
                      const ApnsAnswer& answer,
                      Instant when);
    void respond(Connection& connection,
                 int32_t stream,
                 const ApnsAnswer& answer,
                 const Fault* fault = nullptr);
    void seal(Connection& connection);
    void break_off(Connection& connection);
    void say_goodbye(Connection& connection, std::string_view debug);
    void leave(Connection& connection, int32_t last_stream, std::string_view debug);
    static void add_counts(const Connection& connection, ApnsTransportCounts& counts);
    void touch(Connection& connection);
    void flush(Connection& connection);
    void remove(Connection& connection);
    void print(const Http2Request& request, const ApnsAnswer& answer) const;

    net::Loop& loop_;
    const tls::Context* tls_;
    bool demands_certificates_ = false;
    std::map<std::string, const tls::Context*, std::less<>> faces_;
    SimApnsOptions options_;
    ApnsBehavior behavior_;
    ApnsControl control_;
    engine::ConnTable<Connection> table_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<Connection*> dirty_;
    std::multimap<Instant, DelayedAnswer> delayed_;
    std::multimap<Instant, Later> later_;
    ApnsFaults faults_;
    ApnsTransport transport_;
    ApnsTransportCounts counts_of_ended_;
    std::vector<uint8_t> plaintext_;
    Duration delay_{};
    Duration clock_offset_{};
    uint64_t connections_made_ = 0;
    uint64_t handshakes_failed_ = 0;
    bool is_stalled_ = false;
};

}  // namespace knuckle::mock
