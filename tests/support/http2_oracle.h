// SPDX-License-Identifier: GPL-3.0-or-later
// What must hold for http2::Session whatever a server sends:
//
//   * it tells the same of its streams, and fails in the same way, however the bytes arrive; but
//     when a GOAWAY has ended the last stream, nobody waits for what comes behind it, and nghttp2
//     looks at it only if it came in the same piece;
//   * each request ends once at most, and only if it was open; a response is within the limits;
//   * once failed it stays failed, and takes no request;
//   * what it has to say in answer stays within a bound that grows with what it was told.
//
//     std::string complaint = test::check_http2(bytes);      empty if all is well
//
// Used by the unit tests and by the fuzz target. Run it under ASan to see that no view outlives its
// bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "http2/session.h"
#include "tests/support/http2_pair.h"

namespace knuckle::test {

inline constexpr size_t kFrameHeadSize = 9;

// A session with a few requests under way.
struct Client {
    explicit Client(bool starts_with_one_stream)
        : session({.streams_max = 4, .starts_with_one_stream = starts_with_one_stream}) {}

    // Each body is its own heap block and lives exactly as long as the session may look at it.
    void submit() {
        auto body = std::make_unique<std::string>(kPushBody);
        const Result<int32_t> stream = session.submit(push_head(), as_bytes(*body), ++tag, output);
        if (!stream) {
            complaint = "a request was turned away though can_submit() had said yes";
            return;
        }
        open.push_back({tag, *stream, std::move(body)});
    }
    void submit_all() {
        while (complaint.empty() && session.can_submit()) submit();
    }

    void drain() {
        (void)session.drain(output);
        output_size += output.size();
        output.clear();
    }

    // From a heap block of its own, which is gone at once.
    bool feed(ByteView bytes) {
        const std::vector<uint8_t> copy(bytes.begin(), bytes.end());
        const Result<void> fed = session.feed(copy);
        if (!fed && !failure) failure = fed.error().detail;
        if (fed && failure) complaint = "a failed session recovered";
        if (failure && session.can_submit()) complaint = "a failed session takes requests";
        return fed.has_value();
    }

    void pull() {
        for (const SeenEvent& event : pull_events(session)) check(event);
        std::erase_if(open, [](const Open& item) { return item.has_ended; });
        if (session.streams_open() != open.size()) complaint = "the count of open streams is wrong";
    }

    // Every request has ended and there can be no more.
    [[nodiscard]] bool is_over() const { return open.empty() && session.is_draining(); }

    void cancel_oldest() {
        if (open.empty()) return;
        session.cancel(open.front().stream);
        open.erase(open.begin());
    }

    struct Open {
        uint64_t tag;
        int32_t stream;
        std::unique_ptr<std::string> body;
        bool has_ended = false;
    };

    void check(const SeenEvent& event) {
        using http2::EventKind;
        const bool is_streams = event.kind == EventKind::response ||
                                event.kind == EventKind::refused || event.kind == EventKind::reset;
        if (event.text.size() > http2::kResponseBodyMax) complaint = "a body beyond the limit";
        if (!is_streams) return;
        events.push_back(event);
        const auto found = std::find_if(open.begin(), open.end(), [&](const Open& item) {
            return item.tag == event.tag && !item.has_ended;
        });
        if (found == open.end()) {
            complaint = "an event for a request that is not open";
            return;
        }
        found->has_ended = true;
        if (event.kind == EventKind::response && (event.status < 200 || event.status > 999)) {
            complaint = "a response with status " + std::to_string(event.status);
        }
    }

    ChunkPool chunks;
    Buffer output{chunks};
    size_t output_size = 0;
    http2::Session session;
    uint64_t tag = 0;
    std::vector<Open> open;
    std::vector<SeenEvent> events;  // of streams
    std::optional<int> failure;
    std::string complaint;
};

// Where the first frame ends, which the requests wait for.
inline size_t first_frame_size(ByteView bytes) {
    if (bytes.size() < kFrameHeadSize) return bytes.size();
    const size_t payload =
        static_cast<size_t>(bytes[0]) << 16 | static_cast<size_t>(bytes[1]) << 8 | bytes[2];
    return std::min(bytes.size(), kFrameHeadSize + payload);
}

// Four requests are sent before the bytes behind the first frame come, in pieces that end at
// `cuts`.
inline std::unique_ptr<Client> read_responses(ByteView bytes,
                                              const std::vector<size_t>& cuts = {}) {
    auto client = std::make_unique<Client>(false);
    const size_t head = first_frame_size(bytes);
    client->feed(bytes.first(head));
    client->submit_all();
    client->drain();
    size_t begin = head;
    for (const size_t cut : cuts) {
        if (cut <= begin) continue;
        client->feed(bytes.subspan(begin, cut - begin));
        client->pull();
        begin = cut;
    }
    client->feed(bytes.subspan(begin));
    client->pull();
    client->drain();
    client->pull();
    return client;
}

// Requests come and go while the bytes arrive in pieces of `size`.
inline std::string check_lively(ByteView bytes, size_t size) {
    constexpr size_t kAnswerPerOctet =
        8;  // a PING is 17 octets, its answer too; a SETTINGS entry ...
    constexpr size_t kOutputPerRequest = 1'024;
    Client client(true);
    for (size_t turn = 0; !bytes.empty() && client.complaint.empty(); ++turn) {
        client.submit_all();
        if (turn % 3 != 2) client.drain();
        const ByteView piece = bytes.first(std::min(size, bytes.size()));
        bytes = bytes.subspan(piece.size());
        client.feed(piece);
        if (turn % 7 == 5) client.cancel_oldest();
        client.pull();
        if (turn % 11 == 7) client.cancel_oldest();
        if (turn % 13 == 9) client.session.ping();
        client.drain();
        client.pull();
        const size_t bound =
            kAnswerPerOctet * size * (turn + 1) + kOutputPerRequest * (client.tag + 1);
        if (client.output_size > bound) return "more output than input explains";
    }
    return client.complaint;
}

// Empty if every rule at the top holds for these bytes.
inline std::string check_http2(ByteView bytes) {
    constexpr size_t kCutsMax = 32;
    const auto whole = read_responses(bytes);
    if (!whole->complaint.empty()) return whole->complaint;
    const auto differs = [&](const std::vector<size_t>& cuts) {
        const auto other = read_responses(bytes, cuts);
        // nghttp2 counts the pieces of a CONTINUATION, so how many are too many depends on the
        // cuts.
        if (other->failure == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) return false;
        const bool is_same_end =
            other->failure == whole->failure || (whole->is_over() && other->is_over());
        return !other->complaint.empty() || other->events != whole->events || !is_same_end;
    };
    const size_t step = bytes.size() / kCutsMax + 1;
    for (size_t cut = 1; cut < bytes.size(); cut += step) {
        if (differs({cut})) return "other results when cut after byte " + std::to_string(cut);
    }
    for (const size_t size : {1, 2, 7, 64}) {
        std::vector<size_t> cuts;
        for (size_t cut = size; cut < bytes.size(); cut += size) cuts.push_back(cut);
        if (differs(cuts)) return "other results in pieces of " + std::to_string(size);
    }
    for (const size_t size : {1, 13, 200, 4'096}) {
        std::string complaint = check_lively(bytes, size);
        if (!complaint.empty()) return complaint;
    }
    return "";
}

}  // namespace knuckle::test
