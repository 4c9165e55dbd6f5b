// SPDX-License-Identifier: GPL-3.0-or-later
#include "http2/session_state.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace knuckle::http2 {

namespace {

// Answers to PING and SETTINGS that may wait to be drained. A peer needs a handful; a flood ends
// here.
constexpr size_t kAcksMax = 256;

constexpr size_t kFrameHeadSize = 9;

// CONTINUATIONs of a head: eight, times nine because nghttp2 counts every piece in which the nine
// octets of a frame's head arrive.
constexpr size_t kContinuationsMax = 8 * 9;

// What nghttp2 calls while it is fed and drained. These take notes and call nobody.

using State = Session::State;

State& state_of(void* user) { return *static_cast<State*>(user); }

int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* user) {
    State& state = state_of(user);
    state.invalid_frame_code = 0;
    if (head->type != NGHTTP2_PUSH_PROMISE) return 0;
    // Our SETTINGS, which precede every request, forbid it; nghttp2 would queue a RST_STREAM for
    // each.
    state.fail_with(NGHTTP2_ERR_PROTO, "the peer pushes although our SETTINGS forbid it");
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

int on_header(nghttp2_session*,
              const nghttp2_frame* frame,
              const uint8_t* name,
              size_t name_size,
              const uint8_t* value,
              size_t value_size,
              uint8_t,
              void* user) {
    State& state = state_of(user);
    Stream* const stream = state.find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    // A single octet can stand for kilobytes (RFC 7541 section 7.3), so count what it stands for.
    stream->head_size += static_cast<uint32_t>(name_size + value_size + kFieldOverhead);
    if (stream->head_size > kResponseHeadMax) {
        state.fail_with(NGHTTP2_ERR_HTTP_HEADER,
                        "the peer's response head exceeds what our SETTINGS allow");
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    state.streams.add_field(*stream, as_text({name, name_size}), as_text({value, value_size}));
    if (as_text({name, name_size}) == kDate) state.note_date(as_text({value, value_size}));
    return 0;
}

int on_data(nghttp2_session*, uint8_t, int32_t id, const uint8_t* bytes, size_t size, void* user) {
    State& state = state_of(user);
    if (Stream* const stream = state.find(id)) state.streams.add_body(*stream, {bytes, size});
    return 0;
}

int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    State& state = state_of(user);
    const bool is_ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    switch (frame->hd.type) {
        case NGHTTP2_HEADERS:
        case NGHTTP2_DATA: {
            Stream* const stream = state.find(frame->hd.stream_id);
            if (stream == nullptr) break;
            stream->end_head();
            if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) state.note_end(*stream);
            break;
        }
        case NGHTTP2_SETTINGS:
            if (!is_ack) state.has_settings = true;
            break;
        case NGHTTP2_PING:
            if (!is_ack || state.pings_unanswered == 0) break;
            --state.pings_unanswered;
            state.has_ping_event = true;
            break;
        case NGHTTP2_GOAWAY:
            state.note_goaway(frame->goaway);
            break;
        default:
            break;
    }
    return 0;
}

int on_invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int code, void* user) {
    State& state = state_of(user);
    state.invalid_frame_code = code;
    // If only the stream is at fault, nghttp2 closes it when its RST_STREAM is drained. Do not
    // wait.
    if (Stream* const stream = state.find(frame->hd.stream_id)) {
        state.detach(*stream);
        state.streams.finish(*stream, EventKind::reset, NGHTTP2_PROTOCOL_ERROR);
    }
    return 0;
}

int on_frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    State& state = state_of(user);
    if (frame->hd.type == NGHTTP2_HEADERS) {
        state.is_head_next = true;
    } else if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
        // nghttp2's own, for an error that is_terminated() did not show.
        state.fail_with(NGHTTP2_ERR_PROTO);
    }
    return 0;
}

int on_stream_close(nghttp2_session*, int32_t id, uint32_t error_code, void* user) {
    State& state = state_of(user);
    Stream* const stream = state.find(id);
    if (stream == nullptr) return 0;
    EventKind outcome = EventKind::reset;
    if (stream->has_answer) {
        outcome = EventKind::response;
        error_code = NGHTTP2_NO_ERROR;
    } else if (error_code == NGHTTP2_REFUSED_STREAM && stream->status == 0) {
        // The peer's RST_STREAM, or nghttp2's word for an id above the last one of a GOAWAY.
        outcome = EventKind::refused;
    }
    state.streams.finish(*stream, outcome, error_code);
    return 0;
}

// nghttp2 takes five pieces of memory for a request and its answer.

Recycler& recycler_of(void* user) { return *static_cast<Recycler*>(user); }

void* take_memory(size_t size, void* user) { return recycler_of(user).take(size); }

void* take_zeroed(size_t count, size_t size, void* user) {
    size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total)) return nullptr;
    void* const piece = take_memory(total, user);
    if (piece != nullptr) std::memset(piece, 0, total);
    return piece;
}

void* resize_memory(void* piece, size_t size, void* user) {
    return recycler_of(user).resize(piece, size);
}

void give_back_memory(void* piece, void* user) { recycler_of(user).give_back(piece); }

nghttp2_session* make_nghttp2(State& state) {
    nghttp2_session_callbacks* callbacks = nullptr;
    must(nghttp2_session_callbacks_new(&callbacks));
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);

    nghttp2_option* option = nullptr;
    must(nghttp2_option_new(&option));
    // Until the peer's SETTINGS say more.
    nghttp2_option_set_peer_max_concurrent_streams(option, 1);
    nghttp2_option_set_max_outbound_ack(option, kAcksMax);
    nghttp2_option_set_max_continuations(option, kContinuationsMax);
    // These two matter to servers only, so far: the memory of closed streams, and a limit that
    // reads the clock.
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_stream_reset_rate_limit(option, UINT64_MAX, UINT64_MAX);

    nghttp2_mem memory{&state.memory, take_memory, give_back_memory, take_zeroed, resize_memory};
    nghttp2_session* nghttp2 = nullptr;
    must(nghttp2_session_client_new3(&nghttp2, callbacks, &state, option, &memory));
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return nghttp2;
}

}  // namespace

nghttp2_ssize read_body(nghttp2_session*,
                        int32_t id,
                        uint8_t* to,
                        size_t size,
                        uint32_t* flags,
                        nghttp2_data_source*,
                        void* user) {
    // Looked up by id, so that a stream given up cannot lead to a body that is gone.
    Stream* const stream = state_of(user).find(id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const size_t count = std::min(size, stream->body.size());
    copy_bytes(to, stream->body.first(count));
    stream->body = stream->body.subspan(count);
    if (stream->body.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<nghttp2_ssize>(count);
}

Session::State::State(const SessionOptions& chosen)
    : options(chosen), nghttp2(make_nghttp2(*this)), streams(2 * chosen.streams_max + 1) {
    KNUCKLE_ASSERT(options.streams_max >= 1 && options.streams_max <= kStreamsMax);
    must(nghttp2_session_set_next_stream_id(nghttp2, options.first_stream));
    // HEADER_TABLE_SIZE is left alone: its default of 4096 is small, and announcing any value calls
    // for a table size update that peers have got wrong (nghttp2 issue 396, haproxy issue 1498). So
    // is the window: 64 kB are ample for answers of 100 bytes.
    const std::array<nghttp2_settings_entry, 2> settings{{
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kResponseHeadMax},
    }};
    must(nghttp2_submit_settings(nghttp2, NGHTTP2_FLAG_NONE, settings.data(), settings.size()));
    limit = current_limit();
}

void Session::State::send(Buffer& out) {
    const uint8_t* bytes = nullptr;
    nghttp2_ssize size = 0;
    while ((size = nghttp2_session_mem_send2(nghttp2, &bytes)) > 0) {
        const ByteView piece{bytes, static_cast<size_t>(size)};
        if (std::exchange(is_head_next, false)) {
            write_head(piece, out);
        } else {
            out.append(piece);
        }
    }
    if (size == 0) return;
    is_dead = true;
    fail_with(static_cast<int>(size));
}

// What nghttp2 wrote is the nine octets in front of every frame and, if the peer's SETTINGS call
// for them, table size updates. The fields come behind.
void Session::State::write_head(ByteView empty_head, Buffer& out) {
    KNUCKLE_ASSERT(head != nullptr && empty_head.size() >= kFrameHeadSize &&
                   empty_head[3] == NGHTTP2_HEADERS);
    encoder.resize_table(empty_head.subspan(kFrameHeadSize));
    const MutableBytes room = out.reserve(empty_head.size() + HeadEncoder::size_max(*head));
    copy_bytes(room.data(), empty_head);
    const uint8_t* const end = encoder.encode(*head, room.data() + empty_head.size());
    const auto size = static_cast<size_t>(end - room.data());
    const size_t payload_size = size - kFrameHeadSize;
    room[0] = static_cast<uint8_t>(payload_size >> 16);
    room[1] = static_cast<uint8_t>(payload_size >> 8);
    room[2] = static_cast<uint8_t>(payload_size);
    out.commit(size);
    head = nullptr;
}

size_t Session::State::current_limit() const {
    const size_t ours = is_on_trial() ? 1 : options.streams_max;
    // Unlimited when the peer's SETTINGS do not name it.
    return std::min<size_t>(
        ours,
        nghttp2_session_get_remote_settings(nghttp2, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS));
}

void Session::State::refresh_limit() {
    const size_t fresh = current_limit();
    if (fresh != limit) has_limit_event = true;
    limit = fresh;
}

// nghttp2 takes most protocol errors quietly: it queues a GOAWAY and swallows all further input.
// That it would send no request any more is the sign of it, as long as there is no other reason.
bool Session::State::is_terminated() const {
    return !has_goaway && !is_closing && nghttp2_session_check_request_allowed(nghttp2) == 0;
}

void Session::State::fail_with(int code, const char* what) {
    if (is_failed) return;
    is_failed = true;
    failure = fail(Errc::protocol, what != nullptr ? what : nghttp2_strerror(code), code);
}

void Session::State::note_end(Stream& stream) {
    if (!stream.has_head) return;  // a status below 100, which nghttp2 lets pass, is no answer
    stream.has_answer = true;
    has_good_response |= stream.status != kForbidden;
    if (stream.body.empty()) return;  // nghttp2 closes the stream next
    // The answer came before the peer had all of the request. It is final all the same, and the
    // body must be let go of (RFC 9113 section 8.1).
    abandon(stream);
    streams.finish(stream, EventKind::response, NGHTTP2_NO_ERROR);
}

void Session::State::note_date(std::string_view value) {
    if (value.size() > kDateMax) return;
    std::copy(value.begin(), value.end(), date.begin());
    date_size = value.size();
}

void Session::State::note_goaway(const nghttp2_goaway& goaway) {
    has_goaway = true;
    has_goaway_event = true;
    goaway_code = goaway.error_code;
    goaway_debug_size = std::min(goaway.opaque_data_len, kGoawayDebugMax);
    std::copy_n(goaway.opaque_data, goaway_debug_size, goaway_debug.begin());
}

}  // namespace knuckle::http2
