// SPDX-License-Identifier: GPL-3.0-or-later
// A request we send over HTTP/2, always a POST, and what comes back of it, as values (RFC 9113).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace knuckle::http2 {

// How a field may enter the compressor's table (RFC 7541 section 7.1).
enum class Indexing : uint8_t {
    allowed,  // repeats from request to request: one byte from the second one on
    once,     // the first request on a connection puts it (and so its name) in, later ones stay out
    never,    // secret or unique
};

struct HeaderField {
    std::string_view name;  // lower case, in static storage
    std::string_view value;
    Indexing indexing = Indexing::allowed;
};

struct RequestHead {
    static constexpr size_t kFieldsMax = 12;

    std::string_view authority;
    std::string_view path;
    std::array<HeaderField, kFieldsMax> fields;
    size_t fields_count = 0;

    void add(HeaderField field) { fields[fields_count++] = field; }
};

enum class EventKind : uint8_t {
    response,  // the stream ended with a complete response
    refused,  // certainly not processed (REFUSED_STREAM, or above GOAWAY's last id): safe to repeat
    reset,    // the stream ended without an answer: its fate is unknown
    limit,    // Session::streams_max() changed: the peer's SETTINGS, or the end of the trial
    goaway,   // the peer takes no new streams; those open may still be answered
    ping_ack,
};

// The views live until the next feed(), drain() or next_event().
struct Event {
    EventKind kind = EventKind::response;
    uint64_t tag = 0;              // response, refused, reset: what submit() was given
    uint16_t status = 0;           // response
    std::string_view retry_after;  // response: the field's value, or empty
    ByteView body;                 // response: cut at kResponseBodyMax
    uint32_t error_code = 0;       // reset, goaway: RFC 9113 section 7
    std::string_view debug;        // goaway: the peer's words, cut at kGoawayDebugMax
};

}  // namespace knuckle::http2
