// SPDX-License-Identifier: GPL-3.0-or-later
// The session against a well-behaved server: streams, limits, answers, and the ways a connection
// ends.
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "http2/session.h"
#include "tests/mock/http2_server.h"
#include "tests/support/http2_pair.h"

using namespace knuckle;
using namespace knuckle::test;
using http2::EventKind;

namespace {

size_t allocations = 0;

constexpr uint32_t kNoError = 0x0;
constexpr uint32_t kInternalError = 0x2;
constexpr uint32_t kRefusedStream = 0x7;
constexpr uint32_t kCancel = 0x8;

std::vector<uint64_t> tags_of(const std::vector<SeenEvent>& events) {
    std::vector<uint64_t> tags;
    for (const SeenEvent& event : events) tags.push_back(event.tag);
    return tags;
}

}  // namespace

// This test program counts what it allocates; nghttp2's own memory does not come from here.
[[gnu::noinline]] void* operator new(size_t size) {
    ++allocations;
    void* const memory = std::malloc(size);
    if (memory == nullptr) std::abort();
    return memory;
}
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
    return operator new(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

TEST_CASE("A push and its answer cross the connection", "[http2]") {
    const size_t piece = GENERATE(1, 2, 3, 7, 50, 1'000'000);
    Pair pair({}, {}, piece);
    pair.submit();
    pair.run();

    mock::Http2Request request;
    REQUIRE(pair.server.next_request(request));
    CHECK(request.method == "POST");
    CHECK(request.authority == "api.push.apple.com");
    CHECK(request.path == push_head().path);
    CHECK(request.field("authorization") == "bearer aGVhZGVy.cGF5bG9hZA.c2lnbmF0dXJl");
    CHECK(request.field("apns-topic") == "org.example.chat");
    CHECK(request.fields.size() == 7);
    CHECK_FALSE(request.has_duplicate_field);
    CHECK(as_text(request.body) == kPushBody);
    CHECK(request.body_size == kPushBody.size());

    const mock::Http2Field fields[] = {{"apns-id", request.field("apns-id")},
                                       {"date", "Mon, 23 Nov 2026 15:04:05 GMT"},
                                       {"retry-after", "120"}};
    CHECK(pair.session.date().empty());
    pair.server.respond(
        request.stream,
        {.status = 429, .fields = fields, .body = R"({"reason":"TooManyRequests"})"});
    pair.run();
    const std::vector<SeenEvent> responses = pair.take_events(EventKind::response);
    REQUIRE(responses.size() == 1);
    CHECK(
        responses[0] ==
        SeenEvent{EventKind::response, 1, 429, kNoError, R"({"reason":"TooManyRequests"})", "120"});
    CHECK(pair.session.date() == "Mon, 23 Nov 2026 15:04:05 GMT");
    CHECK(pair.session.streams_open() == 0);
    CHECK(pair.server.counters().streams_open == 0);
    CHECK(pair.server.counters().settings_acks == 1);
    CHECK(pair.server.counters().priority_frames == 0);
}

TEST_CASE("An answer may come in CONTINUATION and end with trailers", "[http2]") {
    const bool has_body = GENERATE(true, false);
    Pair pair({}, {.splits_heads = true});
    pair.submit();
    pair.run();
    mock::Http2Request request;
    REQUIRE(pair.server.next_request(request));
    const mock::Http2Field fields[] = {{"apns-id", request.field("apns-id")}};
    const mock::Http2Field trailers[] = {{"retry-after", "7"}, {"x-served-by", "somebody"}};
    const std::string_view body = has_body ? R"({"reason":"Shutdown"})" : "";
    pair.server.respond(request.stream,
                        {.status = 503, .fields = fields, .body = body, .trailers = trailers});
    pair.run();
    const std::vector<SeenEvent> responses = pair.take_events(EventKind::response);
    REQUIRE(responses.size() == 1);
    CHECK(responses[0] == SeenEvent{EventKind::response, 1, 503, kNoError, std::string(body), ""});
    CHECK(pair.session.streams_open() == 0);
}

TEST_CASE("A request without a body ends with its head", "[http2]") {
    Pair pair;
    pair.submit("");
    pair.run();
    const auto requests = pair.requests();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].body_size == 0);
}

TEST_CASE("A body larger than a frame and a window arrives whole", "[http2]") {
    const std::string body(100'000, 'x');
    Pair pair;
    pair.submit(body);
    pair.run();
    const auto requests = pair.requests();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].body_size == body.size());
    CHECK(requests[0].body.size() == 8 * 1024);
}

TEST_CASE("Only one stream is opened until the first answer has come", "[http2]") {
    const bool peer_announces_many = GENERATE(true, false);
    const std::optional<uint32_t> announced =
        peer_announces_many ? std::optional<uint32_t>(1'000) : std::nullopt;
    Pair pair({.streams_max = 500}, {.streams_max = announced});
    CHECK(pair.submit_all() == 1);
    CHECK(pair.session.streams_max() == 1);
    pair.run();
    CHECK(pair.submit_all() == 0);
    CHECK(pair.server.counters().streams_open_peak == 1);
    CHECK(pair.take_events(EventKind::limit).empty());

    pair.answer_all();
    CHECK(pair.take_events(EventKind::limit).size() == 1);
    CHECK(pair.session.streams_max() == 500);
    CHECK(pair.submit_all() == 500);
    pair.run();
    CHECK(pair.server.counters().streams_open_peak == 500);
    CHECK(pair.answer_all() == 500);
    CHECK(pair.session.streams_open() == 0);
}

TEST_CASE("An answer that refuses the credential opens no further streams", "[http2]") {
    Pair pair({.streams_max = 500}, {.streams_max = 1'000});
    CHECK(pair.submit_all() == 1);
    pair.run();
    pair.answer_all({.status = 403});
    CHECK(pair.session.is_on_trial());
    CHECK(pair.submit_all() == 1);
    pair.run();
    pair.answer_all({.status = 400});
    CHECK_FALSE(pair.session.is_on_trial());
    CHECK(pair.session.streams_max() == 500);
}

TEST_CASE("A reset is no answer and opens no further streams", "[http2]") {
    Pair pair;
    const int32_t stream = pair.submit();
    pair.run();
    pair.server.reset(stream, kInternalError);
    pair.run();
    CHECK(pair.take_events(EventKind::reset).size() == 1);
    CHECK(pair.submit_all() == 1);
}

TEST_CASE("An informed provider may start with many, once the peer's SETTINGS are known",
          "[http2]") {
    Pair pair({.streams_max = 50, .starts_with_one_stream = false});
    CHECK(pair.session.streams_max() == 1);
    pair.run();
    CHECK(pair.session.streams_max() == 50);
    CHECK(pair.submit_all() == 50);
}

TEST_CASE("Before the peer's SETTINGS one stream is open at most", "[http2]") {
    Pair pair({.streams_max = 50, .starts_with_one_stream = false},
              {.streams_max = 3, .is_silent = true});
    CHECK(pair.submit_all() == 1);
    pair.run();
    CHECK(pair.server.counters().streams_open == 1);
    pair.server.speak();
    pair.run();
    CHECK(pair.submit_all() == 2);
}

TEST_CASE("The peer's limit is honoured on its way down and up", "[http2]") {
    Pair pair({.streams_max = 100});
    pair.warm_up();
    pair.server.set_streams_max(20);
    pair.run();
    CHECK(pair.take_events(EventKind::limit).size() == 1);
    CHECK(pair.submit_all() == 20);
    pair.run();

    pair.server.set_streams_max(1);
    pair.run();
    CHECK(pair.session.streams_max() == 1);
    CHECK(pair.session.streams_open() == 20);
    CHECK(pair.answer_all() == 20);
    CHECK(pair.submit_all() == 1);
    pair.run();
    CHECK(pair.answer_all() == 1);

    pair.server.set_streams_max(0);
    pair.run();
    CHECK_FALSE(pair.session.can_submit());
    CHECK(pair.session.submit(push_head(), {}, 1, pair.to_server).error().code == Errc::limit);
    pair.server.set_streams_max(1'000);
    pair.run();
    CHECK(pair.submit_all() == 100);
    pair.run();
    CHECK(pair.answer_all() == 100);
    CHECK(pair.take_events(EventKind::refused).empty());
    CHECK(pair.take_events(EventKind::reset).empty());
}

TEST_CASE("The end of the stream ids drains the connection", "[http2]") {
    Pair pair({.first_stream = http2::kLastStreamId - 3});
    pair.submit();
    pair.run();
    pair.answer_all();
    CHECK_FALSE(pair.session.is_draining());
    CHECK(pair.submit() == http2::kLastStreamId - 1);
    CHECK(pair.session.is_draining());
    CHECK_FALSE(pair.session.can_submit());
    pair.run();
    pair.answer_all();
    CHECK(pair.take_events(EventKind::response).size() == 2);
}

TEST_CASE("A request head beyond the peer's limit is turned away at the door", "[http2]") {
    Pair pair;
    pair.warm_up();
    const std::string token(8'000, 't');
    http2::RequestHead head = push_head();
    head.fields[0].value = token;
    const Result<int32_t> stream = pair.session.submit(head, {}, 1, pair.to_server);
    REQUIRE_FALSE(stream);
    CHECK(stream.error().code == Errc::invalid);
    CHECK(pair.session.streams_open() == 0);
}

TEST_CASE("A refused stream is told from one whose fate is unknown", "[http2]") {
    const uint32_t code = GENERATE(kNoError, kInternalError, kRefusedStream, kCancel);
    Pair pair;
    pair.warm_up();
    const int32_t stream = pair.submit();
    pair.run();
    pair.server.reset(stream, code);
    pair.run();
    const EventKind kind = code == kRefusedStream ? EventKind::refused : EventKind::reset;
    CHECK(pair.events == std::vector<SeenEvent>{{kind, 1, 0, code, "", ""}});
    CHECK(pair.session.streams_open() == 0);
}

TEST_CASE("Half a response is none, and its stream was processed whatever the peer says",
          "[http2]") {
    const uint32_t code = GENERATE(kNoError, kRefusedStream);
    Pair pair;
    pair.warm_up();
    const int32_t stream = pair.submit();
    pair.run();
    pair.server.respond(stream, {.status = 200, .body = "half", .is_whole = false});
    pair.run();
    CHECK(pair.events.empty());
    pair.server.reset(stream, code);
    pair.run();
    CHECK(pair.events == std::vector<SeenEvent>{{EventKind::reset, 1, 0, code, "", ""}});
}

TEST_CASE("An answer counts although the peer has not read the request to its end", "[http2]") {
    Pair pair({}, {.stream_window = 10, .grants_window = false});
    pair.run();
    const int32_t stream = pair.submit();  // ten bytes of it fit
    pair.run();
    CHECK(pair.requests().empty());
    pair.server.respond(stream, {.status = 413, .body = R"({"reason":"PayloadTooLarge"})"});
    pair.run();
    const std::vector<SeenEvent> responses = pair.take_events(EventKind::response);
    REQUIRE(responses.size() == 1);
    CHECK(responses[0].status == 413);
    CHECK(responses[0].text == R"({"reason":"PayloadTooLarge"})");
    CHECK(pair.server.counters().resets == 1);
    CHECK(pair.session.streams_open() == 0);
}

TEST_CASE("A response body comes whole from many frames, padded or not, and is cut at its limit",
          "[http2]") {
    const size_t size =
        GENERATE(size_t{0}, size_t{1}, size_t{1'000}, http2::kResponseBodyMax, size_t{70'000});
    const uint32_t frame = GENERATE(1u, 10u, 16'384u);
    const uint32_t padding = GENERATE(0u, 200u);
    if (size > 10'000 && frame < 16'384) return;
    std::string body;
    while (body.size() < size) body += static_cast<char>('a' + body.size() % 26);
    Pair pair({}, {.data_frame_max = frame, .padding = padding});
    const int32_t stream = pair.submit();
    pair.run();
    pair.server.respond(stream, {.status = 400, .body = body});
    pair.run();
    const std::vector<SeenEvent> responses = pair.take_events(EventKind::response);
    REQUIRE(responses.size() == 1);
    CHECK(responses[0].text == body.substr(0, http2::kResponseBodyMax));
}

TEST_CASE("A request waits for the peer's window and goes on when it opens", "[http2]") {
    Pair pair({}, {.stream_window = 0, .grants_window = false});
    pair.run();
    const int32_t stream = pair.submit();
    pair.run();
    CHECK(pair.requests().empty());
    for (size_t sent = 0; sent < kPushBody.size(); sent += 5) {
        pair.server.grant_window(stream, 5);
        pair.run();
    }
    const auto requests = pair.requests();
    REQUIRE(requests.size() == 1);
    CHECK(as_text(requests[0].body) == kPushBody);
}

TEST_CASE("What the connection's window has no room for waits for it", "[http2]") {
    const std::string body(40'000, 'x');
    Pair pair({}, {.grants_window = false});
    pair.warm_up();
    pair.submit(body);
    pair.submit(body);
    pair.run();
    CHECK(pair.requests().size() == 1);
    pair.server.grant_window(0, 30'000);
    pair.run();
    const auto requests = pair.requests();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].body_size == body.size());
}

TEST_CASE("A stream given up at once is reset", "[http2]") {
    Pair pair;
    pair.warm_up();
    {
        const auto body = std::make_unique<std::string>("soon gone");
        const int32_t stream = pair.submit(*body);
        pair.session.cancel(stream);
    }
    CHECK(pair.session.streams_open() == 0);
    const int32_t stays = pair.submit("stays");
    pair.run();
    CHECK(pair.server.counters().resets == 1);
    CHECK(pair.server.counters().streams_open == 1);
    pair.server.respond(stays, {});
    pair.run();
    CHECK(tags_of(pair.events) == std::vector<uint64_t>{2});
}

TEST_CASE("A stream given up later is reset, its body untouched, its answer unheard", "[http2]") {
    Pair pair({}, {.stream_window = 60, .grants_window = false});
    pair.warm_up();
    auto body = std::make_unique<std::string>(1'000, 'x');
    const int32_t stream = pair.submit(*body);
    pair.run();
    pair.server.respond(stream, {.status = 200, .is_whole = false});
    pair.session.cancel(stream);
    body.reset();
    pair.server.grant_window(stream, 10'000);
    pair.run();
    CHECK(pair.events.empty());
    CHECK(pair.session.streams_open() == 0);
    CHECK(pair.server.counters().resets >= 1);
    CHECK_FALSE(pair.server.respond(stream, {}));
    pair.session.cancel(stream);  // once more does no harm
    CHECK(pair.session.can_submit());
}

TEST_CASE("A stream given up while its answer waits to be pulled says nothing", "[http2]") {
    Pair pair;
    pair.warm_up();
    const int32_t first = pair.submit();
    pair.submit();
    pair.run();
    for (const mock::Http2Request& request : pair.requests())
        pair.server.respond(request.stream, {});
    REQUIRE(pair.server.drain(pair.to_client));
    REQUIRE(pair.session.feed(as_bytes(take_bytes(pair.to_client))));
    pair.session.cancel(first);
    CHECK(tags_of(pull_events(pair.session)) == std::vector<uint64_t>{2});
}

TEST_CASE("Streams can be opened while the answers of others are being pulled", "[http2]") {
    constexpr size_t kStreams = 20;
    Pair pair({.streams_max = kStreams});
    pair.warm_up();
    pair.submit_all();
    pair.run();
    for (const mock::Http2Request& request : pair.requests()) {
        pair.server.respond(request.stream,
                            {.status = 400, .body = std::to_string(request.stream)});
    }
    REQUIRE(pair.server.drain(pair.to_client));
    REQUIRE(pair.session.feed(as_bytes(take_bytes(pair.to_client))));
    http2::Event event;
    size_t pulled = 0;
    while (pair.session.next_event(event)) {
        if (event.kind != EventKind::response) continue;
        ++pulled;
        const std::string body(as_text(event.body));
        pair.submit();
        CHECK(as_text(event.body) == body);
    }
    CHECK(pulled == kStreams);
    CHECK(pair.session.streams_open() == kStreams);
}

TEST_CASE("Answers wait to be pulled, and hold new requests back when too many do", "[http2]") {
    Pair pair({.streams_max = 4});
    pair.warm_up();
    const auto round = [&] {
        const size_t count = pair.submit_all();
        REQUIRE(pair.session.drain(pair.to_server));
        REQUIRE(feed_in_pieces(pair.server, take_bytes(pair.to_server), SIZE_MAX));
        for (const mock::Http2Request& request : pair.requests())
            pair.server.respond(request.stream, {});
        REQUIRE(pair.server.drain(pair.to_client));
        REQUIRE(pair.session.feed(as_bytes(take_bytes(pair.to_client))));
        return count;
    };
    CHECK(round() == 4);
    CHECK(round() == 4);
    CHECK(round() == 1);
    CHECK(round() == 0);
    CHECK(tags_of(pull_events(pair.session)) == std::vector<uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9});
    CHECK(round() == 4);
}

TEST_CASE("After GOAWAY the streams above its last id are refused and the others answered",
          "[http2]") {
    Pair pair;
    pair.warm_up();
    std::vector<int32_t> streams;
    for (int i = 0; i < 5; ++i) streams.push_back(pair.submit());
    pair.run();
    pair.server.goaway(streams[2], kNoError, R"({"reason":"Shutdown"})");
    pair.run();
    CHECK(pair.session.is_draining());
    CHECK_FALSE(pair.session.can_submit());
    REQUIRE(pair.events.size() == 3);
    CHECK(pair.events[0] ==
          SeenEvent{EventKind::goaway, 0, 0, kNoError, R"({"reason":"Shutdown"})", ""});
    std::vector<uint64_t> refused = tags_of(pair.take_events(EventKind::refused));
    std::sort(refused.begin(), refused.end());
    CHECK(refused == std::vector<uint64_t>{4, 5});
    CHECK(pair.session.streams_open() == 3);
    for (int i = 0; i < 3; ++i) pair.server.respond(streams[static_cast<size_t>(i)], {});
    pair.run();
    CHECK(pair.take_events(EventKind::response).size() == 3);
    CHECK(pair.session.streams_open() == 0);
}

TEST_CASE("Requests that cross a GOAWAY are refused at once", "[http2]") {
    Pair pair;
    pair.warm_up();
    pair.server.goaway(pair.server.last_stream(), kNoError, "");
    REQUIRE(pair.server.drain(pair.to_client));
    for (int i = 0; i < 3; ++i) pair.submit();
    REQUIRE(pair.session.feed(as_bytes(take_bytes(pair.to_client))));
    const std::vector<SeenEvent> events = pull_events(pair.session);
    REQUIRE(events.size() == 4);
    CHECK(events[0].kind == EventKind::goaway);
    for (size_t i = 1; i < 4; ++i) CHECK(events[i].kind == EventKind::refused);
    CHECK(pair.session.streams_open() == 0);
    pair.run();
    CHECK(pair.events.empty());
}

TEST_CASE("A graceful GOAWAY announces the end before it names the last stream", "[http2]") {
    Pair pair;
    pair.warm_up();
    const int32_t first = pair.submit();
    pair.submit();
    pair.run();
    pair.server.goaway(INT32_MAX, kNoError, "");
    pair.run();
    CHECK(pair.take_events(EventKind::goaway).size() == 1);
    CHECK(pair.take_events(EventKind::refused).empty());
    CHECK(pair.session.is_draining());
    CHECK(pair.session.streams_open() == 2);
    pair.server.goaway(first, kNoError, "");
    pair.run();
    CHECK(pair.take_events(EventKind::goaway).size() == 1);
    CHECK(tags_of(pair.take_events(EventKind::refused)) == std::vector<uint64_t>{2});
    pair.server.respond(first, {});
    pair.run();
    CHECK(tags_of(pair.take_events(EventKind::response)) == std::vector<uint64_t>{1});
}

TEST_CASE("Two GOAWAYs at once are told as one, the later", "[http2]") {
    Pair pair;
    pair.warm_up();
    pair.submit();
    pair.run();
    const int32_t last = pair.server.last_stream();
    pair.server.goaway(last, kNoError, "first");
    pair.server.goaway(last, kInternalError, std::string(1'000, 'x'));
    REQUIRE(pair.server.drain(pair.to_client));
    REQUIRE(pair.session.feed(as_bytes(take_bytes(pair.to_client))));
    const std::vector<SeenEvent> events = pull_events(pair.session);
    REQUIRE(events.size() == 1);
    CHECK(events[0].error_code == kInternalError);
    CHECK(events[0].text == std::string(http2::kGoawayDebugMax, 'x'));
    CHECK(pair.session.streams_open() == 1);
}

TEST_CASE("A GOAWAY with last id 0 refuses everything", "[http2]") {
    Pair pair;
    pair.warm_up();
    pair.submit();
    pair.submit();
    pair.run();
    pair.server.goaway(0, kNoError, "");
    pair.run();
    CHECK(pair.take_events(EventKind::refused).size() == 2);
}

TEST_CASE("A ping is acknowledged, and the peer's are", "[http2]") {
    const bool acks = GENERATE(true, false);
    Pair pair({}, {.acks_pings = acks});
    pair.run();
    pair.session.ping();
    pair.run();
    CHECK(pair.server.counters().pings == 1);
    CHECK(pair.take_events(EventKind::ping_ack).size() == (acks ? 1 : 0));
    pair.server.ping();
    pair.run();
    CHECK(pair.take_events(EventKind::ping_ack).empty());
    CHECK_FALSE(pair.session.has_output());
}

TEST_CASE("close() says goodbye and still hears the answers", "[http2]") {
    Pair pair;
    pair.warm_up();
    const int32_t stream = pair.submit();
    pair.session.close();
    pair.session.close();
    CHECK_FALSE(pair.session.can_submit());
    CHECK(pair.session.is_draining());
    pair.run();
    CHECK(pair.server.counters().has_goaway);
    pair.server.respond(stream, {});
    pair.run();
    CHECK(pair.take_events(EventKind::response).size() == 1);
    CHECK_FALSE(pair.session.has_output());
    CHECK(pair.is_healthy);
}

TEST_CASE("A connection once warm allocates nothing of ours for a push", "[http2]") {
    Pair pair({.streams_max = 100});
    http2::Event event;
    mock::Http2Request request;
    const auto round = [&] {
        while (pair.session.can_submit()) pair.submit();
        std::array<ByteView, 8> views;
        while (pair.session.has_output() || !pair.to_server.is_empty()) {
            REQUIRE(pair.session.drain(pair.to_server));
            while (pair.to_server.views(std::span(views).first(1)) > 0) {
                REQUIRE(pair.server.feed(views[0]));
                pair.to_server.consume(views[0].size());
            }
        }
        while (pair.server.next_request(request)) {
            pair.server.respond(request.stream,
                                {.status = 400, .body = R"({"reason":"BadTopic"})"});
        }
        REQUIRE(pair.server.drain(pair.to_client));
        while (pair.to_client.views(std::span(views).first(1)) > 0) {
            REQUIRE(pair.session.feed(views[0]));
            pair.to_client.consume(views[0].size());
        }
        while (pair.session.next_event(event)) {
        }
    };
    for (int i = 0; i < 3; ++i) round();
    const size_t before = allocations;
    for (int i = 0; i < 10; ++i) round();
    CHECK(allocations == before);
    CHECK(pair.session.streams_open() == 0);
}
