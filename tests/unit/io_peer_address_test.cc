// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>

#include <catch_amalgamated.hpp>

#include "io/peer_address.h"

namespace knuckle::io {
namespace {

PeerAddress address(std::string_view text) {
    const auto found = parse_peer_address(text);
    INFO(text);
    REQUIRE(found);
    return *found;
}

TEST_CASE("an address is read however a proxy writes it", "[io]") {
    CHECK(address("192.0.2.7").bytes ==
          std::array<uint8_t, 16>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7});
    CHECK(address("2001:db8::7").bytes ==
          std::array<uint8_t, 16>{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7});
    CHECK(address("192.0.2.7:65535") == address("192.0.2.7"));
    CHECK(address("::ffff:192.0.2.7") == address("192.0.2.7"));
    CHECK(address("[2001:db8::7]:443") == address("2001:db8::7"));
    CHECK(address("[2001:db8::7]") == address("2001:DB8:0:0::7"));
    CHECK(address("fe80::1%eth0") == address("fe80::1"));
    CHECK(address("[fe80::1%2]:80") == address("fe80::1"));
}

TEST_CASE("what is no address is none", "[io]") {
    const std::string with_nul("192.0.2.7\0", 10);
    for (const std::string_view text : {"",
                                        "unknown",
                                        "unix:",
                                        "localhost",
                                        "192.0.2",
                                        "192.0.2.256",
                                        "192.0.2.07",
                                        "0x7f.0.0.1",
                                        "192.0.2.7:",
                                        "192.0.2.7:65536",
                                        "192.0.2.7:80:80",
                                        "192.0.2.7 ",
                                        "192.0.2.7, 192.0.2.8",
                                        "192.0.2.7/32",
                                        "192.0.2.7%eth0",
                                        ":80",
                                        "[]",
                                        "[2001:db8::7",
                                        "[2001:db8::7]443",
                                        "[192.0.2.7]",
                                        "2001:db8::7::",
                                        "2001:db8:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:7",
                                        "\"192.0.2.7\"",
                                        "for=192.0.2.7"}) {
        INFO(text);
        CHECK_FALSE(parse_peer_address(text));
    }
    CHECK_FALSE(parse_peer_address(with_nul));
}

TEST_CASE("loopback and Unix sockets are this machine, nothing else is", "[io]") {
    CHECK(is_local({}));
    for (const char* text : {"127.0.0.1", "127.255.1.2", "::1", "::ffff:127.0.0.1"})
        CHECK(is_local(address(text)));
    for (const char* text : {"128.0.0.1", "10.0.0.1", "::2", "fe80::1", "7f00::", "0.0.0.0"})
        CHECK_FALSE(is_local(address(text)));
}

TEST_CASE("hosts of one IPv6 network of 64 bits are one, IPv4 addresses are each their own",
          "[io]") {
    CHECK(network_of(address("2001:db8:1:2:3:4:5:6")) == address("2001:db8:1:2::"));
    CHECK(network_of(address("2001:db8:1:2::1")) == network_of(address("2001:db8:1:2:ffff::")));
    CHECK(network_of(address("2001:db8:1:3::1")) != network_of(address("2001:db8:1:2::1")));
    CHECK(network_of(address("192.0.2.7")) == address("192.0.2.7"));
    CHECK(network_of(address("192.0.2.7")) != network_of(address("192.0.2.8")));
}

}  // namespace
}  // namespace knuckle::io
