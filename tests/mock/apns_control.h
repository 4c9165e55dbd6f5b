// SPDX-License-Identifier: GPL-3.0-or-later
// How a test steers the simulated APNs and asks it what it has seen: plain HTTP/1.1 on loopback,
// JSON both ways.
//
//   GET  /ledger           counters of all requests since the start or the last reset
//   GET  /arrivals         the last requests as they came, oldest first
//   GET  /pushes/ID        one push: how often it came, how often it was accepted
//   GET  /devices/TOKEN    the same for all pushes to one device
//   POST /tokens           {"token", "state", "timestamp", "environment"}: good, unregistered,
//                          expired, bad or wrong_topic; the time in ms; sandbox or production, and
//                          bad in the other one
//   POST /keys             {"environment", "topics": [...]}: what keys are good for; what is left
//                          out is as usual, all
//   POST /delay            {"ms"}: before each answer
//   POST /fail           {"status", "reason", "for_requests", "for_ms"}: without the last two until
//                          a reset
//   POST /stall            {"on": true}: reads and writes nothing, keeps the sockets
//   POST /goaway           {"reason", "body", "notice_ms"}: on every connection; the debug text
//                          is {"reason":...} unless "body" says what; with a notice, 2^31-1 first
//   POST /cut              every connection is gone
//   POST /freeze           the connections that are there go silent for good, new ones work
//   POST /streams          {"max"}: on every connection, from now on
//   POST /faults           a rule for single requests, see apns_faults.h: {"fault"} is answer,
//                          late, silence, reset, cut_answer, half_answer, goaway or hang_up;
//                          {"device"} how its token begins, {"skip", "every", "for_requests",
//                          "for_ms"} which and how long;
//                          {"accepted", "status", "reason", "body", "retry_after", "code", "ms"}
//   POST /transport        of connections to come, and what is left out is as usual:
//                          {"streams_max": -1 for none, "header_table_size", "stream_window",
//                          "data_frame_max", "padding", "acks_pings", "grants_window",
//                          "inspects_hpack", "handshake_ms", "settings_ms", "closes_on_hello",
//                          "refuses", "dribbles", "says_date", "says_trailers", "splits_heads",
//                          "ping_ms": how late a PING is answered}
//   POST /tls              {"mode"}: of connections to come, see sim_apns --help
//   POST /clock            {"offset_s"}: of the time by which provider tokens are judged
//   POST /reset            forgets devices, keys' limits, failures, faults and the ledger; no
//                          delay, no stall, no offset, the usual transport and certificate
//
// 200 with JSON; 400 with {"error"} for what it does not understand, 404 for other paths.
// Owner: SimApns.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http1/parser.h"
#include "io/io.h"
#include "net/loop.h"

namespace knuckle::mock {

class SimApns;
struct ControlPage;

class ApnsControl {
public:
    ApnsControl(net::Loop& loop, SimApns& apns);
    ~ApnsControl();
    ApnsControl(const ApnsControl&) = delete;
    ApnsControl& operator=(const ApnsControl&) = delete;

    void accept(io::ConnId id);
    void receive(io::ConnId id, MutableBytes bytes, Now now);
    void forget(io::ConnId id);

private:
    struct Client;

    [[nodiscard]] ControlPage carry_out(const http1::Request& request, Now now);

    net::Loop& loop_;
    SimApns& apns_;
    std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace knuckle::mock
