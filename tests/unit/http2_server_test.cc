// SPDX-License-Identifier: GPL-3.0-or-later
// The server that stands in for APNs: what it tells of a client, and what it can be made to do.
#include "tests/mock/http2_server.h"

#include <string>

#include <catch_amalgamated.hpp>

#include "tests/support/http2_frames.h"
#include "tests/support/http2_pair.h"

using namespace knuckle;
using namespace knuckle::test;
using namespace knuckle::test::frames;
using http2::EventKind;

namespace {

const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings();
const std::string kHead =
    block({{":method", "POST"}, {":scheme", "https"}, {":path", "/"}, {":authority", "a"}});

}  // namespace

TEST_CASE("The server notices a field that comes twice", "[http2][server]") {
    Pair pair;
    http2::RequestHead head = push_head();
    head.add({"apns-priority", "5"});
    REQUIRE(pair.session.submit(head, {}, 1, pair.to_server));
    pair.run();
    const auto requests = pair.requests();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].has_duplicate_field);
    CHECK(requests[0].field("apns-priority") == "10");
    CHECK(requests[0].field("no-such-field").empty());
}

TEST_CASE("The server refuses a head beyond its limit and goes on", "[http2][server]") {
    Pair pair({.starts_with_one_stream = false}, {.header_list_max = 900});
    pair.run();
    const std::string token(300, 't');
    http2::RequestHead head = push_head();
    head.fields[0].value = token;
    REQUIRE(pair.session.submit(head, as_bytes(kPushBody), 1, pair.to_server));
    pair.submit();
    pair.run();
    CHECK(pair.server.counters().heads_too_large == 1);
    CHECK(pair.take_events(EventKind::refused).size() == 1);
    CHECK(pair.answer_all() == 1);
    CHECK(pair.take_events(EventKind::response).size() == 1);
}

TEST_CASE("The server counts priorities, pings and resets", "[http2][server]") {
    mock::Http2Server server({});
    const std::string priority = number(0, 4) + "\x10";
    const std::string bytes = kPreface + frame(kPriority, 0, 1, priority) +
                              frame(kHeaders, kEndHeaders | 0x20, 1, priority + kHead) + ping() +
                              frame(kHeaders, kEndHeaders | kEndStream, 3, kHead) +
                              rst_stream(1, 8);
    REQUIRE(feed_in_pieces(server, bytes, 1));
    const mock::Http2Server::Counters& counters = server.counters();
    CHECK(counters.priority_frames == 2);
    CHECK(counters.pings == 1);
    CHECK(counters.resets == 1);
    CHECK(counters.requests == 1);
    CHECK(counters.streams_open == 1);
    CHECK(counters.streams_open_peak == 2);
    CHECK(server.last_stream() == 3);
}

TEST_CASE("A PING waits for its answer where the server is told so", "[http2][server]") {
    Pair pair({}, {.acks_pings = false});
    pair.run();
    pair.session.ping();
    pair.run();
    CHECK(pair.server.pings_unanswered() == 1);
    CHECK(pair.take_events(http2::EventKind::ping_ack).empty());
    pair.server.ack_pings();
    pair.run();
    CHECK(pair.server.pings_unanswered() == 0);
    CHECK(pair.take_events(http2::EventKind::ping_ack).size() == 1);
}

TEST_CASE("A request that its client takes back is not handed out", "[http2][server]") {
    Pair pair;
    const int32_t stream = pair.submit();
    pair.run();
    pair.session.cancel(stream);
    pair.run();
    CHECK(pair.requests().empty());
    CHECK_FALSE(pair.server.respond(stream, {}));
    CHECK_FALSE(pair.server.reset(stream, 0));
}

TEST_CASE("Trailers of a request are not its fields", "[http2][server]") {
    mock::Http2Server server({});
    const std::string bytes = kPreface + frame(kHeaders, kEndHeaders, 1, kHead) + data(1, "body") +
                              headers(1, {{"late", "field"}}, kEndHeaders | kEndStream);
    REQUIRE(feed_in_pieces(server, bytes, 3));
    mock::Http2Request request;
    REQUIRE(server.next_request(request));
    CHECK(as_text(request.body) == "body");
    CHECK(request.fields.empty());
    CHECK(request.authority == "a");
    CHECK_FALSE(server.next_request(request));
}

TEST_CASE("A server that checks nothing serves the same", "[http2][server]") {
    Pair pair({}, {.checks_messages = false});
    pair.warm_up();
    CHECK(pair.submit_all() == 500);
    pair.run();
    CHECK(pair.answer_all() == 500);
    CHECK(pair.take_events(EventKind::response).size() == 500);
}

TEST_CASE("What is not HTTP/2 is an error", "[http2][server]") {
    mock::Http2Server server({});
    CHECK_FALSE(server.feed(as_bytes("GET / HTTP/1.1\r\n\r\n")));
}

TEST_CASE("After GOAWAY and the last answer the connection is over", "[http2][server]") {
    Pair pair;
    const int32_t stream = pair.submit();
    pair.run();
    pair.server.goaway(stream, 0, "");
    pair.run();
    CHECK_FALSE(pair.server.is_over());
    pair.server.respond(stream, {});
    pair.run();
    CHECK(pair.server.is_over());
}
