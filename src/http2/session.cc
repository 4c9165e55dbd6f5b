// SPDX-License-Identifier: GPL-3.0-or-later
#include "http2/session.h"

#include <string_view>
#include <utility>

#include <nghttp2/nghttp2.h>

#include "base/assert.h"
#include "http2/session_state.h"
#include "http2/streams.h"

namespace knuckle::http2 {

namespace {

// As the peer counts (RFC 9113 section 6.5.2).
size_t size_of(const RequestHead& head) {
    constexpr std::string_view kRest = ":methodPOST:schemehttps:authority:path";
    size_t size = kRest.size() + 4 * kFieldOverhead + head.authority.size() + head.path.size();
    for (size_t i = 0; i < head.fields_count; ++i)
        size += head.fields[i].name.size() + head.fields[i].value.size() + kFieldOverhead;
    return size;
}

}  // namespace

Session::Session(const SessionOptions& options) : state_(std::make_unique<State>(options)) {}

Session::~Session() = default;

bool Session::can_submit() const {
    return state_->streams.open_count() < state_->limit && !state_->streams.is_full() &&
           !is_draining();
}

Result<int32_t> Session::submit(const RequestHead& head, ByteView body, uint64_t tag, Buffer& out) {
    if (!can_submit()) return fail(Errc::limit, "no stream is free on this HTTP/2 connection");
    if (size_of(head) > kRequestHeadMax) {
        return fail(Errc::invalid,
                    "the request's head exceeds 8000 bytes; look at the provider token");
    }
    State& state = *state_;
    Stream* const stream = state.streams.open(tag, body);
    // No content-length: the last DATA frame carries END_STREAM.
    nghttp2_data_provider2 provider{};
    provider.read_callback = read_body;
    stream->id = nghttp2_submit_request2(
        state.nghttp2, nullptr, nullptr, 0, body.empty() ? nullptr : &provider, stream);
    KNUCKLE_ASSERT(stream->id > 0);  // is_draining() sees to the ids, so this could only be memory
    state.head = &head;
    state.send(out);
    // nghttp2 holds no request back that can_submit() lets pass. If it did, the head would be gone
    // when it is wanted.
    if (std::exchange(state.head, nullptr) != nullptr && !state.is_dead && !stream->is_finished) {
        state.abandon(*stream);
        state.streams.finish(*stream, EventKind::refused, NGHTTP2_REFUSED_STREAM);
    }
    return stream->id;
}

void Session::cancel(int32_t stream) {
    Stream* const given_up = state_->streams.find(stream);
    if (given_up == nullptr) return;
    if (!given_up->is_finished) state_->abandon(*given_up);
    state_->streams.forget(*given_up);
}

void Session::ping() {
    must(nghttp2_submit_ping(state_->nghttp2, NGHTTP2_FLAG_NONE, nullptr));
    ++state_->pings_unanswered;
}

void Session::close() {
    if (std::exchange(state_->is_closing, true)) return;
    must(
        nghttp2_submit_goaway(state_->nghttp2, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0));
}

Result<void> Session::feed(ByteView bytes) {
    State& state = *state_;
    state.streams.release_shown();
    if (state.is_failed) return state.failure;
    const nghttp2_ssize taken =
        nghttp2_session_mem_recv2(state.nghttp2, bytes.data(), bytes.size());
    if (taken < 0) {
        state.is_dead = true;
        state.fail_with(static_cast<int>(taken));
    } else if (state.is_terminated() && !state.has_settings) {
        state.fail_with(NGHTTP2_ERR_PROTO,
                        "the peer does not speak HTTP/2: it must begin with SETTINGS");
    } else if (state.is_terminated()) {
        state.fail_with(state.invalid_frame_code != 0 ? state.invalid_frame_code
                                                      : NGHTTP2_ERR_PROTO);
    }
    if (state.is_failed) return state.failure;
    state.refresh_limit();
    return {};
}

Result<void> Session::drain(Buffer& out) {
    State& state = *state_;
    state.streams.release_shown();
    if (state.is_dead) return state.failure;
    // After a submit() there is mostly nothing left; to ask costs a quarter of finding that out.
    if (has_output()) state.send(out);
    if (state.is_dead) return state.failure;
    return {};
}

bool Session::next_event(Event& event) {
    State& state = *state_;
    event = {};
    // The connection's before the streams', so that whoever sees a refused stream knows why.
    if (std::exchange(state.has_goaway_event, false)) {
        event.kind = EventKind::goaway;
        event.error_code = state.goaway_code;
        event.debug = {state.goaway_debug.data(), state.goaway_debug_size};
        return true;
    }
    if (std::exchange(state.has_limit_event, false)) {
        event.kind = EventKind::limit;
        return true;
    }
    if (state.streams.next_event(event)) return true;
    if (std::exchange(state.has_ping_event, false)) {
        event.kind = EventKind::ping_ack;
        return true;
    }
    return false;
}

size_t Session::streams_open() const { return state_->streams.open_count(); }

size_t Session::streams_max() const { return state_->limit; }

bool Session::is_on_trial() const { return state_->is_on_trial(); }

bool Session::is_draining() const {
    const State& state = *state_;
    return state.has_goaway || state.is_closing || state.is_failed ||
           nghttp2_session_get_next_stream_id(state.nghttp2) > static_cast<uint32_t>(kLastStreamId);
}

std::string_view Session::date() const { return {state_->date.data(), state_->date_size}; }

bool Session::has_output() const {
    return !state_->is_dead && nghttp2_session_want_write(state_->nghttp2) != 0;
}

}  // namespace knuckle::http2
