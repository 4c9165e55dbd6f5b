// SPDX-License-Identifier: GPL-3.0-or-later
#include "io/peer_address.h"

#include <algorithm>
#include <arpa/inet.h>

#include "base/text.h"

namespace knuckle::io {

namespace {

constexpr size_t kMappedPrefixSize = 12;
constexpr size_t kNetworkSize = 8;

bool is_ipv4(const PeerAddress& address) {
    constexpr std::array<uint8_t, kMappedPrefixSize> kPrefix{
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::equal(kPrefix.begin(), kPrefix.end(), address.bytes.begin());
}

bool is_port(std::string_view text) {
    const auto port = parse_decimal(text);
    return port && *port <= UINT16_MAX;
}

// inet_pton() for a text that does not end in NUL.
bool parse(int family, std::string_view text, void* to) {
    std::array<char, INET6_ADDRSTRLEN> storage{};
    if (text.size() >= storage.size() || text.find('\0') != std::string_view::npos) return false;
    std::copy(text.begin(), text.end(), storage.begin());
    return ::inet_pton(family, storage.data(), to) == 1;
}

std::optional<PeerAddress> parse_ipv4(std::string_view text) {
    PeerAddress address;
    address.bytes[10] = address.bytes[11] = 0xff;
    if (!parse(AF_INET, text, address.bytes.data() + kMappedPrefixSize)) return std::nullopt;
    return address;
}

std::optional<PeerAddress> parse_ipv6(std::string_view text) {
    PeerAddress address;
    if (!parse(AF_INET6, text.substr(0, text.find('%')), address.bytes.data())) return std::nullopt;
    return address;
}

}  // namespace

std::optional<PeerAddress> parse_peer_address(std::string_view text) {
    if (text.starts_with('[')) {
        const size_t end = text.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        const std::string_view rest = text.substr(end + 1);
        if (!rest.empty() && !(rest.starts_with(':') && is_port(rest.substr(1))))
            return std::nullopt;
        return parse_ipv6(text.substr(1, end - 1));
    }
    const size_t colon = text.find(':');
    if (colon == std::string_view::npos) return parse_ipv4(text);
    // One colon is that of a port, more are an IPv6 address's own.
    if (text.find(':', colon + 1) != std::string_view::npos) return parse_ipv6(text);
    return is_port(text.substr(colon + 1)) ? parse_ipv4(text.substr(0, colon)) : std::nullopt;
}

bool is_local(const PeerAddress& address) {
    if (is_ipv4(address)) return address.bytes[kMappedPrefixSize] == 127;
    const bool is_low = std::all_of(
        address.bytes.begin(), address.bytes.end() - 1, [](uint8_t byte) { return byte == 0; });
    return is_low && address.bytes.back() <= 1;
}

PeerAddress network_of(const PeerAddress& address) {
    PeerAddress network = address;
    if (!is_ipv4(address)) std::fill(network.bytes.begin() + kNetworkSize, network.bytes.end(), 0);
    return network;
}

}  // namespace knuckle::io
