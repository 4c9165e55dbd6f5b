// SPDX-License-Identifier: GPL-3.0-or-later
// Certificates and keys made on the spot, so that none lie in the tree and none run out.
//
//     const Authority authority = make_authority();
//     const Identity server = issue_server(authority, {"localhost", "127.0.0.1", "::1"});
//     Context::server({.certificate_pem = server.certificate_pem, .key_pem = server.key_pem});
//     Context::client({.ca_pem = authority.certificate_pem});
//
// Valid from 2020 to 2049 unless asked otherwise, so that the clock plays no part. P-256 takes a
// fraction of a millisecond, RSA-2048 some hundred. Throws std::runtime_error if wolfCrypt will
// not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace knuckle::test {

enum class KeyKind { p256, rsa2048 };
enum class Validity { current, expired, not_yet };

struct Issue {
    KeyKind key = KeyKind::p256;
    Validity validity = Validity::current;
    std::vector<std::string> topics = {};  // in Apple's extension 1.2.840.113635.100.6.3.6
};

// Who can issue certificates.
struct Authority {
    std::string name;
    std::string certificate_pem;  // to be trusted by the other end
    std::string chain_pem;        // what goes behind a leaf: the intermediates, or empty for a root
    std::vector<uint8_t> certificate;
    std::vector<uint8_t> key;  // PKCS#8
    KeyKind kind = KeyKind::p256;
};

// What one end of a connection shows.
struct Identity {
    std::string certificate_pem;  // leaf first, then the intermediates
    std::string key_pem;          // PKCS#8
};

[[nodiscard]] Authority make_authority(std::string_view name = "Knuckle Test CA",
                                       const Issue& issue = {});
[[nodiscard]] Authority make_intermediate(const Authority& issuer,
                                          std::string_view name = "Knuckle Test Intermediate",
                                          const Issue& issue = {});
// Each name is a host name, with or without a wildcard, or an IP address.
[[nodiscard]] Identity issue_server(const Authority& authority,
                                    const std::vector<std::string>& names,
                                    const Issue& issue = {});
[[nodiscard]] Identity issue_client(const Authority& authority,
                                    std::string_view name,
                                    const Issue& issue = {});
// As a keychain would export it: 3DES, the leaf and the intermediates.
[[nodiscard]] std::string export_pkcs12(const Identity& identity, const std::string& password);

}  // namespace knuckle::test
