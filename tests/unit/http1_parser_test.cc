// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>

#include <catch_amalgamated.hpp>
#include <malloc.h>

#include "http1/parser.h"
#include "tests/support/http1_oracle.h"

using namespace knuckle;
using namespace knuckle::http1;
using namespace std::string_literals;

namespace {

size_t allocations = 0;
size_t live_bytes = 0;

void* count_in(size_t size) {
    void* const memory = std::malloc(size);
    if (memory == nullptr) std::abort();
    ++allocations;
    live_bytes += malloc_usable_size(memory);
    return memory;
}

void count_out(void* memory) {
    live_bytes -= memory == nullptr ? 0 : malloc_usable_size(memory);
    std::free(memory);
}

}  // namespace

// This test program counts what it allocates.
void* operator new(size_t size) { return count_in(size); }
void* operator new[](size_t size) { return count_in(size); }
void operator delete(void* memory) noexcept { count_out(memory); }
void operator delete[](void* memory) noexcept { count_out(memory); }
void operator delete(void* memory, size_t) noexcept { count_out(memory); }
void operator delete[](void* memory, size_t) noexcept { count_out(memory); }

namespace {

const std::string kKnock =
    "POST /api/v1/messages/ HTTP/1.1\r\n"
    "Host: push.example\r\n"
    "User-Agent: client/1\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: 15\r\n"
    "\r\n"
    "{\"token\":\"abc\"}";

std::string with_fields(std::string_view fields, std::string_view line = "POST / HTTP/1.1") {
    return std::string(line) + "\r\n" + std::string(fields) + "\r\n";
}

// A request whose head has exactly `size` bytes.
std::string with_head_of(size_t size) {
    const std::string rest = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n";
    return "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(size - rest.size(), 'x') + "\r\n\r\n";
}

std::string with_target_of(size_t size) {
    return "GET /" + std::string(size - 1, 't') + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

std::string with_field_count(size_t count) {
    std::string fields = "Host: a\r\n";
    for (size_t i = 1; i < count; ++i) fields += "X" + std::to_string(i) + ": y\r\n";
    return with_fields(fields, "GET / HTTP/1.1");
}

std::string with_body_of(size_t size) {
    return with_fields("Host: a\r\nContent-Length: " + std::to_string(size) + "\r\n") +
           std::string(size, 'b');
}

std::string chunked(std::string_view chunks) {
    return with_fields("Host: a\r\nTransfer-Encoding: chunked\r\n") + std::string(chunks);
}

std::string chunk_of(size_t size) {
    std::array<char, 16> digits{};
    std::snprintf(digits.data(), digits.size(), "%zx", size);
    return digits.data() + "\r\n"s + std::string(size, 'c') + "\r\n";
}

// Reads `bytes` whole, and checks that nothing differs when they come in any pieces.
test::Seen read(const std::string& bytes) {
    CHECK(test::check_http1(as_bytes(bytes)).empty());
    return test::read_requests(as_bytes(bytes));
}

test::SeenRequest read_one(const std::string& bytes) {
    const test::Seen seen = read(bytes);
    INFO((seen.error ? seen.error->second : "no error"));
    REQUIRE(seen.requests.size() == 1);
    CHECK_FALSE(seen.error);
    CHECK_FALSE(seen.is_in_request);
    return seen.requests.front();
}

int status_of(const std::string& bytes) {
    const test::Seen seen = read(bytes);
    return seen.error ? seen.error->first : 0;
}

bool is_within(std::string_view view, const std::string& memory) {
    return view.data() >= memory.data() &&
           view.data() + view.size() <= memory.data() + memory.size();
}

}  // namespace

TEST_CASE("A request is read", "[http1]") {
    const test::SeenRequest request = read_one(kKnock);
    CHECK(request.method == Method::post);
    CHECK(request.method_name == "POST");
    CHECK(request.path == "/api/v1/messages/");
    CHECK(request.query.empty());
    CHECK(request.fields == test::SeenRequest::Fields{{"Host", "push.example"},
                                                      {"User-Agent", "client/1"},
                                                      {"Content-Type", "application/json"},
                                                      {"Content-Length", "15"}});
    CHECK(request.body == "{\"token\":\"abc\"}");
    CHECK(request.keep_alive);
}

TEST_CASE("Every method has its name", "[http1]") {
    const std::pair<const char*, Method> methods[] = {
        {"GET", Method::get},
        {"HEAD", Method::head},
        {"POST", Method::post},
        {"PUT", Method::put},
        {"PATCH", Method::patch},
        {"DELETE", Method::del},
        {"OPTIONS", Method::options},
        {"PROPFIND", Method::other},
        {"TRACE", Method::other},
    };
    for (const auto& [name, method] : methods) {
        const test::SeenRequest request = read_one(name + " / HTTP/1.1\r\nHost: a\r\n\r\n"s);
        CHECK(request.method_name == name);
        CHECK(request.method == method);
    }
}

TEST_CASE("The target is a path and a query, left as they were sent", "[http1]") {
    const auto target = [](const std::string& text) {
        const test::SeenRequest request = read_one("GET " + text + " HTTP/1.1\r\nHost: a\r\n\r\n");
        return std::pair(request.path, request.query);
    };
    CHECK(target("/") == std::pair("/"s, ""s));
    CHECK(target("/a%2Fb/../c?x=1&y=%20?z") == std::pair("/a%2Fb/../c"s, "x=1&y=%20?z"s));
    CHECK(target("/a?") == std::pair("/a"s, ""s));
    CHECK(target("//a/b") == std::pair("//a/b"s, ""s));
}

TEST_CASE("OPTIONS may ask about the server as a whole", "[http1]") {
    CHECK(read_one("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").path == "*");
    CHECK(status_of("GET * HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
    CHECK(status_of("OPTIONS *a HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
}

TEST_CASE("Values come without the white space around them", "[http1]") {
    const test::SeenRequest request =
        read_one("GET / HTTP/1.1\r\nHost:a\r\nX: \t b c\t \r\nEmpty: \t\r\nNone:\r\n\r\n");
    CHECK(request.fields ==
          test::SeenRequest::Fields{{"Host", "a"}, {"X", "b c"}, {"Empty", ""}, {"None", ""}});
}

TEST_CASE("A body may be chunked", "[http1]") {
    CHECK(read_one(chunked("0\r\n\r\n")).body.empty());
    CHECK(read_one(chunked("5\r\nhello\r\n0\r\n\r\n")).body == "hello");
    CHECK(
        read_one(chunked("5\r\nhello\r\n0007\r\n, world\r\nB\r\n and others\r\n0\r\n\r\n")).body ==
        "hello, world and others");
    CHECK(
        read_one(with_fields("Host: a\r\nTransfer-Encoding: CHUNKED \r\n") + "1\r\na\r\n0\r\n\r\n")
            .body == "a");

    SECTION("extensions and trailers are skipped") {
        const test::SeenRequest request =
            read_one(chunked("5;name=value\r\nhello\r\n3;q=\"a;b\"\r\n<->\r\n0;last\r\nX-Trailer: "
                             "t\r\nHost: evil\r\n\r\n"));
        CHECK(request.body == "hello<->");
        CHECK(request.fields.size() == 2);
    }
    SECTION("what looks like a chunk in a chunk is content") {
        CHECK(read_one(chunked("5\r\n0\r\n\r\n\r\n0\r\n\r\n")).body == "0\r\n\r\n");
    }
}

TEST_CASE("A request without Content-Length has no body", "[http1]") {
    CHECK(read_one(with_fields("Host: a\r\n")).body.empty());
    CHECK(read_one(with_fields("Host: a\r\nContent-Length: 0\r\n")).body.empty());
    CHECK(read_one(with_fields("Host: a\r\nContent-Length: 0003 \r\n") + "abc").body == "abc");
}

TEST_CASE("Three pipelined requests come out one by one", "[http1]") {
    const std::string second = chunked("5\r\nhello\r\n0\r\n\r\n");
    const std::string bytes = kKnock + second + "GET /third HTTP/1.1\r\nHost: a\r\n\r\n";
    const test::Seen seen = read(bytes);
    REQUIRE(seen.requests.size() == 3);
    CHECK(seen.requests[0].body == "{\"token\":\"abc\"}");
    CHECK(seen.requests[1].body == "hello");
    CHECK(seen.requests[2].path == "/third");

    SECTION("each takes exactly its bytes from the input") {
        const test::Piece piece(as_bytes(bytes));
        ByteView input = piece.bytes();
        Parser parser;
        REQUIRE(parser.next(input) == Step::request);
        CHECK(input.size() == bytes.size() - kKnock.size());
        parser.finish();
        REQUIRE(parser.next(input) == Step::request);
        CHECK(input.size() == bytes.size() - kKnock.size() - second.size());
        parser.finish();
        REQUIRE(parser.next(input) == Step::request);
        CHECK(input.empty());
    }
}

TEST_CASE("One empty line in front of a request is ignored", "[http1]") {
    CHECK(read("\r\n" + kKnock + "\r\n" + kKnock).requests.size() == 2);
    CHECK(status_of("\r\n\r\n" + kKnock) == 400);
    CHECK(status_of("\n" + kKnock) == 400);
    CHECK(status_of("\r" + kKnock) == 400);
    CHECK(status_of("\r\n\n" + kKnock) == 400);
}

TEST_CASE("The connection stays as the request asks", "[http1]") {
    const auto keeps = [](std::string_view line, std::string_view fields) {
        return read_one(with_fields("Host: a\r\n" + std::string(fields), line)).keep_alive;
    };
    CHECK(keeps("GET / HTTP/1.1", ""));
    CHECK(keeps("GET / HTTP/1.1", "Connection: keep-alive\r\n"));
    CHECK_FALSE(keeps("GET / HTTP/1.1", "Connection: close\r\n"));
    CHECK_FALSE(keeps("GET / HTTP/1.1", "Connection: Close\r\n"));
    CHECK_FALSE(keeps("GET / HTTP/1.1", "Connection: keep-alive, close\r\n"));
    CHECK_FALSE(keeps("GET / HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
    CHECK_FALSE(keeps("GET / HTTP/1.0", ""));
    CHECK_FALSE(keeps("GET / HTTP/1.0", "Connection: keep-alive\r\n"));
}

TEST_CASE("What follows the last request of a connection is ignored", "[http1]") {
    const test::Seen seen =
        read(with_fields("Host: a\r\nConnection: close\r\n") + kKnock + "\x01garbage");
    CHECK(seen.requests.size() == 1);
    CHECK_FALSE(seen.error);
}

TEST_CASE("A request to switch protocols is answered in HTTP/1.1", "[http1]") {
    const std::string upgrade =
        "Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
        "AAMAAABk\r\n";
    CHECK(read(with_fields(upgrade, "GET / HTTP/1.1") + kKnock).requests.size() == 2);
    CHECK(read(with_fields(upgrade + "Content-Length: 5\r\n") + "hello" + kKnock).requests.size() ==
          2);
    CHECK(read(with_fields(upgrade + "Transfer-Encoding: chunked\r\n") + "1\r\na\r\n0\r\n\r\n" +
               kKnock)
              .requests.size() == 2);
    CHECK(status_of("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n") == 501);
    CHECK(status_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 505);
}

TEST_CASE("HTTP/1.0 may come without Host, other versions do not come at all", "[http1]") {
    CHECK(read_one("GET / HTTP/1.0\r\n\r\n").path == "/");
    CHECK(status_of("GET /\r\n\r\n") == 505);
    CHECK(status_of("GET / HTTP/0.9\r\n\r\n") == 505);
    CHECK(status_of("GET / HTTP/1.2\r\n\r\n") == 505);
    CHECK(status_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == 505);
    CHECK(status_of("GET / HTTP/3\r\nHost: a\r\n\r\n") == 505);
}

TEST_CASE("A client that expects 100 Continue gets it when it waits for it", "[http1]") {
    const std::string head =
        with_fields("Host: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n");
    Parser parser;
    test::Piece piece(as_bytes(head));
    ByteView input = piece.bytes();
    REQUIRE(parser.next(input) == Step::send_continue);
    CHECK(parser.is_in_request());
    CHECK(parser.next(input) == Step::need_more);

    piece = test::Piece(as_bytes("hello"));
    input = piece.bytes();
    REQUIRE(parser.next(input) == Step::request);
    CHECK(as_text(parser.request().body) == "hello");
    parser.finish();

    SECTION("not when the body is there already") {
        CHECK(test::read_requests(as_bytes(head + "hello")).continues == 0);
    }
    SECTION("once, however slowly the body comes") {
        CHECK(test::read_byte_by_byte(as_bytes(head + "hello")).continues == 1);
    }
    SECTION("for a chunked body too") {
        const std::string chunks =
            with_fields("Host: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n");
        CHECK(test::read_requests(as_bytes(chunks)).continues == 1);
        CHECK(read_one(chunks + "5\r\nhello\r\n0\r\n\r\n").body == "hello");
    }
    SECTION("not without a body, and not in HTTP/1.0") {
        CHECK(test::read_requests(as_bytes(with_fields("Host: a\r\nExpect: 100-continue\r\n")))
                  .continues == 0);
        const std::string old = "Content-Length: 5\r\nExpect: 100-continue\r\n";
        CHECK(test::read_requests(as_bytes(with_fields(old, "POST / HTTP/1.0"))).continues == 0);
    }
    SECTION("no other expectation can be met") {
        CHECK(status_of(with_fields("Host: a\r\nExpect: 200-ok\r\nContent-Length: 5\r\n")) == 417);
    }
    SECTION("a body that is too large is refused first") {
        const test::Seen seen =
            read(with_fields("Host: a\r\nExpect: 100-continue\r\nContent-Length: 65537\r\n"));
        CHECK(seen.continues == 0);
        REQUIRE(seen.error);
        CHECK(seen.error->first == 413);
    }
}

TEST_CASE("Limits hold exactly", "[http1]") {
    SECTION("target") {
        CHECK(read_one(with_target_of(kTargetMax)).path.size() == kTargetMax);
        CHECK(status_of(with_target_of(kTargetMax + 1)) == 414);
        CHECK(status_of("GET /" + std::string(3 * kHeadMax, 't')) == 414);
    }
    SECTION("head") {
        CHECK(read_one(with_head_of(kHeadMax)).fields.size() == 2);
        CHECK(read(with_head_of(kHeadMax) + kKnock).requests.size() == 2);
        CHECK(status_of(with_head_of(kHeadMax + 1)) == 431);
        CHECK(status_of("GET / HTTP/1.1\r\nX: " + std::string(3 * kHeadMax, 'x')) == 431);
        CHECK(status_of("GET / HTTP/1.1\r\n" + std::string(3 * kHeadMax, 'x')) == 431);
    }
    SECTION("fields") {
        CHECK(read_one(with_field_count(kFieldsMax)).fields.size() == kFieldsMax);
        CHECK(status_of(with_field_count(kFieldsMax + 1)) == 431);
    }
    SECTION("body") {
        CHECK(read_one(with_body_of(kBodyMax)).body == std::string(kBodyMax, 'b'));
        CHECK(status_of(with_fields("Host: a\r\nContent-Length: 65537\r\n")) == 413);
        CHECK(status_of(with_fields("Host: a\r\nContent-Length: 18446744073709551615\r\n")) == 413);
    }
    SECTION("chunked body") {
        const std::string most = chunk_of(kBodyMax - 1);
        CHECK(read_one(chunked(most + "1\r\nx\r\n0\r\n\r\n")).body.size() == kBodyMax);
        CHECK(status_of(chunked(most + "2\r\nxy\r\n0\r\n\r\n")) == 413);
        CHECK(status_of(chunked("10001\r\n")) == 413);
        CHECK(status_of(chunked("1\r\na\r\nffffffffffffffff\r\n")) == 413);
    }
    SECTION("what stands around the chunks") {
        const auto overhead_of = [](size_t size) {
            const std::string rest = "5;\r\nhello\r\n0\r\n\r\n";
            return chunked("5;" + std::string(size + 5 - rest.size(), 'e') +
                           "\r\nhello\r\n0\r\n\r\n");
        };
        CHECK(read_one(overhead_of(kChunkOverheadMax)).body == "hello");
        CHECK(status_of(overhead_of(kChunkOverheadMax + 1)) == 400);
        CHECK(status_of(chunked("0\r\nX: " + std::string(kChunkOverheadMax, 't'))) == 400);
        std::string crumbs;
        for (int i = 0; i < 1000; ++i) crumbs += "1\r\nx\r\n";
        CHECK(status_of(chunked(crumbs)) == 400);
    }
}

TEST_CASE("Requests that servers could read differently are refused", "[http1]") {
    const std::string bodies[] = {
        // Two lengths, or none that is certain.
        with_fields("Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        with_fields("Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n"),
        with_fields("Host: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n"),
        with_fields("Host: a\r\nContent-Length: 5, 5\r\n"),
        with_fields("Host: a\r\nContent-Length: 5,6\r\n"),
        with_fields("Host: a\r\nContent-Length: +5\r\n"),
        with_fields("Host: a\r\nContent-Length: -5\r\n"),
        with_fields("Host: a\r\nContent-Length: 5 5\r\n"),
        with_fields("Host: a\r\nContent-Length: 0x5\r\n"),
        with_fields("Host: a\r\nContent-Length: 5.0\r\n"),
        with_fields("Host: a\r\nContent-Length:\r\n"),
        with_fields("Host: a\r\nContent-Length: 18446744073709551616\r\n"),
        with_fields("Host: a\r\nContent-Length: 99999999999999999999999\r\n"),
        with_fields("Host: a\r\nContent-Length : 5\r\n"),
        with_fields("Host: a\r\nContent-Length\t: 5\r\n"),
        // Codings.
        with_fields("Host: a\r\nTransfer-Encoding: chunked, chunked\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding: chunked, gzip\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding: gzip\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding: identity\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding: xchunked\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding: chunked;q=1\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding: \"chunked\"\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding: ,chunked\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding: chunked,\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding: chunked\t\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding: \x0b"
                    "chunked\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding:\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding:\r\n chunked\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding : chunked\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"),
        with_fields("Host: a\r\nTransfer-Encoding: chunked\r\n", "POST / HTTP/1.0"),
    };
    for (const std::string& request : bodies) {
        INFO(request);
        CHECK(status_of(request + "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
    }
}

TEST_CASE("Lines that servers could read differently are refused", "[http1]") {
    const std::string requests[] = {
        // Line ends.
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\rHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        "GET / HTTP/1.1\r\nX:\nHost: a\r\n\r\n",
        // Folded and misplaced white space.
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        // Names and values.
        "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX(y): b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX\x80: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n"s,
        "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n"s,
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\x01\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\x7f\r\n\r\n",
        // Targets.
        "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET ?a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"s,
        "GET /a\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        // Protocols.
        "GET / RTSP/1.0\r\n\r\n",
        "SOURCE / ICE/1.0\r\n\r\n",
        "DESCRIBE / HTTP/1.1\r\nHost: a\r\n\r\n",
        "DESCRIBE / HTTPTP/1.1\r\nHost: a\r\n\r\n",
        "GET / http/1.1\r\nHost: a\r\n\r\n",
        "GET / XTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01\xfc\x03",
    };
    for (const std::string& request : requests) {
        INFO(request);
        CHECK(status_of(request) == 400);
    }
}

TEST_CASE("Host is there once, and is a host", "[http1]") {
    const auto status = [](std::string_view fields) { return status_of(with_fields(fields)); };
    CHECK(status("") == 400);
    CHECK(status("Host: a\r\nHost: a\r\n") == 400);
    CHECK(status("Host: a\r\nHost: b\r\n") == 400);
    for (const char* host : {"a/b", "a?b", "a#b", "u@a", "a b", "a,b", "a\\b", "a;b", "\xc3\xa9"}) {
        INFO(host);
        CHECK(status("Host: "s + host + "\r\n") == 400);
    }
    for (const char* host :
         {"", "a", "push.example", "push_gateway:8080", "127.0.0.1:80", "[::1]:8080"}) {
        INFO(host);
        CHECK(status("Host: "s + host + "\r\n") == 0);
    }
    CHECK(status_of(with_fields("Host: a\r\nHost: b\r\n", "GET / HTTP/1.0")) == 400);
}

TEST_CASE("Chunks that servers could read differently are refused", "[http1]") {
    const char* const bodies[] = {
        "\r\n",
        "x\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello!\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\n",
        "5\r\nhello\r\n0\r\nX: y\n\r\n",
        "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n",
        "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5;\x01\r\nhello\r\n0\r\n\r\n",
        "11111111111111111\r\n",
    };
    for (const char* body : bodies) {
        INFO(body);
        CHECK(status_of(chunked(body)) == 400);
    }
}

TEST_CASE("A method we do not know is not implemented", "[http1]") {
    for (const char* method : {"BREW", "get", "GETS", "GE", "X", "POST!"}) {
        INFO(method);
        CHECK(status_of(method + " / HTTP/1.1\r\nHost: a\r\n\r\n"s) == 501);
    }
}

TEST_CASE("An error says what to do, and stays", "[http1]") {
    Parser parser;
    const test::Piece piece(as_bytes("GET / HTTP/1.1\r\n\r\n"));
    ByteView input = piece.bytes();
    REQUIRE(parser.next(input) == Step::error);
    CHECK(parser.error().status == 400);
    CHECK(parser.error().what == "An HTTP/1.1 request must have a Host field."s);
    CHECK_FALSE(parser.is_in_request());
    CHECK(parser.next(input) == Step::error);
}

TEST_CASE("A silent client is idle between requests and slow within one", "[http1]") {
    Parser parser;
    const auto feed = [&parser](std::string_view bytes) {
        const test::Piece piece(as_bytes(bytes));
        ByteView input = piece.bytes();
        return parser.next(input);
    };
    CHECK_FALSE(parser.is_in_request());
    CHECK(feed("\r\n") == Step::need_more);
    CHECK_FALSE(parser.is_in_request());
    CHECK(feed("P") == Step::need_more);
    CHECK(parser.is_in_request());
    CHECK(feed(kKnock.substr(1, kKnock.size() - 2)) == Step::need_more);
    CHECK(parser.is_in_request());
    CHECK(feed("}") == Step::request);
    CHECK_FALSE(parser.is_in_request());
    parser.finish();
    CHECK_FALSE(parser.is_in_request());
}

TEST_CASE("A request that arrives whole is not copied", "[http1]") {
    const auto is_uncopied = [](const std::string& bytes) {
        std::string memory = bytes;
        memory.append(Request::kBodyPadding, 'x');
        ByteView input = as_bytes(memory).first(bytes.size());
        Parser parser;
        if (parser.next(input) != Step::request) return false;
        const Request& request = parser.request();
        bool is_inside = is_within(request.method_name, memory) &&
                         is_within(request.path, memory) &&
                         is_within(as_text(request.body), memory);
        for (const Field& field : request.fields) {
            is_inside =
                is_inside && is_within(field.name, memory) && is_within(field.value, memory);
        }
        return is_inside;
    };
    CHECK(is_uncopied(kKnock));
    CHECK(is_uncopied("GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n"));
    CHECK(is_uncopied(chunked("5\r\nhello\r\n0\r\n\r\n")));
    CHECK(is_uncopied(with_body_of(kBodyMax)));
    CHECK(is_uncopied(with_head_of(kHeadMax)));
    CHECK_FALSE(is_uncopied(chunked("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")));
}

TEST_CASE("Requests that arrive whole allocate nothing, and an idle parser is small", "[http1]") {
    const test::Piece piece(
        as_bytes(kKnock + with_field_count(kFieldsMax) + chunked("5\r\nhello\r\n0\r\n\r\n")));
    Parser parser;
    const auto read_all = [&] {
        ByteView input = piece.bytes();
        size_t count = 0;
        for (; parser.next(input) == Step::request; ++count) parser.finish();
        return count;
    };
    REQUIRE(read_all() == 3);
    const size_t allocations_before = allocations;
    bool is_complete = true;
    for (int i = 0; i < 100; ++i) is_complete = is_complete && read_all() == 3;
    CHECK(is_complete);
    CHECK(allocations == allocations_before);

    // The parsers of a thread leave their arrays of fields to each other.
    const size_t warm = live_bytes;
    const Parser idle;
    const size_t cost = live_bytes - warm;
    CHECK(cost < 500);
}

TEST_CASE("Storage grows with what arrives and is given back", "[http1]") {
    const std::string request = with_body_of(kBodyMax);
    const test::Piece head(as_bytes(request).first(request.size() - kBodyMax));
    const test::Piece body(as_bytes(request).subspan(head.bytes().size()));
    test::read_requests(as_bytes(kKnock));  // leaves this thread its array of fields
    const size_t before = live_bytes;
    size_t promised = 0;
    size_t complete = 0;
    size_t finished = 0;
    {
        Parser parser;
        ByteView input = head.bytes();
        static_cast<void>(parser.next(input));
        promised = live_bytes - before;
        input = body.bytes();
        static_cast<void>(parser.next(input));
        complete = live_bytes - before;
        parser.finish();
        finished = live_bytes - before;
    }
    CHECK(promised < 2 * 1024);
    CHECK(complete > kBodyMax);
    CHECK(finished < 500);

    // A refused request and one that never ends leave nothing either.
    for (const std::string& bytes : {request.substr(0, 1000), request.substr(0, 20) + "\x01"}) {
        test::read_requests(as_bytes(kKnock));
        const size_t around = live_bytes;
        {
            Parser parser;
            const test::Piece piece(as_bytes(bytes));
            ByteView input = piece.bytes();
            static_cast<void>(parser.next(input));
        }
        const size_t after = live_bytes;
        CHECK(after <= around);
    }
}
