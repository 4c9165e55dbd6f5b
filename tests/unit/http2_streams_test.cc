// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "http2/streams.h"

using namespace knuckle;
using namespace knuckle::http2;

namespace {

Stream& open(Streams& streams, uint64_t tag, int32_t id) {
    Stream* const stream = streams.open(tag, {});
    REQUIRE(stream != nullptr);
    stream->id = id;
    return *stream;
}

}  // namespace

TEST_CASE("Streams end in the order in which their answers came", "[http2]") {
    Streams streams(8);
    Stream& first = open(streams, 1, 1);
    Stream& second = open(streams, 2, 3);
    streams.finish(second, EventKind::reset, 5);
    streams.finish(first, EventKind::refused, 7);
    CHECK(streams.open_count() == 0);
    Event event;
    REQUIRE(streams.next_event(event));
    CHECK(event.tag == 2);
    CHECK(event.kind == EventKind::reset);
    CHECK(event.error_code == 5);
    REQUIRE(streams.next_event(event));
    CHECK(event.tag == 1);
    CHECK(event.kind == EventKind::refused);
    CHECK_FALSE(streams.next_event(event));
}

TEST_CASE("A response keeps its status, retry-after and body until the next event", "[http2]") {
    Streams streams(8);
    Stream& stream = open(streams, 1, 1);
    streams.add_field(stream, ":status", "503");
    streams.add_field(stream, "content-type", "application/json");
    streams.add_field(stream, "retry-after", "Wednesday, 06-Nov-94 08:49:37 GMT");
    stream.end_head();
    streams.add_body(stream, as_bytes("{\"reason\":"));
    streams.add_body(stream, as_bytes("\"Shutdown\"}"));
    streams.finish(stream, EventKind::response, 0);
    Event event;
    REQUIRE(streams.next_event(event));
    CHECK(event.status == 503);
    CHECK(event.retry_after == "Wednesday, 06-Nov-94 08:49:37 GMT");
    CHECK(as_text(event.body) == R"({"reason":"Shutdown"})");
}

TEST_CASE("Interim responses are forgotten and trailers not heard", "[http2]") {
    Streams streams(8);
    Stream& stream = open(streams, 1, 1);
    streams.add_field(stream, ":status", "103");
    streams.add_field(stream, "retry-after", "7");
    stream.end_head();
    streams.add_field(stream, ":status", "200");
    stream.end_head();
    streams.add_field(stream, "retry-after", "8");
    streams.finish(stream, EventKind::response, 0);
    Event event;
    REQUIRE(streams.next_event(event));
    CHECK(event.status == 200);
    CHECK(event.retry_after.empty());
}

TEST_CASE("A retry-after that is neither a number nor a date is left out", "[http2]") {
    Streams streams(8);
    Stream& stream = open(streams, 1, 1);
    streams.add_field(stream, ":status", "503");
    streams.add_field(stream, "retry-after", std::string(41, '1'));
    streams.finish(stream, EventKind::response, 0);
    Event event;
    REQUIRE(streams.next_event(event));
    CHECK(event.retry_after.empty());
}

TEST_CASE("A body is cut at its limit, however it comes", "[http2]") {
    Streams streams(8);
    Stream& stream = open(streams, 1, 1);
    const std::string piece(300, 'x');
    for (int i = 0; i < 5; ++i) streams.add_body(stream, as_bytes(piece));
    streams.finish(stream, EventKind::response, 0);
    Event event;
    REQUIRE(streams.next_event(event));
    CHECK(as_text(event.body) == std::string(kResponseBodyMax, 'x'));
}

TEST_CASE("A body does not shine through to the next stream", "[http2]") {
    Streams streams(8);
    Event event;
    Stream& first = open(streams, 1, 1);
    streams.add_body(first, as_bytes("long and old"));
    streams.finish(first, EventKind::response, 0);
    REQUIRE(streams.next_event(event));
    CHECK_FALSE(streams.next_event(event));
    Stream& second = open(streams, 2, 3);
    streams.add_body(second, as_bytes("new"));
    streams.finish(second, EventKind::response, 0);
    REQUIRE(streams.next_event(event));
    CHECK(as_text(event.body) == "new");
    Stream& third = open(streams, 3, 5);
    streams.finish(third, EventKind::response, 0);
    REQUIRE(streams.next_event(event));
    CHECK(event.body.empty());
}

TEST_CASE("A full table gives no stream until an event has been pulled and let go", "[http2]") {
    Streams streams(1);
    Stream& stream = open(streams, 1, 1);
    CHECK(streams.is_full());
    CHECK(streams.open(2, {}) == nullptr);
    streams.finish(stream, EventKind::reset, 0);
    CHECK(streams.open(2, {}) == nullptr);
    Event event;
    REQUIRE(streams.next_event(event));
    CHECK(streams.is_full());
    streams.release_shown();
    CHECK_FALSE(streams.is_full());
}

TEST_CASE("A stream given up is found no more, open or ended", "[http2]") {
    Streams streams(8);
    open(streams, 1, 1);
    Stream& ended = open(streams, 2, 3);
    streams.finish(ended, EventKind::reset, 0);
    REQUIRE(streams.find(1) != nullptr);
    REQUIRE(streams.find(3) == &ended);
    streams.forget(*streams.find(1));
    streams.forget(*streams.find(3));
    CHECK(streams.find(1) == nullptr);
    CHECK(streams.find(3) == nullptr);
    CHECK(streams.open_count() == 0);
    Event event;
    CHECK_FALSE(streams.next_event(event));
}
