// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <utility>
#include <vector>

#include <catch_amalgamated.hpp>

#include "config/values.h"

using namespace knuckle;
using namespace knuckle::config;

TEST_CASE("an address is taken apart and put together again", "[config]") {
    CHECK(*parse_address("127.0.0.1:8080") == Address{"127.0.0.1", 8080, ""});
    CHECK(*parse_address("[::1]:443") == Address{"::1", 443, ""});
    CHECK(*parse_address("Push.Example.org:65535") == Address{"push.example.org", 65535, ""});
    CHECK(*parse_address("localhost:0") == Address{"localhost", 0, ""});
    CHECK(*parse_address("unix:/run/knuckle/http.sock") ==
          Address{"", 0, "/run/knuckle/http.sock"});
    for (const char* text :
         {"127.0.0.1:8080", "[fe80::1]:1", "a-b.example:80", "unix:/a b", "unix:x"}) {
        CHECK(format_address(*parse_address(text)) == text);
    }
}

TEST_CASE("A URL says whom to connect to and what to ask for", "[config][values]") {
    CHECK(*parse_url("https://Hooks.example.org/push?from=us") ==
          Url{true, {"hooks.example.org", 443, ""}, "Hooks.example.org", "/push?from=us"});
    CHECK(*parse_url("https://hooks.example.org:8443") ==
          Url{true, {"hooks.example.org", 8443, ""}, "hooks.example.org:8443", "/"});
    CHECK(*parse_url("https://[2001:db8::1]?a=b") ==
          Url{true, {"2001:db8::1", 443, ""}, "[2001:db8::1]", "/?a=b"});
    for (const std::string_view host : {"127.0.0.1", "127.1.2.3", "[::1]", "localhost"}) {
        const auto url = parse_url("http://" + std::string(host) + "/x");
        REQUIRE(url);
        CHECK_FALSE(url->is_https);
        CHECK(url->address.port == 80);
    }
}

TEST_CASE("What is no URL, or would tell everybody on the way, is refused", "[config][values]") {
    const auto mistake_in = [](const std::string& text) -> std::string {
        const auto url = parse_url(text);
        return url ? "" : url.error().what;
    };
    constexpr const char* kNoHost =
        "must have a host name, and a port if it needs one, after the //";
    CHECK(mistake_in("ftp://example.org") == "must begin with https://");
    CHECK(mistake_in("http://example.org/") ==
          "must begin with https:// unless the host is this machine");
    CHECK(mistake_in("http://127.0.0.1.example.org/") ==
          "must begin with https:// unless the host is this machine");
    CHECK(mistake_in("https:///path") == kNoHost);
    CHECK(mistake_in("https://user@example.org/") == kNoHost);
    CHECK(mistake_in("https://example.org:0/") == kNoHost);
    CHECK(mistake_in("https://example.org:x/") == kNoHost);
    CHECK(mistake_in("https://example.org/ x") ==
          "may hold only printable ASCII characters, and no #");
    CHECK(mistake_in("https://example.org/#x") ==
          "may hold only printable ASCII characters, and no #");
    CHECK(mistake_in("https://example.org/" + std::string(kUrlMax, 'x')) ==
          "is longer than 1024 characters");
}

TEST_CASE("an address that is none says what to write instead", "[config]") {
    const std::vector<std::pair<const char*, const char*>> cases = {
        {"", "has no port"},
        {"localhost", "has no port"},
        {"8080", "has no port"},
        {":8080", "names no host"},
        {"*:8080", "names no host"},
        {"localhost:", "needs a port"},
        {"localhost:http", "needs a port"},
        {"localhost:65536", "needs a port"},
        {"localhost:-1", "needs a port"},
        {"localhost: 80", "needs a port"},
        {"localhost:000080", "needs a port"},
        {"::1:8080", "without brackets"},
        {"[::1]", "has no port"},
        {"[::1]8080", "has no port"},
        {"[::1", "has [ without ]"},
        {"[localhost]:80", "has no IPv6 address"},
        {"[]:80", "has no IPv6 address"},
        {"256.0.0.1:80", "is no IPv4 address"},
        {"127.1:80", "is no IPv4 address"},
        {"a b:80", "is no host name"},
        {"http://x:80", "without brackets"},
        {"a/b:80", "is no host name"},
        {"unix:", "has no path"},
    };
    for (const auto& [text, why] : cases) {
        INFO(text);
        const auto address = parse_address(text);
        REQUIRE_FALSE(address);
        CHECK_THAT(address.error().what, Catch::Matchers::ContainsSubstring(why));
    }
}

TEST_CASE("a duration is a whole number and a unit", "[config]") {
    CHECK(*parse_duration("0s") == seconds(0));
    CHECK(*parse_duration("500ms") == milliseconds(500));
    CHECK(*parse_duration("2s") == seconds(2));
    CHECK(*parse_duration("10m") == minutes(10));
    CHECK(*parse_duration("24h") == hours(24));
    CHECK(*parse_duration("30d") == hours(720));
    CHECK(*parse_duration("106751d") == hours(24 * 106'751));  // the longest that fits
    for (const char* text : {"",
                             "s",
                             "2",
                             "2 s",
                             " 2s",
                             "2s ",
                             "-2s",
                             "+2s",
                             "2S",
                             "1h30m",
                             "1.5s",
                             "0x10s",
                             "2sec"}) {
        INFO(text);
        const auto duration = parse_duration(text);
        REQUIRE_FALSE(duration);
        CHECK(duration.error().code == Errc::invalid);
    }
    for (const char* text : {"106752d", "99999999999999999999s", "18446744073709551615ms"}) {
        INFO(text);
        const auto duration = parse_duration(text);
        REQUIRE_FALSE(duration);
        CHECK(duration.error().code == Errc::limit);
    }
}

TEST_CASE("a duration is shown in its largest exact unit", "[config]") {
    for (const char* text : {"0ms", "500ms", "1500ms", "2s", "90s", "1m", "75m", "24h", "30d"}) {
        const std::string shown = format_duration(*parse_duration(text));
        CHECK(*parse_duration(shown) == *parse_duration(text));
        CHECK(shown == (text == std::string("24h") ? "1d" : text));
    }
}

TEST_CASE("a rate is a whole number and a period, or off", "[config]") {
    CHECK(*parse_rate("1 per second") == Rate{1, seconds(1)});
    CHECK(*parse_rate("30 per minute") == Rate{30, minutes(1)});
    CHECK(*parse_rate("300 per hour") == Rate{300, hours(1)});
    CHECK(*parse_rate("1000000 per day") == Rate{1'000'000, hours(24)});
    CHECK(*parse_rate("off") == Rate{});
    const std::vector<std::pair<const char*, const char*>> cases = {
        {"", "is no rate"},
        {"30", "is no rate"},
        {"Off", "is no rate"},
        {"30/minute", "is no rate"},
        {"thirty per minute", "is no rate"},
        {"-1 per minute", "is no rate"},
        {"1.5 per minute", "is no rate"},
        {" 30 per minute", "is no rate"},
        {"30  per minute", "is no rate"},
        {"99999999999999999999 per day", "is no rate"},
        {"30 per ", "per second, minute, hour or day"},
        {"30 per minutes", "per second, minute, hour or day"},
        {"30 per week", "per second, minute, hour or day"},
        {"30 per minute ", "per second, minute, hour or day"},
        {"0 per minute", "would let nothing through"},
        {"1000001 per day", "is more than 1000000"},
    };
    for (const auto& [text, why] : cases) {
        INFO(text);
        const auto rate = parse_rate(text);
        REQUIRE_FALSE(rate);
        CHECK_THAT(rate.error().what, Catch::Matchers::ContainsSubstring(why));
    }
}

TEST_CASE("an IP address stands alone", "[config]") {
    for (const char* address : {"192.0.2.7", "2001:db8::7", "::1"})
        CHECK(mistake_in_ip(address) == nullptr);
    for (const char* address :
         {"", "localhost", "192.0.2.7:80", "[::1]", "192.0.2.0/24", "2001:db8::/64", "192.0.2"}) {
        INFO(address);
        CHECK(mistake_in_ip(address) != nullptr);
    }
}

TEST_CASE("a field that tells the client's address is one that we understand", "[config]") {
    for (const char* name : {"X-Real-IP", "X-Forwarded-For", "CF-Connecting-IP", "x_client"})
        CHECK(mistake_in_field_name(name) == nullptr);
    const std::string long_name(65, 'x');
    for (const char* name :
         {"", "X-Real-IP:", "X Real IP", "Forwarded", "forwarded", "\xc3\xa9", long_name.c_str()}) {
        INFO(name);
        CHECK(mistake_in_field_name(name) != nullptr);
    }
}

TEST_CASE("an app's name fits a path and a log line", "[config]") {
    for (const char* name :
         {"chat", "a", "zom-2", "0", "apis", "api-2", "abcdefghijklmnopqrstuvwxyz-01234"}) {
        INFO(name);
        CHECK(mistake_in_app_name(name) == nullptr);
    }
    for (const char* name : {"",
                             "Chat",
                             "my_app",
                             "my app",
                             "a.b",
                             "a/b",
                             "\xc3\xa9",
                             "abcdefghijklmnopqrstuvwxyz-012345",
                             "api"}) {
        INFO(name);
        CHECK(mistake_in_app_name(name) != nullptr);
    }
}

TEST_CASE("a host is a name or an IPv4 address", "[config]") {
    for (const char* host : {"localhost",
                             "push.example.org",
                             "10.0.0.1",
                             "xn--bcher-kva.example",
                             "a_b",
                             "1password.com"}) {
        INFO(host);
        CHECK(mistake_in_host(host) == nullptr);
    }
    const std::string long_label(64, 'a');
    std::string long_name = "a";
    while (long_name.size() <= kHostNameMax) long_name += ".a";
    for (const std::string& host : {std::string(),
                                    std::string("."),
                                    std::string("a."),
                                    std::string(".a"),
                                    std::string("a..b"),
                                    std::string("-a"),
                                    std::string("a-"),
                                    std::string("a b"),
                                    std::string("user@host"),
                                    std::string("1.2.3"),
                                    std::string("1.2.3.4.5"),
                                    std::string("1.2.3.256"),
                                    std::string("b\xc3\xbc"),
                                    std::string("a\0b", 3),
                                    long_label,
                                    long_name}) {
        INFO(host);
        CHECK(mistake_in_host(host) != nullptr);
    }
}

TEST_CASE("the public address of the API is a plain URL that ends in /api/v1/", "[config]") {
    for (const char* url : {"https://push.example.org/api/v1/",
                            "http://127.0.0.1:8080/api/v1/",
                            "https://[::1]:8443/api/v1/",
                            "https://[::1]/api/v1/",
                            "https://example.org/chat/api/v1/",
                            "https://example.org/~x/a_b.c/api/v1/"}) {
        INFO(url);
        CHECK(mistake_in_base_url(url) == nullptr);
    }
    for (const char* url : {"",
                            "push.example.org/api/v1/",
                            "ftp://example.org/api/v1/",
                            "HTTPS://example.org/api/v1/",
                            "https://example.org/api/v1",
                            "https://example.org/",
                            "https:///api/v1/",
                            "https://:80/api/v1/",
                            "https://example.org:0/api/v1/",
                            "https://example.org:/api/v1/",
                            "https://u:p@example.org/api/v1/",
                            "https://example.org/api/v1/?a=/api/v1/",
                            "https://example.org/#/api/v1/",
                            "https://exa mple.org/api/v1/",
                            "https://example.org/a b/api/v1/",
                            "https://example.org/%20/api/v1/",
                            "https://unix:/api/v1/",
                            "https://unix:x/api/v1/",
                            "https:///api/v1//api/v1/"}) {
        INFO(url);
        CHECK(mistake_in_base_url(url) != nullptr);
    }
}

TEST_CASE("Apple's names have Apple's shape", "[config]") {
    CHECK(mistake_in_topic("org.example.Chat-2") == nullptr);
    for (const char* topic :
         {"", "org.example.*", "org/example", "org.example.chat ", "org_example"}) {
        INFO(topic);
        CHECK(mistake_in_topic(topic) != nullptr);
    }
    CHECK(mistake_in_topic(std::string(256, 'a')) != nullptr);

    CHECK(mistake_in_apple_id("ABC123DEFG") == nullptr);
    for (const char* id : {"", "ABC123DEF", "ABC123DEFGH", "abc123defg", "ABC-123DEF"}) {
        INFO(id);
        CHECK(mistake_in_apple_id(id) != nullptr);
    }

    CHECK(mistake_in_collapse_id("") == nullptr);
    CHECK(mistake_in_collapse_id(std::string(64, '~')) == nullptr);
    for (const std::string& id : {std::string(65, 'a'),
                                  std::string("a b"),
                                  std::string("\xc3\xa9"),
                                  std::string("a\x7f")}) {
        INFO(id);
        CHECK(mistake_in_collapse_id(id) != nullptr);
    }
}

TEST_CASE("a file is a name, never a key itself", "[config]") {
    for (const char* name :
         {"", "a.pem", "/etc/knuckle/a.pem", "../a", "credential:apns.p8", "credential"}) {
        INFO(name);
        CHECK(mistake_in_file_name(name) == nullptr);
    }
    for (const char* name : {"-----BEGIN PRIVATE KEY----- MIG",
                             "credential:",
                             "credential:../shadow",
                             "credential:a/b",
                             "credential:.",
                             "credential:.."}) {
        INFO(name);
        CHECK(mistake_in_file_name(name) != nullptr);
    }
}

TEST_CASE("the distance of two words counts slips of the finger", "[config]") {
    CHECK(edit_distance("", "") == 0);
    CHECK(edit_distance("abc", "") == 3);
    CHECK(edit_distance("", "abc") == 3);
    CHECK(edit_distance("topic", "Topic") == 0);
    CHECK(edit_distance("adress", "address") == 1);
    CHECK(edit_distance("addresss", "address") == 1);
    CHECK(edit_distance("key-id", "key_id") == 1);
    CHECK(edit_distance("wrokers", "workers") == 1);
    CHECK(edit_distance("kitten", "sitting") == 3);
}
