// SPDX-License-Identifier: GPL-3.0-or-later
// The server side of one HTTP/2 connection without I/O: what the simulated APNs speaks, in tests,
// in the simulator and in the benchmark. It decides nothing; whoever owns it answers the requests.
//
//     Http2Server server(options);
//     server.feed(bytes), then while (server.next_request(request)) ...
//     server.respond(request.stream, {.status = 200, .fields = ...})     now or any time later
//     server.drain(out)
//
// Limits: 32 fields and 8 KiB of body are kept of a request; the rest is counted and dropped.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/result.h"

struct nghttp2_session;

namespace knuckle::mock {

class HpackInspector;

struct Http2Field {
    std::string_view name;
    std::string_view value;
};

// The views live until the next feed() or drain().
struct Http2Request {
    int32_t stream = 0;
    std::string_view method;
    std::string_view path;
    std::string_view authority;
    std::span<const Http2Field> fields;  // without the pseudo fields
    ByteView body;
    size_t body_size = 0;  // also of a body that was not kept to its end
    bool has_duplicate_field = false;

    // The value of the first such field, or empty.
    [[nodiscard]] std::string_view field(std::string_view name) const;
};

// Copied by respond().
struct Http2Response {
    uint16_t status = 200;
    std::span<const Http2Field> fields = {};
    std::string_view body = {};
    std::span<const Http2Field> trailers = {};
    bool is_whole =
        true;  // false: the stream stays open, for a reset() after a part of the response
};

// What APNs announced when it was last looked at; see providers.md A.5.
struct Http2ServerOptions {
    std::optional<uint32_t> streams_max = 1'000;  // nullopt: SETTINGS does not name it
    uint32_t header_table_size = 4'096;
    uint32_t stream_window = 65'535;
    uint32_t header_list_max = 8'000;  // a larger one is refused with REFUSED_STREAM
    uint32_t data_frame_max = 16'384;  // cuts responses into several DATA frames
    uint32_t padding = 0;              // octets added to each HEADERS and DATA frame
    bool is_silent = false;            // drains nothing, not even SETTINGS, until speak()
    bool splits_heads = false;         // each head goes on in a CONTINUATION
    bool acks_pings = true;            // false: only with ack_pings()
    bool grants_window = true;         // false: only with grant_window()
    bool checks_messages = true;  // false: a quarter faster, for a benchmark whose client is known
    bool inspects_hpack = false;  // see hpack()
};

class Http2Server {
public:
    // What a test wants to know of a client.
    struct Counters {
        size_t requests = 0;  // complete ones
        size_t priority_frames = 0;
        size_t pings = 0;
        size_t resets = 0;
        size_t settings_acks = 0;
        size_t heads_too_large = 0;
        size_t streams_open = 0;
        size_t streams_open_peak = 0;
        bool has_goaway = false;
    };

    explicit Http2Server(const Http2ServerOptions& options);
    ~Http2Server();
    Http2Server(const Http2Server&) = delete;
    Http2Server& operator=(const Http2Server&) = delete;

    Result<void> feed(ByteView bytes);
    [[nodiscard]] bool next_request(Http2Request& request);
    // False if the stream is gone: reset by the client, or cut off by a GOAWAY.
    bool respond(int32_t stream, const Http2Response& response);
    bool reset(int32_t stream, uint32_t error_code);
    // A last_stream of 2^31-1 only announces the end (RFC 9113 section 6.8).
    void goaway(int32_t last_stream, uint32_t error_code, std::string_view debug);
    void set_streams_max(uint32_t streams_max);
    void ping();
    // Answers those that wait.
    void ack_pings();
    [[nodiscard]] size_t pings_unanswered() const { return pings_.size(); }
    void grant_window(int32_t stream, int32_t size);  // stream 0: the connection's
    void speak() { options_.is_silent = false; }
    Result<void> drain(Buffer& out);

    [[nodiscard]] bool has_output() const;
    [[nodiscard]] bool is_over() const;  // nothing more will be read or written
    [[nodiscard]] int32_t last_stream() const;
    [[nodiscard]] const Counters& counters() const { return counters_; }
    [[nodiscard]] const HpackInspector& hpack() const;  // needs options.inspects_hpack

private:
    struct Callbacks;
    struct Stream;

    void send_settings();
    void append_split(ByteView frame, Buffer& out) const;
    Stream* take_stream(int32_t id);
    [[nodiscard]] Stream* find(int32_t id) const;

    Http2ServerOptions options_;
    nghttp2_session* nghttp2_ = nullptr;
    std::vector<std::unique_ptr<Stream>> streams_;
    std::vector<Stream*> free_;
    Stream* receiving_ = nullptr;  // whose frames came last
    std::vector<int32_t> ready_;   // complete requests, from ready_next_ on not pulled
    size_t ready_next_ = 0;
    std::unique_ptr<HpackInspector> hpack_;
    std::vector<std::array<uint8_t, 8>> pings_;  // not answered yet
    Counters counters_;
};

}  // namespace knuckle::mock
