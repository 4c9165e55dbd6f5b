// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/mock/http2_server.h"

#include <algorithm>

#include <nghttp2/nghttp2.h>

#include "base/assert.h"
#include "base/text.h"
#include "tests/mock/hpack_inspector.h"

namespace knuckle::mock {

namespace {

constexpr size_t kFieldsMax = 32;
constexpr size_t kBodyMax = 8 * 1024;
constexpr size_t kResponseFieldsMax = 8;
constexpr size_t kPingsMax = 64;
constexpr size_t kFieldOverhead = 32;  // RFC 9113 section 6.5.2

void must(int code) { KNUCKLE_ASSERT(code == 0); }

std::string_view text_of(nghttp2_rcbuf* buffer) {
    const nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer);
    return as_text({bytes.base, bytes.len});
}

nghttp2_nv make_field(std::string_view name, std::string_view value, unsigned flags) {
    const auto octets = [](std::string_view text) {
        return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
    };
    return {octets(name), octets(value), name.size(), value.size(), static_cast<uint8_t>(flags)};
}

}  // namespace

// The decoder's own reference-counted strings are kept instead of copies: requests are what a
// benchmark is made of. A stream's object is used again, so its strings keep their memory.
struct Http2Server::Stream {
    int32_t id = 0;
    size_t fields_count = 0;
    size_t references_count = 0;
    size_t head_size = 0;
    size_t body_size = 0;
    size_t response_sent = 0;
    bool has_duplicate_field = false;
    bool is_refused = false;
    bool is_response_whole = true;
    std::string_view method;
    std::string_view path;
    std::string_view authority;
    std::array<Http2Field, kFieldsMax> fields;
    std::array<nghttp2_rcbuf*, 2 * kFieldsMax> references;
    std::string body;
    std::string response;
    std::vector<std::pair<std::string, std::string>> trailers;

    void begin(int32_t stream) {
        id = stream;
        fields_count = references_count = head_size = body_size = response_sent = 0;
        has_duplicate_field = is_refused = false;
        method = path = authority = {};
        body.clear();
        response.clear();
        trailers.clear();
    }

    void end() {
        for (size_t i = 0; i < references_count; ++i) nghttp2_rcbuf_decref(references[i]);
        id = 0;
    }

    std::string_view keep(nghttp2_rcbuf* buffer) {
        nghttp2_rcbuf_incref(buffer);
        references[references_count++] = buffer;
        return text_of(buffer);
    }

    void add_field(nghttp2_rcbuf* name, nghttp2_rcbuf* value) {
        const std::string_view name_text = text_of(name);
        if (references_count + 2 > references.size()) return;
        if (name_text == ":method") {
            method = keep(value);
        } else if (name_text == ":path") {
            path = keep(value);
        } else if (name_text == ":authority") {
            authority = keep(value);
        } else if (!name_text.starts_with(':') && fields_count < kFieldsMax) {
            for (size_t i = 0; i < fields_count; ++i) {
                if (fields[i].name == name_text) has_duplicate_field = true;
            }
            const std::string_view kept = keep(name);
            fields[fields_count++] = {kept, keep(value)};
        }
    }
};

// What nghttp2 calls while it is fed and drained.
struct Http2Server::Callbacks {
    static Http2Server& server_of(void* user) { return *static_cast<Http2Server*>(user); }

    static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
        Http2Server& server = server_of(user);
        const bool is_request = frame->headers.cat == NGHTTP2_HCAT_REQUEST;
        server.receiving_ = is_request ? server.take_stream(frame->hd.stream_id) : nullptr;
        return 0;
    }

    static int on_header(nghttp2_session*,
                         const nghttp2_frame* frame,
                         nghttp2_rcbuf* name,
                         nghttp2_rcbuf* value,
                         uint8_t,
                         void* user) {
        Http2Server& server = server_of(user);
        Stream* const stream = server.receiving_;
        if (stream == nullptr || stream->is_refused) return 0;  // nullptr: trailers
        stream->head_size += text_of(name).size() + text_of(value).size() + kFieldOverhead;
        if (stream->head_size <= server.options_.header_list_max) {
            stream->add_field(name, value);
            return 0;
        }
        stream->is_refused = true;
        ++server.counters_.heads_too_large;
        return nghttp2_submit_rst_stream(
            server.nghttp2_, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
    }

    static int on_data(
        nghttp2_session*, uint8_t, int32_t id, const uint8_t* bytes, size_t size, void* user) {
        Stream* const stream = server_of(user).find(id);
        if (stream == nullptr) return 0;
        stream->body_size += size;
        stream->body.append(as_text({bytes, std::min(size, kBodyMax - stream->body.size())}));
        return 0;
    }

    static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
        Http2Server& server = server_of(user);
        Counters& counters = server.counters_;
        const bool is_ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
        switch (frame->hd.type) {
            case NGHTTP2_HEADERS:
                if ((frame->hd.flags & NGHTTP2_FLAG_PRIORITY) != 0) ++counters.priority_frames;
                [[fallthrough]];
            case NGHTTP2_DATA:
                if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) break;
                ++counters.requests;
                server.ready_.push_back(frame->hd.stream_id);
                break;
            case NGHTTP2_PRIORITY:
                ++counters.priority_frames;
                break;
            case NGHTTP2_RST_STREAM:
                ++counters.resets;
                break;
            case NGHTTP2_SETTINGS:
                if (is_ack) ++counters.settings_acks;
                break;
            case NGHTTP2_PING:
                if (is_ack) break;
                ++counters.pings;
                if (server.options_.acks_pings || server.pings_.size() == kPingsMax) break;
                server.pings_.emplace_back();
                std::copy_n(frame->ping.opaque_data, 8, server.pings_.back().begin());
                break;
            case NGHTTP2_GOAWAY:
                counters.has_goaway = true;
                break;
            default:
                break;
        }
        return 0;
    }

    static int on_stream_close(nghttp2_session*, int32_t id, uint32_t, void* user) {
        Http2Server& server = server_of(user);
        Stream* const stream = server.find(id);
        if (stream == nullptr) return 0;
        --server.counters_.streams_open;
        if (server.receiving_ == stream) server.receiving_ = nullptr;
        stream->end();
        server.free_.push_back(stream);
        return 0;
    }

    static nghttp2_ssize read_response(nghttp2_session* session,
                                       int32_t id,
                                       uint8_t* to,
                                       size_t size,
                                       uint32_t* flags,
                                       nghttp2_data_source*,
                                       void* user) {
        Stream* const stream = server_of(user).find(id);
        if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        const std::string_view rest =
            std::string_view(stream->response).substr(stream->response_sent);
        if (rest.empty() && !stream->is_response_whole) return NGHTTP2_ERR_DEFERRED;
        const size_t count = std::min(size, rest.size());
        copy_bytes(to, as_bytes(rest.substr(0, count)));
        stream->response_sent += count;
        if (count < rest.size() || !stream->is_response_whole)
            return static_cast<nghttp2_ssize>(count);
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (!stream->trailers.empty()) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            std::array<nghttp2_nv, kResponseFieldsMax> fields;
            size_t field_count = 0;
            for (const auto& [name, value] : stream->trailers)
                fields[field_count++] = make_field(name, value, NGHTTP2_NV_FLAG_NO_INDEX);
            must(nghttp2_submit_trailer(session, id, fields.data(), field_count));
        }
        return static_cast<nghttp2_ssize>(count);
    }

    static nghttp2_ssize choose_data_size(
        nghttp2_session*, uint8_t, int32_t, int32_t, int32_t, uint32_t, void* user) {
        return server_of(user).options_.data_frame_max;
    }

    static nghttp2_ssize choose_padding(nghttp2_session*,
                                        const nghttp2_frame* frame,
                                        size_t size_max,
                                        void* user) {
        const size_t wanted = frame->hd.length + server_of(user).options_.padding;
        return static_cast<nghttp2_ssize>(std::min(wanted, size_max));
    }
};

std::string_view Http2Request::field(std::string_view name) const {
    for (const Http2Field& item : fields) {
        if (item.name == name) return item.value;
    }
    return {};
}

Http2Server::Http2Server(const Http2ServerOptions& options) : options_(options) {
    nghttp2_session_callbacks* callbacks = nullptr;
    must(nghttp2_session_callbacks_new(&callbacks));
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Callbacks::on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, Callbacks::on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_stream_close);
    nghttp2_session_callbacks_set_data_source_read_length_callback2(callbacks,
                                                                    Callbacks::choose_data_size);
    if (options_.padding > 0) {
        nghttp2_session_callbacks_set_select_padding_callback2(callbacks,
                                                               Callbacks::choose_padding);
    }

    nghttp2_option* option = nullptr;
    must(nghttp2_option_new(&option));
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_no_auto_ping_ack(option, options_.acks_pings ? 0 : 1);
    nghttp2_option_set_no_auto_window_update(option, options_.grants_window ? 0 : 1);
    nghttp2_option_set_no_http_messaging(option, options_.checks_messages ? 0 : 1);
    nghttp2_option_set_stream_reset_rate_limit(option, UINT64_MAX, UINT64_MAX);
    must(nghttp2_session_server_new2(&nghttp2_, callbacks, this, option));
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);

    if (options_.inspects_hpack) hpack_ = std::make_unique<HpackInspector>();
    send_settings();
}

Http2Server::~Http2Server() {
    nghttp2_session_del(nghttp2_);
    for (const auto& stream : streams_) {
        if (stream->id != 0) stream->end();
    }
}

void Http2Server::send_settings() {
    std::array<nghttp2_settings_entry, 4> settings{{
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, options_.header_table_size},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options_.stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options_.header_list_max},
    }};
    size_t count = 3;
    if (options_.streams_max) {
        settings[count++] = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, *options_.streams_max};
    }
    must(nghttp2_submit_settings(nghttp2_, NGHTTP2_FLAG_NONE, settings.data(), count));
}

Result<void> Http2Server::feed(ByteView bytes) {
    if (hpack_ != nullptr) hpack_->feed(bytes);
    const nghttp2_ssize taken = nghttp2_session_mem_recv2(nghttp2_, bytes.data(), bytes.size());
    if (taken >= 0) return {};
    const int code = static_cast<int>(taken);
    return fail(Errc::protocol, nghttp2_strerror(code), code);
}

bool Http2Server::next_request(Http2Request& request) {
    while (ready_next_ < ready_.size()) {
        const Stream* const stream = find(ready_[ready_next_++]);
        if (stream == nullptr) continue;  // taken back in the meantime
        request = {.stream = stream->id,
                   .method = stream->method,
                   .path = stream->path,
                   .authority = stream->authority,
                   .fields = std::span(stream->fields).first(stream->fields_count),
                   .body = as_bytes(stream->body),
                   .body_size = stream->body_size,
                   .has_duplicate_field = stream->has_duplicate_field};
        return true;
    }
    ready_.clear();
    ready_next_ = 0;
    return false;
}

bool Http2Server::respond(int32_t stream, const Http2Response& response) {
    Stream* const found = find(stream);
    if (found == nullptr || response.fields.size() > kResponseFieldsMax ||
        response.trailers.size() > kResponseFieldsMax)
        return false;

    std::array<nghttp2_nv, 1 + kResponseFieldsMax> fields;
    DecimalText digits;
    fields[0] = make_field(
        ":status", format_decimal(response.status, digits), NGHTTP2_NV_FLAG_NO_COPY_NAME);
    size_t count = 1;
    for (const Http2Field& field : response.fields) {
        fields[count++] = make_field(field.name, field.value, NGHTTP2_NV_FLAG_NO_INDEX);
    }

    found->response = response.body;
    found->response_sent = 0;
    found->is_response_whole = response.is_whole;
    for (const Http2Field& field : response.trailers)
        found->trailers.emplace_back(field.name, field.value);
    nghttp2_data_provider2 provider{};
    provider.read_callback = Callbacks::read_response;
    const bool has_data =
        !response.body.empty() || !response.trailers.empty() || !response.is_whole;
    return nghttp2_submit_response2(
               nghttp2_, stream, fields.data(), count, has_data ? &provider : nullptr) == 0;
}

bool Http2Server::reset(int32_t stream, uint32_t error_code) {
    if (find(stream) == nullptr) return false;
    return nghttp2_submit_rst_stream(nghttp2_, NGHTTP2_FLAG_NONE, stream, error_code) == 0;
}

void Http2Server::goaway(int32_t last_stream, uint32_t error_code, std::string_view debug) {
    if (last_stream == INT32_MAX) {
        must(nghttp2_submit_shutdown_notice(nghttp2_));
        return;
    }
    const ByteView bytes = as_bytes(debug);
    must(nghttp2_submit_goaway(
        nghttp2_, NGHTTP2_FLAG_NONE, last_stream, error_code, bytes.data(), bytes.size()));
}

void Http2Server::set_streams_max(uint32_t streams_max) {
    const nghttp2_settings_entry entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams_max};
    must(nghttp2_submit_settings(nghttp2_, NGHTTP2_FLAG_NONE, &entry, 1));
}

void Http2Server::ping() { must(nghttp2_submit_ping(nghttp2_, NGHTTP2_FLAG_NONE, nullptr)); }

void Http2Server::ack_pings() {
    for (const auto& opaque : pings_)
        must(nghttp2_submit_ping(nghttp2_, NGHTTP2_FLAG_ACK, opaque.data()));
    pings_.clear();
}

void Http2Server::grant_window(int32_t stream, int32_t size) {
    must(nghttp2_submit_window_update(nghttp2_, NGHTTP2_FLAG_NONE, stream, size));
}

Result<void> Http2Server::drain(Buffer& out) {
    if (options_.is_silent) return {};
    const uint8_t* bytes = nullptr;
    nghttp2_ssize size = 0;
    while ((size = nghttp2_session_mem_send2(nghttp2_, &bytes)) > 0) {
        const ByteView frame(bytes, static_cast<size_t>(size));
        if (options_.splits_heads) {
            append_split(frame, out);
        } else {
            out.append(frame);
        }
    }
    if (size == 0) return {};
    return fail(Errc::protocol, nghttp2_strerror(static_cast<int>(size)), static_cast<int>(size));
}

// nghttp2 hands out a frame at a time. HEADERS without padding and priority, as it writes them,
// become HEADERS with the first half, and CONTINUATION with the rest (RFC 9113 section 6.10).
void Http2Server::append_split(ByteView frame, Buffer& out) const {
    constexpr size_t kFrameHead = 9;
    const bool is_head = frame.size() > kFrameHead + 1 && frame[3] == NGHTTP2_HEADERS &&
                         (frame[4] & NGHTTP2_FLAG_END_HEADERS) != 0 &&
                         (frame[4] & (NGHTTP2_FLAG_PADDED | NGHTTP2_FLAG_PRIORITY)) == 0;
    if (!is_head) return out.append(frame);
    const ByteView block = frame.subspan(kFrameHead);
    const size_t half = block.size() / 2;
    const auto append = [&](uint8_t type, unsigned flags, ByteView part) {
        std::array<uint8_t, kFrameHead> head{0,
                                             static_cast<uint8_t>(part.size() >> 8),
                                             static_cast<uint8_t>(part.size()),
                                             type,
                                             static_cast<uint8_t>(flags)};
        std::copy_n(frame.begin() + 5, 4, head.begin() + 5);
        out.append(head);
        out.append(part);
    };
    append(NGHTTP2_HEADERS, frame[4] & ~unsigned{NGHTTP2_FLAG_END_HEADERS}, block.first(half));
    append(NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, block.subspan(half));
}

bool Http2Server::has_output() const {
    return !options_.is_silent && nghttp2_session_want_write(nghttp2_) != 0;
}

bool Http2Server::is_over() const {
    return nghttp2_session_want_read(nghttp2_) == 0 && nghttp2_session_want_write(nghttp2_) == 0;
}

int32_t Http2Server::last_stream() const {
    return nghttp2_session_get_last_proc_stream_id(nghttp2_);
}

const HpackInspector& Http2Server::hpack() const {
    KNUCKLE_ASSERT(hpack_ != nullptr);
    return *hpack_;
}

Http2Server::Stream* Http2Server::take_stream(int32_t id) {
    if (free_.empty()) free_.push_back(streams_.emplace_back(std::make_unique<Stream>()).get());
    Stream* const stream = free_.back();
    free_.pop_back();
    stream->begin(id);
    nghttp2_session_set_stream_user_data(nghttp2_, id, stream);
    ++counters_.streams_open;
    counters_.streams_open_peak = std::max(counters_.streams_open_peak, counters_.streams_open);
    return stream;
}

Http2Server::Stream* Http2Server::find(int32_t id) const {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(nghttp2_, id));
}

}  // namespace knuckle::mock
