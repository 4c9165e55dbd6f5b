// SPDX-License-Identifier: GPL-3.0-or-later
// Who is at the other end of a connection, or behind a proxy: an address as a value, for limits
// per address. Allocates nothing; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace knuckle::io {

// IPv6, or IPv4 mapped into it (RFC 4291 section 2.5.5.2); zeros on a Unix socket.
struct PeerAddress {
    std::array<uint8_t, 16> bytes{};

    bool operator==(const PeerAddress&) const = default;
};

// As proxies write them: "192.0.2.7" or "2001:db8::7"; either with a port ("192.0.2.7:1234",
// "[2001:db8::7]:1234"), brackets without one, or a zone, which does not count ("fe80::1%eth0").
[[nodiscard]] std::optional<PeerAddress> parse_peer_address(std::string_view text);

// On this machine: a Unix socket, 127.0.0.0/8 or ::1.
[[nodiscard]] bool is_local(const PeerAddress& address);

// What one subscriber has: an IPv4 address, or an IPv6 network of 64 bits, whose hosts are one's
// own to choose.
[[nodiscard]] PeerAddress network_of(const PeerAddress& address);

}  // namespace knuckle::io
