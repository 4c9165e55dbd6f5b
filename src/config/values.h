// SPDX-License-Identifier: GPL-3.0-or-later
// The small languages inside configuration values: addresses, durations, names. Pure functions; any
// thread.
//
// What is wrong comes as a string literal that says what to write instead; nullptr means that all
// is well.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "config/config.h"

namespace knuckle::config {

inline constexpr size_t kAppNameMax = 32;
inline constexpr size_t kHostNameMax = 253;  // RFC 1035 section 2.3.4, without the final dot
inline constexpr size_t kUnixPathMax = 107;  // sockaddr_un has 108 bytes, the last one is NUL
inline constexpr size_t kTopicMax = 255;
inline constexpr size_t kCollapseIdMax = 64;  // Apple, "Sending notification requests to APNs"
inline constexpr size_t kFieldNameMax = 64;
inline constexpr size_t kUrlMax = 1'024;
inline constexpr uint32_t kRateCountMax = 1'000'000;
inline constexpr size_t kAppleIdSize = 10;  // of a key and of a team
inline constexpr std::string_view kCredentialPrefix = "credential:";

// "host:port", "[v6]:port" or "unix:/path".
Result<Address> parse_address(std::string_view text);
[[nodiscard]] std::string format_address(const Address& address);

// "https://host/path", or "http://" to this machine itself.
Result<Url> parse_url(std::string_view text);

// "500ms", "2s", "10m", "24h", "30d": one whole number and its unit.
Result<Duration> parse_duration(std::string_view text);
// In the largest unit that is exact.
[[nodiscard]] std::string format_duration(Duration duration);

// "30 per minute": a whole number, per second, minute, hour or day; or "off".
Result<Rate> parse_rate(std::string_view text);

[[nodiscard]] const char* mistake_in_app_name(std::string_view name);
[[nodiscard]] const char* mistake_in_host(std::string_view host);
[[nodiscard]] const char* mistake_in_ip(std::string_view address);
[[nodiscard]] const char* mistake_in_field_name(std::string_view name);
[[nodiscard]] const char* mistake_in_base_url(std::string_view url);
[[nodiscard]] const char* mistake_in_topic(std::string_view topic);
[[nodiscard]] const char* mistake_in_apple_id(std::string_view id);
[[nodiscard]] const char* mistake_in_collapse_id(std::string_view id);
[[nodiscard]] const char* mistake_in_file_name(std::string_view name);

[[nodiscard]] bool has_control_characters(std::string_view text);
// With a space in place of each.
[[nodiscard]] std::string without_control_characters(std::string_view text);

// How many letters must be added, dropped, changed or swapped with their neighbour to turn one word
// into the other, letter case aside.
[[nodiscard]] size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace knuckle::config
