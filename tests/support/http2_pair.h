// SPDX-License-Identifier: GPL-3.0-or-later
// An http2::Session and a server for it, joined in memory; what the session tells is copied, to be
// looked at later. Nothing moves until run().
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/buffer.h"
#include "http2/session.h"
#include "tests/mock/http2_server.h"

namespace knuckle::test {

// An http2::Event that owns what it says.
struct SeenEvent {
    http2::EventKind kind;
    uint64_t tag = 0;
    uint16_t status = 0;
    uint32_t error_code = 0;
    std::string text;  // a response's body, a GOAWAY's debug data
    std::string retry_after;

    bool operator==(const SeenEvent&) const = default;
};

inline std::vector<SeenEvent> pull_events(http2::Session& session) {
    std::vector<SeenEvent> seen;
    http2::Event event;
    while (session.next_event(event)) {
        const bool is_goaway = event.kind == http2::EventKind::goaway;
        seen.push_back({event.kind,
                        event.tag,
                        event.status,
                        event.error_code,
                        std::string(is_goaway ? event.debug : as_text(event.body)),
                        std::string(event.retry_after)});
    }
    return seen;
}

// Takes all bytes out of `buffer`.
inline std::string take_bytes(Buffer& buffer) {
    std::string bytes;
    std::array<ByteView, 8> views;
    while (const size_t count = buffer.views(views)) {
        size_t size = 0;
        for (size_t i = 0; i < count; ++i) {
            bytes.append(as_text(views[i]));
            size += views[i].size();
        }
        buffer.consume(size);
    }
    return bytes;
}

// Feeds `bytes` in pieces of at most `piece` bytes; false as soon as `end` refuses.
template <typename End>
bool feed_in_pieces(End& end, std::string_view bytes, size_t piece) {
    while (!bytes.empty()) {
        const size_t size = std::min(piece, bytes.size());
        if (!end.feed(as_bytes(bytes.substr(0, size)))) return false;
        bytes.remove_prefix(size);
    }
    return true;
}

// A push as Knuckle sends it; the views are literals.
inline http2::RequestHead push_head(
    std::string_view apns_id = "11111111-2222-4333-8444-555555555555") {
    using http2::Indexing;
    http2::RequestHead head;
    head.authority = "api.push.apple.com";
    head.path = "/3/device/00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0";
    head.add({"authorization", "bearer aGVhZGVy.cGF5bG9hZA.c2lnbmF0dXJl", Indexing::never});
    head.add({"apns-topic", "org.example.chat", Indexing::allowed});
    head.add({"apns-push-type", "alert", Indexing::allowed});
    head.add({"apns-priority", "10", Indexing::allowed});
    head.add({"apns-id", apns_id, Indexing::once});
    head.add({"apns-expiration", "1790000000", Indexing::once});
    head.add({"apns-collapse-id", "knock", Indexing::once});
    return head;
}

inline constexpr std::string_view kPushBody =
    R"({"aps":{"alert":"New message","mutable-content":1}})";

struct Pair {
    explicit Pair(const http2::SessionOptions& client = {},
                  const mock::Http2ServerOptions& server_options = {},
                  size_t piece_ = SIZE_MAX)
        : session(client), server(server_options), piece(piece_) {}

    // A push with the next tag, counted from 1; the stream.
    int32_t submit(std::string_view body = kPushBody) {
        return *session.submit(push_head(), as_bytes(body), ++tag, to_server);
    }
    size_t submit_all() {
        size_t count = 0;
        for (; session.can_submit(); ++count) submit();
        return count;
    }

    // Carries bytes both ways until both ends are silent.
    void run() {
        while (is_healthy &&
               (!to_server.is_empty() || session.has_output() || server.has_output())) {
            client_drained = session.drain(to_server).has_value();
            is_healthy = feed_in_pieces(server, take_bytes(to_server), piece);
            if (!is_healthy || !server.drain(to_client)) break;
            is_healthy = feed_in_pieces(session, take_bytes(to_client), piece);
            for (SeenEvent& event : pull_events(session)) events.push_back(std::move(event));
        }
    }

    std::vector<mock::Http2Request> requests() {
        std::vector<mock::Http2Request> found;
        mock::Http2Request request;
        while (server.next_request(request)) found.push_back(request);
        return found;
    }

    // Answers all that wait with 200, and brings the answers home.
    size_t answer_all(const mock::Http2Response& with = {}) {
        const std::vector<mock::Http2Request> waiting = requests();
        for (const mock::Http2Request& request : waiting) server.respond(request.stream, with);
        run();
        return waiting.size();
    }

    // Past the first response, which ends the time of one stream.
    void warm_up() {
        run();
        submit();
        run();
        answer_all();
        events.clear();
        tag = 0;
    }

    std::vector<SeenEvent> take_events(http2::EventKind kind) {
        std::vector<SeenEvent> found;
        std::erase_if(events, [&](const SeenEvent& event) {
            if (event.kind != kind) return false;
            found.push_back(event);
            return true;
        });
        return found;
    }

    ChunkPool chunks;
    Buffer to_server{chunks};
    Buffer to_client{chunks};
    http2::Session session;
    mock::Http2Server server;
    size_t piece;
    uint64_t tag = 0;
    bool is_healthy = true;
    bool client_drained = true;
    std::vector<SeenEvent> events;
};

}  // namespace knuckle::test
