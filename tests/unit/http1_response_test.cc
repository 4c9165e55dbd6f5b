// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>
#include <string>

#include <catch_amalgamated.hpp>

#include "http1/response.h"

using namespace knuckle;
using namespace knuckle::http1;

namespace {

constexpr std::string_view kDate = "Mon, 23 Nov 2026 15:04:05 GMT";

std::string text_of(const Buffer& buffer) {
    std::array<ByteView, 64> views;
    std::string text;
    for (size_t i = 0, count = buffer.views(views); i < count; ++i) text += as_text(views[i]);
    return text;
}

std::string written(const Response& response, std::string_view date = kDate) {
    ChunkPool chunks;
    Buffer out(chunks);
    write_response(response, date, out);
    return text_of(out);
}

}  // namespace

TEST_CASE("A response has its length, its type and the date", "[http1]") {
    const Response response{.status = 200, .content_type = "application/json", .body = "{\"a\":1}"};
    CHECK(written(response) ==
          "HTTP/1.1 200 OK\r\n"
          "Date: Mon, 23 Nov 2026 15:04:05 GMT\r\n"
          "Content-Length: 7\r\n"
          "Content-Type: application/json\r\n"
          "\r\n"
          "{\"a\":1}");
}

TEST_CASE("A response without a body says that its length is 0", "[http1]") {
    CHECK(written({.status = 404}, "") == "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("A response says when the connection ends", "[http1]") {
    CHECK(written({.status = 400, .body = "no", .keep_alive = false}, "") ==
          "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
}

TEST_CASE("A response to HEAD has the length of the body, and no body", "[http1]") {
    CHECK(
        written({.status = 200, .content_type = "text/plain", .body = "hello", .is_to_head = true},
                "") == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\n");
}

TEST_CASE("A status that excludes a body has neither length nor body", "[http1]") {
    CHECK(written({.status = 204, .body = "ignored"}, "") == "HTTP/1.1 204 No Content\r\n\r\n");
    CHECK(written({.status = 304, .body = "ignored"}, "") == "HTTP/1.1 304 Not Modified\r\n\r\n");
}

TEST_CASE("Further fields follow in their order", "[http1]") {
    const std::array<Field, 2> fields{{{"Allow", "GET, POST"}, {"Retry-After", "5"}}};
    CHECK(written({.status = 405, .fields = fields}, "") ==
          "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nAllow: GET, "
          "POST\r\nRetry-After: 5\r\n\r\n");
}

TEST_CASE("A status without a known phrase keeps the space in front of it", "[http1]") {
    CHECK(written({.status = 299}, "") == "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("Responses follow each other in one buffer, larger than a chunk", "[http1]") {
    const std::string body(3 * Chunk::kSize, 'b');
    ChunkPool chunks;
    Buffer out(chunks);
    std::string expected;
    for (int i = 0; i < 5; ++i) {
        write_response({.status = 200, .body = body}, "", out);
        expected +=
            "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    CHECK(text_of(out) == expected);
}

TEST_CASE("100 Continue is a head of its own", "[http1]") {
    ChunkPool chunks;
    Buffer out(chunks);
    write_continue(out);
    CHECK(text_of(out) == "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST_CASE("The date is an IMF-fixdate", "[http1]") {
    CHECK(format_http_date(from_unix_seconds(0)) == "Thu, 01 Jan 1970 00:00:00 GMT");
    CHECK(format_http_date(from_unix_seconds(784'111'777)) ==
          "Sun, 06 Nov 1994 08:49:37 GMT");  // RFC 9110 5.6.7
    CHECK(format_http_date(from_unix_seconds(951'782'400)) == "Tue, 29 Feb 2000 00:00:00 GMT");
    CHECK(format_http_date(from_unix_seconds(1'795'446'245)) == "Mon, 23 Nov 2026 15:04:05 GMT");
    CHECK(format_http_date(from_unix_seconds(1'798'761'599)) == "Thu, 31 Dec 2026 23:59:59 GMT");
}

TEST_CASE("A date is read in the form in which it is written, and in no other", "[http1]") {
    for (const int64_t seconds : {0, 784'111'777, 951'782'400, 1'795'446'245, 1'798'761'599}) {
        const UnixTime time = from_unix_seconds(seconds);
        CHECK(parse_http_date(format_http_date(time)) == time);
    }
    CHECK(parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == from_unix_seconds(1'483'228'800));
    for (const char* const wrong : {"",
                                    "Sun, 06 Nov 1994 08:49:37 UTC",
                                    "Sunday, 06-Nov-94 08:49:37 GMT",
                                    "Sun Nov  6 08:49:37 1994     ",
                                    "Sun, 31 Nov 1994 08:49:37 GMT",
                                    "Sun, 06 nov 1994 08:49:37 GMT",
                                    "Sun, 06 Nov 1994 24:49:37 GMT",
                                    "Sun, 06 Nov 1994 08:60:37 GMT",
                                    "Sun, 06 Nov 1994 08:49:-7 GMT",
                                    "Sun, 06 Nov 1994 08:49:37 GMT "})
        CHECK_FALSE(parse_http_date(wrong));
}

TEST_CASE("Every status that the parser answers has a phrase", "[http1]") {
    for (const uint16_t status : {400, 413, 414, 417, 431, 501, 505})
        CHECK_FALSE(reason_phrase(status).empty());
}
