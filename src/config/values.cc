// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/values.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"

namespace knuckle::config {

namespace {

struct Unit {
    std::string_view name;
    int64_t ns;
};
constexpr std::array<Unit, 5> kUnits{{{"d", hours(24).ns},
                                      {"h", hours(1).ns},
                                      {"m", minutes(1).ns},
                                      {"s", seconds(1).ns},
                                      {"ms", milliseconds(1).ns}}};

constexpr std::array<Unit, 4> kPeriods{{{"second", seconds(1).ns},
                                        {"minute", minutes(1).ns},
                                        {"hour", hours(1).ns},
                                        {"day", hours(24).ns}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }
bool is_alphanumeric(char c) { return is_digit(c) || is_upper(c) || is_lower(c); }

template <typename Predicate>
bool all_of(std::string_view text, Predicate is_allowed) {
    return std::all_of(text.begin(), text.end(), is_allowed);
}

bool is_ip(int family, std::string_view text) {
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    return ::inet_pton(family, std::string(text).c_str(), bytes.data()) == 1;
}

bool is_label(std::string_view label) {
    return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
           all_of(label, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; });
}

std::optional<uint16_t> parse_port(std::string_view text) {
    const auto port = parse_decimal(text);
    if (!port || *port > UINT16_MAX || text.size() > 5) return std::nullopt;
    return static_cast<uint16_t>(*port);
}

bool is_loopback(std::string_view host) {
    return host == "localhost" || host == "::1" ||
           (host.starts_with("127.") && is_ip(AF_INET, host));
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
    Address address;
    if (text.starts_with("unix:")) {
        address.unix_path = text.substr(5);
        if (address.unix_path.empty()) return fail(Errc::invalid, "has no path after unix:");
        return address;
    }
    std::string_view host;
    std::string_view port;
    if (text.starts_with('[')) {
        const size_t end = text.find(']');
        if (end == std::string_view::npos) return fail(Errc::invalid, "has [ without ]");
        host = text.substr(1, end - 1);
        if (!is_ip(AF_INET6, host))
            return fail(Errc::invalid, "has no IPv6 address between [ and ]");
        port = text.substr(end + 1);
        if (!port.starts_with(':'))
            return fail(Errc::invalid, "has no port; write it after the ], as in [::1]:8080");
        port.remove_prefix(1);
    } else {
        const size_t colon = text.rfind(':');
        if (colon == std::string_view::npos)
            return fail(Errc::invalid, "has no port; write it as in 127.0.0.1:8080");
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
        if (host.empty() || host == "*") {
            return fail(
                Errc::invalid,
                "names no host; 0.0.0.0:PORT means every IPv4 address, [::]:PORT every address");
        }
        if (host.find(':') != std::string_view::npos) {
            return fail(Errc::invalid,
                        "is an IPv6 address without brackets; write it as in [::1]:8080");
        }
        if (const char* mistake = mistake_in_host(host)) return fail(Errc::invalid, mistake);
    }
    const auto number = parse_port(port);
    if (!number) return fail(Errc::invalid, "needs a port from 0 to 65535 after the last colon");
    address.host = to_lower(host);
    address.port = *number;
    return address;
}

std::string format_address(const Address& address) {
    if (!address.unix_path.empty()) return "unix:" + address.unix_path;
    const bool is_ipv6 = address.host.find(':') != std::string::npos;
    return (is_ipv6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

Result<Url> parse_url(std::string_view text) {
    if (text.size() > kUrlMax) return fail(Errc::invalid, "is longer than 1024 characters");
    if (!all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != '#'; }))
        return fail(Errc::invalid, "may hold only printable ASCII characters, and no #");
    Url url;
    url.is_https = text.starts_with("https://");
    if (!url.is_https && !text.starts_with("http://"))
        return fail(Errc::invalid, "must begin with https://");
    text.remove_prefix(url.is_https ? 8 : 7);
    const size_t end = std::min(text.find_first_of("/?"), text.size());
    url.authority = text.substr(0, end);
    url.target = text.substr(end);
    if (!url.target.starts_with('/')) url.target.insert(0, "/");
    // The port is optional here, so one is lent to an authority that has none.
    const bool has_port =
        url.authority.rfind(':') != std::string::npos && !url.authority.ends_with(']');
    const char* const port = has_port ? "" : url.is_https ? ":443" : ":80";
    const auto address = parse_address(url.authority + port);
    if (!address || !address->unix_path.empty() || address->port == 0) {
        return fail(Errc::invalid,
                    "must have a host name, and a port if it needs one, after the //");
    }
    url.address = *address;
    if (!url.is_https && !is_loopback(url.address.host))
        return fail(Errc::invalid, "must begin with https:// unless the host is this machine");
    return url;
}

Result<Duration> parse_duration(std::string_view text) {
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc::invalid_argument) {
        return fail(Errc::invalid,
                    "is no duration; write a whole number and its unit, as in \"2s\"");
    }
    const std::string_view name = text.substr(static_cast<size_t>(end - text.data()));
    const auto* const unit = std::find_if(
        kUnits.begin(), kUnits.end(), [name](const Unit& u) { return u.name == name; });
    if (unit == kUnits.end()) {
        return fail(Errc::invalid,
                    "needs one whole number and one unit: ms, s, m, h or d, as in \"2s\"");
    }
    if (error != std::errc() || number > static_cast<uint64_t>(INT64_MAX / unit->ns)) {
        return fail(Errc::limit, "is too long");
    }
    return Duration{static_cast<int64_t>(number) * unit->ns};
}

std::string format_duration(Duration duration) {
    for (const Unit& unit : kUnits) {
        if (duration.ns != 0 && duration.ns % unit.ns == 0) {
            return std::to_string(duration.ns / unit.ns) + std::string(unit.name);
        }
    }
    return std::to_string(to_ms(duration)) + "ms";
}

Result<Rate> parse_rate(std::string_view text) {
    if (text == "off") return Rate{};
    constexpr std::string_view kPer = " per ";
    const size_t at = text.find(kPer);
    const auto count =
        at == std::string_view::npos ? std::nullopt : parse_decimal(text.substr(0, at));
    if (!count) return fail(Errc::invalid, "is no rate; write it as in \"30 per minute\"");
    const std::string_view name = text.substr(at + kPer.size());
    const auto* const period = std::find_if(
        kPeriods.begin(), kPeriods.end(), [name](const Unit& each) { return each.name == name; });
    if (period == kPeriods.end())
        return fail(Errc::invalid,
                    "must be per second, minute, hour or day, as in \"30 per minute\"");
    if (*count == 0)
        return fail(Errc::limit, "would let nothing through; \"off\" is no limit at all");
    if (*count > kRateCountMax)
        return fail(Errc::limit, "is more than 1000000; \"off\" is no limit");
    return Rate{static_cast<uint32_t>(*count), Duration{period->ns}};
}

const char* mistake_in_app_name(std::string_view name) {
    // A path prefix and a label in logs; "api" would make /api/v1/ mean two things.
    if (name.empty() || name.size() > kAppNameMax ||
        !all_of(name, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; })) {
        return "is no app name; use 1 to 32 of a-z, 0-9 and -";
    }
    return name == "api" ? "is no app name, because every path begins with it; choose another"
                         : nullptr;
}

const char* mistake_in_host(std::string_view host) {
    constexpr const char* kMistake =
        "is no host name; use letters, digits and -, with dots between the parts";
    if (host.empty() || host.size() > kHostNameMax) return kMistake;
    if (all_of(host, [](char c) { return is_digit(c) || c == '.'; }) && !is_ip(AF_INET, host)) {
        return "is no IPv4 address";
    }
    while (true) {
        const size_t dot = host.find('.');
        if (!is_label(host.substr(0, dot))) return kMistake;
        if (dot == std::string_view::npos) return nullptr;
        host.remove_prefix(dot + 1);
    }
}

const char* mistake_in_ip(std::string_view address) {
    return is_ip(AF_INET, address) || is_ip(AF_INET6, address)
               ? nullptr
               : "is no IP address; write it alone, as in \"192.0.2.7\" or \"2001:db8::7\"";
}

const char* mistake_in_field_name(std::string_view name) {
    const bool is_name = !name.empty() && name.size() <= kFieldNameMax && all_of(name, [](char c) {
        return is_alphanumeric(c) || c == '-' || c == '_';
    });
    if (!is_name) return "is no name of a header field; use one as in \"X-Real-IP\"";
    // RFC 7239 has a syntax of its own, in which no common proxy speaks unless told to.
    return to_lower(name) == "forwarded"
               ? "is not understood; let the proxy send X-Real-IP or X-Forwarded-For"
               : nullptr;
}

const char* mistake_in_base_url(std::string_view url) {
    std::string_view rest = url;
    if (rest.starts_with("https://")) {
        rest.remove_prefix(8);
    } else if (rest.starts_with("http://")) {
        rest.remove_prefix(7);
    } else {
        return "must begin with https:// or http://";
    }
    if (!rest.ends_with("/api/v1/")) return "must end with /api/v1/";
    const std::string_view path = rest.substr(rest.find('/'));
    const bool is_plain = all_of(path, [](char c) {
        return is_alphanumeric(c) || std::string_view("/-._~").find(c) != std::string_view::npos;
    });
    if (!is_plain) return "may hold only letters, digits and / - . _ ~ after the host";
    const std::string_view authority = rest.substr(0, rest.size() - path.size());
    // The port is optional here, so one is lent to an authority that has none.
    const bool has_port =
        authority.rfind(':') != std::string_view::npos && !authority.ends_with(']');
    const auto address = parse_address(std::string(authority) + (has_port ? "" : ":443"));
    const bool is_authority = address && address->unix_path.empty() && address->port != 0;
    return is_authority ? nullptr
                        : "must have a host name, and a port if it needs one, after the //";
}

const char* mistake_in_topic(std::string_view topic) {
    const bool is_topic = !topic.empty() && topic.size() <= kTopicMax && all_of(topic, [](char c) {
        return is_alphanumeric(c) || c == '.' || c == '-';
    });
    return is_topic ? nullptr
                    : "is no bundle id; Apple's hold only letters, digits, - and ., as in "
                      "org.example.chat";
}

const char* mistake_in_apple_id(std::string_view id) {
    const bool is_id =
        id.size() == kAppleIdSize && all_of(id, [](char c) { return is_upper(c) || is_digit(c); });
    return is_id ? nullptr : "must be exactly 10 of A-Z and 0-9";
}

const char* mistake_in_collapse_id(std::string_view id) {
    // It travels in a header field, apns-collapse-id.
    const bool is_id =
        id.size() <= kCollapseIdMax && all_of(id, [](char c) { return c > ' ' && c < 0x7f; });
    return is_id ? nullptr : "must be at most 64 printable ASCII characters without spaces";
}

const char* mistake_in_file_name(std::string_view name) {
    if (name.starts_with(kCredentialPrefix)) {
        name.remove_prefix(kCredentialPrefix.size());
        const bool is_name =
            !name.empty() && name.front() != '.' && name.find('/') == std::string_view::npos;
        return is_name ? nullptr
                       : "must name a credential of the service, as in credential:apns.p8";
    }
    return name.starts_with("-----BEGIN") ? "must be the name of a file, not what is in it"
                                          : nullptr;
}

bool has_control_characters(std::string_view text) {
    return std::any_of(text.begin(), text.end(), is_control);
}

std::string without_control_characters(std::string_view text) {
    std::string line(text);
    std::replace_if(line.begin(), line.end(), is_control, ' ');
    return line;
}

// Optimal string alignment: the table of Wagner and Fischer, of which three rows are kept.
size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<size_t> before_last(b.size() + 1);
    std::vector<size_t> last(b.size() + 1);
    std::vector<size_t> row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
    const auto is_same = [&](size_t i, size_t j) {
        return ascii_lower(a[i - 1]) == ascii_lower(b[j - 1]);
    };
    for (size_t i = 1; i <= a.size(); ++i) {
        std::swap(before_last, last);
        std::swap(last, row);
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (is_same(i, j) ? 0 : 1)});
            if (i > 1 && j > 1 && is_same(i, j - 1) && is_same(i - 1, j)) {
                row[j] = std::min(row[j], before_last[j - 2] + 1);
            }
        }
    }
    return row[b.size()];
}

}  // namespace knuckle::config
