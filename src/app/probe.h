// SPDX-License-Identifier: GPL-3.0-or-later
// One connection to a provider, as the gateway makes it, to see how far it gets.
//
//     ProbeResult result = probe({.endpoint = ..., .server_name = "host", .tls = &context});
//
// With a `head` it also sends that one request and waits for the answer. Blocks the calling thread,
// at most kProbeTimeout and what the system's resolver takes longer. Reached stages are in order:
// each one includes those before; `why` says what kept it from the next. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "http2/message.h"
#include "io/io.h"
#include "tls/certificate.h"
#include "tls/context.h"

namespace knuckle::app {

inline constexpr Duration kProbeTimeout = seconds(10);

struct ProbeOptions {
    io::Endpoint endpoint;
    std::string_view server_name;
    const tls::Context* tls = nullptr;
    const http2::RequestHead* head = nullptr;  // nullptr: only look
    ByteView body{};
};

enum class Stage : uint8_t {
    nothing,
    connected,  // name and TCP
    trusted,    // TLS, and the protocol is agreed on
    greeted,    // HTTP/2: the provider's SETTINGS have come
    answered,
};

struct ProbeResult {
    Stage stage = Stage::nothing;
    Error why;
    // What the provider showed, its own certificate first: also if it was not trusted.
    std::vector<tls::CertificateFacts> shown;
    uint16_t status = 0;  // answered
    std::string body;
    // How far the provider's clock is ahead of ours, by a second or two; if it says what it is.
    std::optional<Duration> clock_ahead;
};

[[nodiscard]] ProbeResult probe(const ProbeOptions& options);

}  // namespace knuckle::app
