// SPDX-License-Identifier: GPL-3.0-or-later
// The requests of one connection, from submit() until their event has been pulled: who they are,
// what has come back, and the queue of those that ended. Knows nothing of nghttp2 or of frames.
//
//     Stream* stream = streams.open(tag, body);                 nullptr: full
//     streams.add_field(*stream, ...); streams.add_body(*stream, ...);   as the response comes in
//     streams.finish(*stream, outcome, error_code);             queues its event
//     while (streams.next_event(event)) ...                     oldest first; views until the next
//
// Owner: Session.  Thread: its worker's.  Limit: the count given at construction, in which events
// that were not pulled are included.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/list.h"
#include "base/pool.h"
#include "http2/message.h"
#include "http2/session.h"

namespace knuckle::http2 {

// What a response may say besides its status; APNs' 200 says none of it.
struct ResponseText {
    static constexpr size_t kRetryAfterMax = 40;  // seconds, or a date of at most 33 characters

    std::array<uint8_t, kResponseBodyMax> body;
    std::array<char, kRetryAfterMax> retry_after;
};

struct Stream {
    static constexpr uint16_t kFinalStatusMin = 200;

    Stream(uint64_t request_tag, ByteView request_body) : body(request_body), tag(request_tag) {}

    void end_head() { has_head = status >= kFinalStatusMin; }

    Link link;      // in the queue of those that ended
    ByteView body;  // of the request: what is still to be sent
    uint64_t tag;
    int32_t id = 0;  // 0 until nghttp2 has given it one
    uint32_t error_code = 0;
    uint32_t head_size = 0;  // as RFC 9113 section 6.5.2 counts, over all heads
    uint16_t status = 0;
    uint16_t body_size = 0;  // of the response
    EventKind outcome = EventKind::reset;
    bool has_head = false;    // of the final response: further fields are trailers
    bool has_answer = false;  // the response is complete
    bool is_finished = false;
    uint8_t retry_after_size = 0;
    std::unique_ptr<ResponseText> text;
};

class Streams {
public:
    explicit Streams(size_t count_max) : pool_(count_max) {}

    [[nodiscard]] Stream* open(uint64_t tag, ByteView body);
    // A field of a head, interim or final, or of the trailers.
    void add_field(Stream& stream, std::string_view name, std::string_view value);
    void add_body(Stream& stream, ByteView bytes);
    void finish(Stream& stream, EventKind outcome, uint32_t error_code);
    // Gives up a stream that is open, or whose event has not been pulled.
    void forget(Stream& stream);

    [[nodiscard]] bool next_event(Event& event);
    // Ends the life of the views in the event pulled last.
    void release_shown();

    // Open, or with its event waiting; nullptr when there is none. Looks at every stream.
    [[nodiscard]] Stream* find(int32_t id);
    [[nodiscard]] size_t open_count() const { return open_count_; }
    [[nodiscard]] bool is_full() const { return pool_.is_full(); }

private:
    [[nodiscard]] ResponseText& text_of(Stream& stream);
    void release(Stream& stream);

    Pool<Stream> pool_;
    List<Stream, &Stream::link> finished_;
    Stream* shown_ = nullptr;
    std::vector<std::unique_ptr<ResponseText>> spare_texts_;
    size_t open_count_ = 0;
};

}  // namespace knuckle::http2
