// SPDX-License-Identifier: GPL-3.0-or-later
// How a test steers the simulated APNs and asks it what it has seen: plain HTTP/1.1 on loopback,
// JSON both ways.
//
//   GET  /ledger           counters of all requests since the start or the last reset
//   GET  /arrivals         the last requests as they came, oldest first
//   GET  /pushes/ID        one push: how often it came, how often it was accepted
//   GET  /devices/TOKEN    the same for all pushes to one device
//   POST /tokens           {"token", "state", "timestamp"}: good, unregistered, expired, bad or
//                          wrong_topic; the time in ms
//   POST /delay            {"ms"}: before each answer
//   POST /fail           {"status", "reason", "for_requests", "for_ms"}: without the last two until
//                          a reset
//   POST /stall            {"on": true}: reads and writes nothing, keeps the sockets
//   POST /goaway           {"reason"}: on every connection
//   POST /clock            {"offset_s"}: of the time by which provider tokens are judged
//   POST /reset            forgets devices, failures and the ledger; no delay, no stall, no offset
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
