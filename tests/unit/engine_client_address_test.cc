// SPDX-License-Identifier: GPL-3.0-or-later
#include <vector>

#include <catch_amalgamated.hpp>

#include "engine/client_address.h"

namespace knuckle::engine {

namespace {

io::PeerAddress address(std::string_view text) { return io::parse_peer_address(text).value(); }

// Who sent a request with these fields, that came from `peer`.
io::PeerAddress client(const io::PeerAddress& peer,
                       const std::vector<http1::Field>& fields,
                       std::string_view field = "X-Real-IP") {
    ClientAddressOptions options;
    options.field = field;
    options.trusted_proxies = {address("10.0.0.2"), address("2001:db8::2")};
    http1::Request request;
    request.fields = fields;
    return client_of(peer, request, options);
}

}  // namespace

TEST_CASE("a trusted proxy says whose request it is", "[limits]") {
    const io::PeerAddress anna = address("192.0.2.7");
    const std::vector<http1::Field> fields = {{"Host", "x"}, {"x-real-ip", "192.0.2.7"}};
    for (const char* proxy : {"127.0.0.1", "127.1.2.3", "::1", "10.0.0.2", "2001:db8::2"})
        CHECK(client(address(proxy), fields) == anna);
    CHECK(client({}, fields) == anna);  // on a Unix socket
}

TEST_CASE("nobody else does", "[limits]") {
    const std::vector<http1::Field> fields = {{"X-Real-IP", "192.0.2.7"}};
    for (const char* peer : {"10.0.0.3", "192.0.2.9", "2001:db8::3", "::2"})
        CHECK(client(address(peer), fields) == address(peer));
}

TEST_CASE("no field is looked at when none is configured", "[limits]") {
    const io::PeerAddress proxy = address("127.0.0.1");
    CHECK(client(proxy, {{"X-Real-IP", "192.0.2.7"}, {"", "192.0.2.7"}}, "") == proxy);
    CHECK(client(proxy, {{"X-Forwarded-For", "192.0.2.7"}}) == proxy);
}

TEST_CASE("of what the client claims and what the proxy adds, the proxy's word counts",
          "[limits]") {
    const io::PeerAddress proxy = address("127.0.0.1");
    const auto forwarded_for = [&](const std::vector<http1::Field>& fields) {
        return client(proxy, fields, "X-Forwarded-For");
    };
    CHECK(forwarded_for({{"X-Forwarded-For", "198.51.100.1, 192.0.2.7"}}) == address("192.0.2.7"));
    CHECK(forwarded_for({{"X-Forwarded-For", "198.51.100.1,,192.0.2.7:1234 "}}) ==
          address("192.0.2.7"));
    CHECK(forwarded_for({{"X-Forwarded-For", "198.51.100.1"},
                         {"x-forwarded-for", "2001:db8::7"}}) == address("2001:db8::7"));
}

TEST_CASE("a field that is absent or no address leaves the proxy's own", "[limits]") {
    const io::PeerAddress proxy = address("10.0.0.2");
    for (const char* value : {"", " ", "unknown", "192.0.2.7,", "192.0.2.7, unix:"})
        CHECK(client(proxy, {{"X-Real-IP", value}}) == proxy);
    CHECK(client(proxy, {}) == proxy);
}

}  // namespace knuckle::engine
