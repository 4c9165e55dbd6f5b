// SPDX-License-Identifier: GPL-3.0-or-later
// The rules are tested request by request in http1_parser_test.cc; here, what the parser makes of
// them.
#include <array>
#include <string>

#include <catch_amalgamated.hpp>

#include "http1/head.h"

using namespace knuckle::http1;

namespace {

constexpr std::string_view kTarget = "/a?b";

std::optional<ParseError> check(std::string_view head, std::span<Field> fields, Framing& framing) {
    Request request;
    request.path = head.substr(head.find(kTarget), kTarget.size());
    return check_head(head, fields, request, framing);
}

}  // namespace

TEST_CASE("A head says how long the body is", "[http1]") {
    std::array<Field, 3> fields{
        {{"host", "a"}, {"Content-Length", "65536 \t"}, {"EXPECT", "100-continue"}}};
    Framing framing;
    REQUIRE_FALSE(check("POST /a?b HTTP/1.1\r\n", fields, framing));
    CHECK(framing.content_length == kBodyMax);
    CHECK_FALSE(framing.is_chunked);
    CHECK(framing.awaits_continue);
    CHECK(framing.is_http11);
    CHECK(fields[1].value == "65536");
}

TEST_CASE("A chunked body has no length", "[http1]") {
    std::array<Field, 2> fields{{{"HOST", "a"}, {"Transfer-encoding", "Chunked"}}};
    Framing framing;
    REQUIRE_FALSE(check("POST /a?b HTTP/1.1\r\n", fields, framing));
    CHECK(framing.is_chunked);
    CHECK(framing.content_length == 0);
}

TEST_CASE("Both at once is not a request, even if llhttp should let it pass", "[http1]") {
    std::array<Field, 3> fields{
        {{"Host", "a"}, {"Transfer-Encoding", "chunked"}, {"Content-Length", "1"}}};
    Framing framing;
    const auto error = check("POST /a?b HTTP/1.1\r\n", fields, framing);
    REQUIRE(error);
    CHECK(error->status == 400);
    CHECK(error->what ==
          std::string("A request must not have both Content-Length and Transfer-Encoding."));
}

TEST_CASE("A token is one or more of RFC 9110's token characters", "[http1]") {
    CHECK(is_token("GET"));
    CHECK(is_token("M-SEARCH"));
    CHECK(is_token("!#$%&'*+-.^_`|~09azAZ"));
    for (const char* text : {"", "a b", "a:b", "a(b", "\x16", "\xc3\xa9"}) {
        INFO(text);
        CHECK_FALSE(is_token(text));
    }
}
