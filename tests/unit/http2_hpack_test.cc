// SPDX-License-Identifier: GPL-3.0-or-later
// What Apple asks of a provider's header compression (providers.md A.5): the path and the token
// never enter the table, what differs from push to push enters once, so that its name can be
// referred to.
#include <string>

#include <catch_amalgamated.hpp>

#include "http2/session.h"
#include "tests/mock/hpack_inspector.h"
#include "tests/mock/http2_server.h"
#include "tests/support/http2_frames.h"
#include "tests/support/http2_pair.h"

using namespace knuckle;
using namespace knuckle::test;

namespace {

std::string id_of(int number) {
    std::string id = "00000000-2222-4333-8444-555555555555";
    for (int digit = 7; number > 0; number /= 10)
        id[static_cast<size_t>(digit--)] = static_cast<char>('0' + number % 10);
    return id;
}

void push(Pair& pair, int number) {
    const std::string id = id_of(number);
    REQUIRE(pair.session.submit(push_head(id), as_bytes(kPushBody), 1, pair.to_server));
    pair.run();
    const auto requests = pair.requests();
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].field("apns-id") == id);
    pair.server.respond(requests[0].stream, {});
    pair.run();
}

}  // namespace

TEST_CASE("Only what repeats enters the compressor's table", "[http2][hpack]") {
    Pair pair({}, {.inspects_hpack = true});
    const mock::HpackInspector& hpack = pair.server.hpack();
    push(pair, 1);
    for (const char* name : {":authority",
                             "apns-topic",
                             "apns-push-type",
                             "apns-priority",
                             "apns-id",
                             "apns-expiration",
                             "apns-collapse-id"}) {
        CAPTURE(name);
        CHECK(hpack.insertions(name) == 1);
    }
    CHECK(hpack.insertions(":path") == 0);
    CHECK(hpack.insertions("authorization") == 0);
    const size_t table_size = hpack.table_size();
    const size_t first_size = hpack.blocks_size();

    for (int number = 2; number <= 50; ++number) push(pair, number);
    CHECK(hpack.insertions() == 7);
    CHECK(hpack.table_size() == table_size);
    CHECK(table_size < 600);
    CHECK(hpack.is_watching());
    // From the second on, what repeats is one octet each.
    CHECK(hpack.blocks_size() - first_size < 49 * (first_size - 60));
}

TEST_CASE("A peer without a table gets every field in full", "[http2][hpack]") {
    const uint32_t table_size = GENERATE(0u, 100u);
    Pair pair({}, {.header_table_size = table_size, .inspects_hpack = true});
    pair.run();
    for (int number = 1; number <= 5; ++number) push(pair, number);
    CHECK(pair.server.hpack().table_size() <= table_size);
    CHECK(pair.server.hpack().is_watching());
}

TEST_CASE("A larger table than ours is not used", "[http2][hpack]") {
    Pair pair({}, {.header_table_size = 1'000'000, .inspects_hpack = true});
    pair.run();
    for (int number = 1; number <= 5; ++number) push(pair, number);
    CHECK(pair.server.hpack().table_size() < 600);
}

TEST_CASE("The inspector tells a field that enters the table from one that does not",
          "[http2][hpack]") {
    using namespace test::frames;
    mock::HpackInspector hpack;
    // Literal with a new name: 0x40 enters the table, 0x00 and 0x10 do not. 0x20 sets the table's
    // size.
    const std::string entering = "\x40" + string_literal("a") + string_literal("1");
    const std::string passing = std::string(1, '\0') + string_literal("b") + string_literal("2");
    const std::string secret = "\x10" + string_literal("c") + string_literal("3");
    const std::string resized = "\x3f\xe1\x0f" + std::string("\x20") + "\x3f\xe1\x0f";
    const std::string bytes =
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings() +
        frame(kHeaders, kEndHeaders, 1, resized + entering + passing + secret) +
        frame(kHeaders, 0, 3, entering.substr(0, 2)) +
        frame(kContinuation, kEndHeaders, 3, entering.substr(2));
    for (const char& octet : bytes) hpack.feed(as_bytes({&octet, 1}));
    CHECK(hpack.is_watching());
    CHECK(hpack.insertions("a") == 2);
    CHECK(hpack.insertions("b") == 0);
    CHECK(hpack.insertions("c") == 0);
    CHECK(hpack.insertions() == 2);
}
