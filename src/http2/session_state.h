// SPDX-License-Identifier: GPL-3.0-or-later
// What a Session is inside, for its two sources only: nghttp2, the streams, and what the peer has
// let us know. session.cc has the verbs; session_state.cc has what nghttp2 calls while it is fed
// and drained, and what follows from that.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <nghttp2/nghttp2.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "base/recycler.h"
#include "base/result.h"
#include "http2/head_encoder.h"
#include "http2/session.h"
#include "http2/streams.h"

namespace knuckle::http2 {

// What a peer answers while it does not take our credential.
inline constexpr uint16_t kForbidden = 403;

// IMF-fixdate, the only form that may be sent (RFC 9110 section 5.6.7).
inline constexpr std::string_view kDate = "date";
inline constexpr size_t kDateMax = 29;

// For calls of nghttp2 that fail only when memory runs out or we misuse them.
inline void must(int code) { KNUCKLE_ASSERT(code == 0); }

struct Session::State {
    explicit State(const SessionOptions& chosen);
    ~State() { nghttp2_session_del(nghttp2); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    // The stream as nghttp2 knows it: sent, and not detached.
    [[nodiscard]] Stream* find(int32_t id) const {
        return static_cast<Stream*>(nghttp2_session_get_stream_user_data(nghttp2, id));
    }
    // Makes nghttp2 forget the stream, so that none of its callbacks finds it again.
    void detach(const Stream& stream) const {
        nghttp2_session_set_stream_user_data(nghttp2, stream.id, nullptr);
    }
    void abandon(const Stream& stream) const {
        detach(stream);
        nghttp2_submit_rst_stream(nghttp2, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_CANCEL);
    }
    // Appends what nghttp2 has to send. A failure is noted.
    void send(Buffer& out);
    void write_head(ByteView empty_head, Buffer& out);

    [[nodiscard]] bool is_on_trial() const {
        return options.starts_with_one_stream && !has_good_response;
    }
    [[nodiscard]] size_t current_limit() const;
    void refresh_limit();
    [[nodiscard]] bool is_terminated() const;
    void fail_with(int code, const char* what = nullptr);
    void note_end(Stream& stream);
    void note_goaway(const nghttp2_goaway& goaway);
    void note_date(std::string_view value);

    SessionOptions options;
    Recycler memory;  // nghttp2's
    nghttp2_session* nghttp2;
    // Twice as many as can be open, and the one shown: answers may wait to be pulled while their
    // successors are already submitted.
    Streams streams;
    HeadEncoder encoder;
    const RequestHead* head = nullptr;  // submitted, not written yet
    size_t limit = 0;
    size_t pings_unanswered = 0;
    int invalid_frame_code = 0;  // what nghttp2 holds against the frame before us

    bool is_head_next = false;       // nghttp2's next piece of output is the frame of a head
    bool has_settings = false;       // the peer's
    bool has_good_response = false;  // the credential was not refused
    bool has_goaway = false;
    bool is_closing = false;
    bool is_failed = false;
    bool is_dead = false;  // failed so that nghttp2 itself must not be used any more
    Error failure{};

    // Events of the connection. Only the newest of each kind waits.
    bool has_goaway_event = false;
    bool has_limit_event = false;
    bool has_ping_event = false;
    uint32_t goaway_code = 0;
    size_t goaway_debug_size = 0;
    std::array<char, kGoawayDebugMax> goaway_debug{};

    std::array<char, kDateMax> date{};
    size_t date_size = 0;
};

// Gives nghttp2 the next octets of a request's body.
nghttp2_ssize read_body(nghttp2_session* nghttp2,
                        int32_t id,
                        uint8_t* to,
                        size_t size,
                        uint32_t* flags,
                        nghttp2_data_source* source,
                        void* user);

}  // namespace knuckle::http2
