// SPDX-License-Identifier: GPL-3.0-or-later
// The session against bytes written by hand: golden streams cut everywhere, and servers that mean
// harm.
#include <functional>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "http2/session.h"
#include "tests/support/http2_frames.h"
#include "tests/support/http2_oracle.h"
#include "tests/support/http2_pair.h"

using namespace knuckle;
using namespace knuckle::test;
using namespace knuckle::test::frames;
using http2::EventKind;

namespace {

constexpr uint32_t kRefusedStream = 0x7;

// A client that has had the peer's SETTINGS and then sent `requests` requests: streams 1, 3, 5 ...
struct Waiting {
    explicit Waiting(size_t requests = 3, std::string_view peer_settings = "") {
        const std::string first = peer_settings.empty() ? settings({{kMaxConcurrentStreams, 100}})
                                                        : std::string(peer_settings);
        REQUIRE(session.feed(as_bytes(first)));
        for (uint64_t tag = 1; tag <= requests; ++tag)
            REQUIRE(session.submit(push_head(), as_bytes(kPushBody), tag, output));
        REQUIRE(session.drain(output));
        output.clear();
        pull_events(session);
    }

    // What the session answers, as bytes.
    std::string answer() {
        (void)session.drain(output);
        return take_bytes(output);
    }

    ChunkPool chunks;
    Buffer output{chunks};
    http2::Session session{{.streams_max = 100, .starts_with_one_stream = false}};
};

struct Golden {
    const char* name;
    std::string bytes;  // what the server sends after its SETTINGS
    std::vector<SeenEvent> events;
};

const std::string kReason = R"({"reason":"BadDeviceToken"})";

std::vector<Golden> golden_streams() {
    const uint8_t kAll = kEndHeaders | kEndStream;
    const auto ok = [&](uint32_t stream) { return headers(stream, {{":status", "200"}}, kAll); };
    const SeenEvent answered[] = {{EventKind::response, 1, 200, 0, "", ""},
                                  {EventKind::response, 2, 200, 0, "", ""},
                                  {EventKind::response, 3, 200, 0, "", ""}};
    return {
        {"three answers without bodies",
         settings_ack() + ok(1) + ok(3) + ok(5),
         {answered[0], answered[1], answered[2]}},
        {"answers out of order", ok(5) + ok(1) + ok(3), {answered[2], answered[0], answered[1]}},
        {"an error with its reason in two frames",
         headers(1, {{":status", "400"}, {"apns-id", "x"}, {"retry-after", "9"}}) +
             data(1, kReason.substr(0, 5)) + data(1, kReason.substr(5), kEndStream),
         {{EventKind::response, 1, 400, 0, kReason, "9"}}},
        {"bodies of two streams interleaved",
         headers(1, {{":status", "400"}}) + headers(3, {{":status", "410"}}) + data(1, "one ") +
             data(3, "two ") + data(1, "1", kEndStream) + data(3, "2", kEndStream),
         {{EventKind::response, 1, 400, 0, "one 1", ""},
          {EventKind::response, 2, 410, 0, "two 2", ""}}},
        {"padding, and empty frames",
         headers(1, {{":status", "400"}}) + padded_data(1, "", 0) + padded_data(1, kReason, 255) +
             data(1, "") + padded_data(1, "", 7, kEndStream),
         {{EventKind::response, 1, 400, 0, kReason, ""}}},
        {"interim responses first",
         headers(1, {{":status", "100"}}) + headers(1, {{":status", "103"}, {"retry-after", "1"}}) +
             ok(1),
         {answered[0]}},
        {"trailers last",
         headers(1, {{":status", "503"}, {"retry-after", "5"}}) + data(1, "body") +
             headers(1, {{"retry-after", "99"}, {"grpc-status", "0"}}, kAll),
         {{EventKind::response, 1, 503, 0, "body", "5"}}},
        {"a head in pieces",
         frame(kHeaders, kEndStream, 1, block({{":status", "200"}}).substr(0, 4)) +
             frame(kContinuation, 0, 1, block({{":status", "200"}}).substr(4)) +
             frame(kContinuation, kEndHeaders, 1, block({{"apns-id", "x"}})),
         {answered[0]}},
        {"a RST_STREAM(NO_ERROR) after the whole response",
         ok(1) + rst_stream(1, 0),
         {answered[0]}},
        {"resets of each kind",
         rst_stream(1, kRefusedStream) + rst_stream(3, 8) + headers(5, {{":status", "200"}}) +
             rst_stream(5, 0),
         {{EventKind::refused, 1, 0, kRefusedStream, "", ""},
          {EventKind::reset, 2, 0, 8, "", ""},
          {EventKind::reset, 3, 0, 0, "", ""}}},
        {"frames after a reset",
         rst_stream(1, 8) + rst_stream(1, 5) + ok(3),
         {{EventKind::reset, 1, 0, 8, "", ""}, answered[1]}},
        {"a GOAWAY in the middle, answers after it",
         ok(1) + goaway(3, 0, R"({"reason":"Shutdown"})") + ok(3),
         {{EventKind::goaway, 0, 0, 0, R"({"reason":"Shutdown"})", ""},
          answered[0],
          {EventKind::refused, 3, 0, kRefusedStream, "", ""},
          answered[1]}},
        {"SETTINGS, PING and unknown frames in between",
         settings({{kMaxConcurrentStreams, 100}, {0x4242, 1}}) + ping() +
             frame(0xfa, 0xff, 1, "what?") + window_update(0, 1'000) + window_update(1, 1'000) +
             frame(kPriority, 0, 1, number(3, 4) + "\x10") + ok(1),
         {answered[0]}},
        {"a response to a content-length",
         headers(1, {{":status", "400"}, {"content-length", "4"}}) + data(1, "body", kEndStream),
         {{EventKind::response, 1, 400, 0, "body", ""}}},
    };
}

// The order of the streams' events is what counts; the connection's are coalesced.
std::vector<SeenEvent> sorted_out(std::vector<SeenEvent> events) {
    std::stable_partition(events.begin(), events.end(), [](const SeenEvent& event) {
        return event.kind == EventKind::goaway;
    });
    return events;
}

void check_fails(std::string_view name, std::string_view bytes) {
    INFO(name);
    Waiting client;
    const Result<void> fed = client.session.feed(as_bytes(bytes));
    CHECK_FALSE(fed);
    if (fed) return;
    CHECK(fed.error().code == Errc::protocol);
    CHECK(std::string_view(fed.error().what).size() > 5);
    CHECK_FALSE(client.session.can_submit());
    CHECK(client.session.is_draining());
    client.answer();
    CHECK_FALSE(client.session.feed(as_bytes(ping())));
    CHECK(client.answer().empty());
    pull_events(client.session);
}

}  // namespace

TEST_CASE("Golden streams read the same however they are cut", "[http2]") {
    for (const Golden& golden : golden_streams()) {
        INFO(golden.name);
        const auto read = [&](size_t first, size_t step) {
            Waiting client;
            std::vector<SeenEvent> events;
            size_t begin = 0;
            for (size_t end = first; begin < golden.bytes.size(); end += step) {
                end = std::min(end, golden.bytes.size());
                REQUIRE(client.session.feed(
                    as_bytes(std::string_view(golden.bytes).substr(begin, end - begin))));
                for (SeenEvent& event : pull_events(client.session))
                    events.push_back(std::move(event));
                begin = end;
            }
            return sorted_out(std::move(events));
        };
        for (size_t cut = 1; cut <= golden.bytes.size(); ++cut) {
            CAPTURE(cut);
            CHECK(read(cut, golden.bytes.size()) == sorted_out(golden.events));
        }
        CHECK(read(1, 1) == sorted_out(golden.events));
    }
}

TEST_CASE("The session opens with its preface and SETTINGS that forbid pushes", "[http2]") {
    ChunkPool chunks;
    Buffer output(chunks);
    http2::Session session({});
    CHECK(session.has_output());
    REQUIRE(session.drain(output));
    CHECK(take_bytes(output) ==
          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings({{2, 0}, {6, http2::kResponseHeadMax}}));
    CHECK_FALSE(session.has_output());
}

TEST_CASE("SETTINGS and PINGs of the peer are acknowledged", "[http2]") {
    Waiting client(0);
    REQUIRE(client.session.feed(as_bytes(ping() + settings())));
    CHECK(client.answer() == ping(kAck) + settings_ack());
}

TEST_CASE("A ping's answer that was not asked for tells nothing", "[http2]") {
    Waiting client(0);
    REQUIRE(client.session.feed(as_bytes(ping(kAck))));
    CHECK(pull_events(client.session).empty());
}

TEST_CASE("SETTINGS without a limit mean our own", "[http2]") {
    http2::Session session({.streams_max = 77, .starts_with_one_stream = false});
    REQUIRE(session.feed(as_bytes(settings())));
    CHECK(session.streams_max() == 77);
}

TEST_CASE("A server that speaks HTTP/1 is told apart", "[http2]") {
    http2::Session session({});
    const Result<void> fed =
        session.feed(as_bytes("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
    REQUIRE_FALSE(fed);
    CHECK(std::string_view(fed.error().what).find("does not speak HTTP/2") !=
          std::string_view::npos);
}

TEST_CASE("A peer that breaks the connection's rules loses it", "[http2]") {
    const std::string head = block({{":status", "200"}});
    check_fails("a frame beyond the size", frame(kData, 0, 1, std::string(16'385, 'x')));
    check_fails("DATA on stream 0", data(0, "x"));
    check_fails("DATA on an idle stream", data(7, "x"));
    check_fails("DATA before the head", data(1, "x"));
    check_fails("DATA with more padding than payload", frame(kData, kPadded, 1, "\x05xxx"));
    check_fails("a response on an idle stream", headers(7, {{":status", "200"}}));
    check_fails("a response on a stream of the server's", headers(2, {{":status", "200"}}));
    check_fails("RST_STREAM on stream 0", rst_stream(0, 0));
    check_fails("RST_STREAM on an idle stream", rst_stream(7, 0));
    check_fails("a short RST_STREAM", frame(kRstStream, 0, 1, "123"));
    check_fails("a SETTINGS entry too short", frame(kSettings, 0, 0, "12345"));
    check_fails("SETTINGS on a stream", frame(kSettings, 0, 1, ""));
    check_fails("more SETTINGS acknowledged than sent", settings_ack() + settings_ack());
    check_fails("a window beyond 2^31", settings({{kInitialWindowSize, 0x8000'0000}}));
    check_fails("a server that enables pushes", settings({{2, 1}}));
    check_fails("PING on a stream", frame(kPing, 0, 1, "12345678"));
    check_fails("a short PING", frame(kPing, 0, 0, "1234567"));
    check_fails("a short GOAWAY", frame(kGoaway, 0, 0, "1234567"));
    check_fails("GOAWAY on a stream", frame(kGoaway, 0, 1, "12345678"));
    check_fails("GOAWAY for a stream of the server's", goaway(2, 0));
    check_fails("an empty WINDOW_UPDATE", window_update(0, 0));
    check_fails("an empty WINDOW_UPDATE on a stream", window_update(1, 0));
    check_fails("a WINDOW_UPDATE beyond 2^31", window_update(0, 0x7fff'ffff));
    check_fails("CONTINUATION without HEADERS", frame(kContinuation, kEndHeaders, 1, head));
    check_fails("HEADERS that are not continued", frame(kHeaders, 0, 1, head) + ping());
    check_fails("field 0 of the table", frame(kHeaders, kEndHeaders, 1, "\x80"));
    check_fails("a field beyond the table",
                frame(kHeaders, kEndHeaders, 1, "\xff\xff\xff\xff\x07"));
    check_fails("an endless integer",
                frame(kHeaders, kEndHeaders, 1, "\xff\xff\xff\xff\xff\xff\xff\xff"));
    check_fails("a head cut off", frame(kHeaders, kEndHeaders, 1, head.substr(0, 5)));
    check_fails("a head beyond its padding",
                frame(kHeaders, kEndHeaders | kPadded, 1, "\x20" + head));
    check_fails("a push",
                frame(kPushPromise, kEndHeaders, 1, number(2, 4) + block({{":method", "GET"}})));
}

TEST_CASE("A peer that breaks the rules of one stream loses that stream", "[http2]") {
    const uint8_t kAll = kEndHeaders | kEndStream;
    const std::pair<const char*, std::string> broken[] = {
        {"no status", headers(1, {{"apns-id", "x"}}, kAll)},
        {"a long status", headers(1, {{":status", "2000"}}, kAll)},
        {"a status below 100", headers(1, {{":status", "099"}}, kAll)},
        {"a status in letters", headers(1, {{":status", "abc"}}, kAll)},
        {"two of them", headers(1, {{":status", "200"}, {":status", "200"}}, kAll)},
        {"a name in upper case", headers(1, {{":status", "200"}, {"Upper", "case"}}, kAll)},
        {"a field of HTTP/1", headers(1, {{":status", "200"}, {"connection", "close"}}, kAll)},
        {"an interim response at the end", headers(1, {{":status", "100"}}, kAll)},
        {"less than its content-length",
         headers(1, {{":status", "200"}, {"content-length", "5"}}) + data(1, "four", kEndStream)},
        {"more than its content-length",
         headers(1, {{":status", "200"}, {"content-length", "3"}}) + data(1, "four", kEndStream)},
        {"trailers without an end", headers(1, {{":status", "200"}}) + headers(1, {{"x", "y"}})},
        {"a WINDOW_UPDATE beyond 2^31", window_update(1, 0x7fff'ffff)},
    };
    for (const auto& [name, bytes] : broken) {
        INFO(name);
        Waiting client;
        CHECK(client.session.feed(as_bytes(bytes)));
        client.answer();
        const std::vector<SeenEvent> events = pull_events(client.session);
        REQUIRE(events.size() == 1);
        CHECK(events[0].kind == EventKind::reset);
        CHECK(events[0].tag == 1);
        CHECK(client.session.feed(as_bytes(headers(3, {{":status", "200"}}, kAll))));
        CHECK(pull_events(client.session).size() == 1);
        CHECK(client.session.streams_open() == 1);
    }
}

TEST_CASE("A failed session still says GOAWAY", "[http2]") {
    Waiting client;
    REQUIRE_FALSE(client.session.feed(as_bytes(data(0, "x"))));
    CHECK(client.session.has_output());
    const std::string answer = client.answer();
    REQUIRE(answer.size() > 9);
    CHECK(answer[3] == kGoaway);
    CHECK_FALSE(client.session.has_output());
}

TEST_CASE("An error after GOAWAY ends the session too", "[http2]") {
    Waiting client;
    REQUIRE(client.session.feed(as_bytes(goaway(5, 0))));
    (void)client.session.feed(as_bytes(data(0, "x")));
    client.answer();
    CHECK_FALSE(client.session.feed(as_bytes(ping())));
}

TEST_CASE("A head that unpacks to more than we allow ends the connection", "[http2]") {
    // One field of 3 kB goes into the table; each octet after it stands for that field
    // (CVE-2016-6581).
    std::string bomb = "\x40" + string_literal("x") + string_literal(std::string(3'000, 'y'));
    bomb += std::string(10'000, '\xbe');
    check_fails("a header bomb",
                frame(kHeaders, kEndHeaders, 1, block({{":status", "200"}}) + bomb));
}

TEST_CASE("A head of endless CONTINUATIONs ends the connection", "[http2]") {
    // CVE-2024-28182.
    std::string flood = frame(kHeaders, kEndStream, 1, block({{":status", "200"}}));
    for (int i = 0; i < 100; ++i) flood += frame(kContinuation, 0, 1, "");
    check_fails("a flood", flood);
}

TEST_CASE("A flood of PINGs or SETTINGS ends the connection", "[http2]") {
    const bool pings = GENERATE(true, false);
    std::string flood;
    for (int i = 0; i < 1'000; ++i) flood += pings ? ping() : settings();
    check_fails("a flood", flood);
}

TEST_CASE("SETTINGS with too many entries end the connection", "[http2]") {
    std::string entries;
    for (int i = 0; i < 100; ++i) entries += number(kMaxConcurrentStreams, 2) + number(5, 4);
    check_fails("many entries", frame(kSettings, 0, 0, entries));
}

TEST_CASE("Frames of a stream that has failed are ignored, whatever they are", "[http2]") {
    // The session is told to end by an extension or a frame of a closed stream in CVE-2026-27135:
    // such frames arrive here after a GOAWAY of ours is due.
    Waiting client;
    const std::string late = headers(1, {{":status", "200"}}) + data(1, "x") +
                             frame(0x0a, 0, 1, "altsvc") + frame(0x0c, 0, 0, "origin") +
                             frame(0x10, 0, 0, number(1, 4) + "u=1") + goaway(0, 0);
    REQUIRE_FALSE(client.session.feed(as_bytes(data(0, "x") + late)));
    CHECK_FALSE(client.session.feed(as_bytes(late)));
    client.answer();
    CHECK_FALSE(client.session.feed(as_bytes(late)));
    client.answer();
    CHECK(pull_events(client.session).size() <= 3);
}
