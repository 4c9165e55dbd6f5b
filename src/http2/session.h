// SPDX-License-Identifier: GPL-3.0-or-later
// The client side of one HTTP/2 connection as a pure state machine: bytes in, bytes out, events
// pulled. nghttp2 inside; its callbacks only take notes, so nothing calls back into our caller.
//
//     Session session(options);
//     session.submit(head, body, tag, out)  while can_submit(); appends the request's frames
//     session.drain(out)                  appends all frames that are due; once per loop turn
//     session.feed(bytes)                 then next_event(event) until it is false
//
// `body` must stay valid until the stream's event has been pulled or cancel() returned. Events come
// from feed(); only when a peer breaks the rules of a single stream may drain() or submit() add
// one.
//
// Streams: one until a response has come that is not 403, whatever the peer announces before,
// because APNs demands that of token-authenticated connections (and nghttp2 would assume 100 before
// the first SETTINGS); then the peer's limit, up and down, at most options.streams_max.
//
// Owner: engine::Upstream.  Thread: its worker's.  Time: never read.
// Memory: 22 kB; for every 200 streams ever open at once 16 kB more and up to 81 kB of nghttp2's,
// and 1 kB for each of them whose answer had a body or a retry-after; beyond that nothing is
// allocated for a request. What a peer makes us answer is bounded until it is drained, so drain()
// only when the output before has been sent.
// Invariant: streams_open() <= streams_max() once submit() has accepted.
//
// nghttp2 takes the fields of a head, not the head. So it is given none, and in place of the empty
// head it writes submit() puts that of a HeadEncoder (ADR 0023).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/result.h"
#include "http2/message.h"

namespace knuckle::http2 {

inline constexpr size_t kStreamsMax = 1'000;       // open at once on one connection
inline constexpr size_t kResponseBodyMax = 1'024;  // APNs' reasons are below 100 bytes
inline constexpr size_t kGoawayDebugMax = 256;

// Sizes of heads as RFC 9113 section 6.5.2 counts. The first is what APNs accepts; the second we
// announce, and a peer that exceeds it loses the connection.
inline constexpr size_t kRequestHeadMax = 8'000;
inline constexpr size_t kResponseHeadMax = 16'384;

// Close to the protocol's end of ids: from here on the session drains itself.
inline constexpr int32_t kLastStreamId = 0x7fff'fff0;

struct SessionOptions {
    size_t streams_max = 500;
    bool starts_with_one_stream = true;
    int32_t first_stream = 1;  // tests begin close to kLastStreamId
};

class Session {
public:
    explicit Session(const SessionOptions& options);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    [[nodiscard]] bool can_submit() const;
    // Appends the head to `out`, and of the body what the peer's windows allow now; the rest comes
    // with drain(). All that goes to the peer must go through the same `out`, in this order.
    // Returns a handle for cancel(). Fails with Errc::limit when can_submit() is false, and with
    // Errc::invalid when the head is larger than kRequestHeadMax; then `out` is as it was.
    Result<int32_t> submit(const RequestHead& head, ByteView body, uint64_t tag, Buffer& out);
    // Gives the stream up (RST_STREAM CANCEL); no event will come for it. Harmless when it ended.
    void cancel(int32_t stream);
    void ping();
    // GOAWAY with NO_ERROR, for a polite end.
    void close();

    // Fails with Errc::protocol when the peer broke HTTP/2, and from then on. What came before can
    // still be pulled; the streams still open get no event.
    Result<void> feed(ByteView bytes);
    // After such a failure too: there may be a GOAWAY to send.
    Result<void> drain(Buffer& out);
    [[nodiscard]] bool next_event(Event& event);

    [[nodiscard]] size_t streams_open() const;
    [[nodiscard]] size_t streams_max() const;  // what can_submit() goes by now
    [[nodiscard]] bool is_on_trial() const;    // no response yet that was not 403
    [[nodiscard]] bool is_draining() const;  // GOAWAY came or ids ran out: open another connection
    [[nodiscard]] bool has_output() const;   // drain() would write something
    // The peer's clock: the field of the last response that had one, or empty. Until feed().
    [[nodiscard]] std::string_view date() const;

    struct State;  // known to session.cc and session_state.cc

private:
    std::unique_ptr<State> state_;
};

}  // namespace knuckle::http2
