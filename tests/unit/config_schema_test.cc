// SPDX-License-Identifier: GPL-3.0-or-later
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "config/schema.h"

using namespace knuckle;
using namespace knuckle::config;

namespace {

using Lines = std::vector<std::string>;

Lines mistakes_in(const std::string& text) {
    Config config;
    Lines lines;
    for (const Mistake& mistake : parse(text, config)) lines.push_back(describe("f", mistake));
    return lines;
}

Config config_of(const std::string& text) {
    Config config;
    for (const Mistake& mistake : parse(text, config)) FAIL_CHECK(describe("f", mistake));
    return config;
}

// The smallest configuration there is, in parts.
const std::string kListen = "[[listen]]\naddress = \"127.0.0.1:8080\"\n";
const std::string kChatSecure = "[chatsecure]\nbase_url = \"https://push.example.org/api/v1/\"\n";
const std::string kApnsKeys =
    "topic = \"org.example.chat\"\nkey_file = \"a.p8\"\nkey_id = \"ABC123DEFG\"\nteam_id = "
    "\"DEF123GHIJ\"\n";
const std::string kApp = "[apps.chat.apns]\n" + kApnsKeys;

std::string read_source(const std::string& name) {
    std::ifstream file(KNUCKLE_SOURCE_DIR "/" + name);
    REQUIRE(file);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

// Takes the "#" away from lines that show a default, such as "#workers = 0".
std::string with_defaults_shown(const std::string& text) {
    std::istringstream lines(text);
    std::string shown;
    for (std::string line; std::getline(lines, line);) {
        const size_t key_end = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", 1);
        const bool is_default = line.starts_with('#') && key_end > 1 && line.find(" = ") == key_end;
        shown += (is_default ? line.substr(1) : line) + "\n";
    }
    return shown;
}

}  // namespace

TEST_CASE("the smallest configuration gets every default", "[config]") {
    const Config config = config_of(kListen + kChatSecure + kApp);
    CHECK(config.data_dir == "/var/lib/knuckle");
    CHECK(config.store_key_file == "/var/lib/knuckle/store.key");
    CHECK(config.workers == 0);
    CHECK(config.log_level == "info");
    CHECK(config.drain_timeout == seconds(10));
    REQUIRE(config.listen.size() == 1);
    CHECK(config.listen[0] == Listen{{"127.0.0.1", 8080, ""}, "", "", 1});
    CHECK(config.admin == Address{"127.0.0.1", 9127, ""});
    CHECK(config.ack_wait == seconds(2));
    CHECK(config.request_timeout == seconds(10));
    CHECK(config.resend_rate == Rate{1'000, seconds(1)});
    CHECK(config.idle_timeout == seconds(75));
    CHECK(config.upstreams_max == 4);
    CHECK(config.connections_max == 20'000);
    CHECK(config.jobs_max == 20'000);
    CHECK(config.chatsecure.base_url == "https://push.example.org/api/v1/");
    CHECK(config.chatsecure.pubsub_jid.empty());
    CHECK(config.chatsecure.token_lifetime == hours(720));
    CHECK(config.chatsecure.account_lifetime == hours(9'600));
    CHECK_FALSE(config.chatsecure.has_bare_lists);
    REQUIRE(config.apps.size() == 1);
    const App& app = config.apps[0];
    CHECK(app.name == "chat");
    CHECK(app.hosts.empty());
    CHECK(app.unspecified_priority == "alert");
    CHECK(app.low_priority == "ignore");
    REQUIRE(app.has_apns);
    CHECK(app.apns.topic == "org.example.chat");
    CHECK_FALSE(app.apns.is_sandbox);
    CHECK(app.apns.key_file == "a.p8");
    CHECK(app.apns.key_id == "ABC123DEFG");
    CHECK(app.apns.team_id == "DEF123GHIJ");
    CHECK(app.apns.endpoint == Address{"api.push.apple.com", 443, ""});
    CHECK(app.apns.ca_file.empty());
    CHECK(app.apns.collapse_id == "knock");
    CHECK(app.apns.expiration == hours(24));
    CHECK(app.apns.line == 5);
}

TEST_CASE("every key reaches its place", "[config]") {
    const Config config = config_of(R"(
data_dir = "/srv/knuckle"
store_key_file = "credential:store.key"
workers = 3
log_level = "debug"
drain_timeout = "0s"
[[listen]]
address = "[::]:443"
tls_certificate = "chain.pem"
tls_key = "credential:tls.key"
[[listen]]
address = "unix:/run/knuckle/http.sock"
[admin]
address = "10.0.0.1:9000"
[knocks]
ack = "accepted"
ack_wait = "500ms"
request_timeout = 5
resend_rate = "60 per minute"
[http]
idle_timeout = "10m"
client_address_field = "X-Real-IP"
trusted_proxies = ["10.0.0.2", "2001:db8::2"]
[limits]
upstreams_max = 16
connections_max = 1
jobs_max = 1000000
knocks_per_token = "1 per minute"
knocks_per_account = "2 per second"
alert_window = "500ms"
background_window = "0s"
knocks_per_address = "off"
logins_per_address = "3 per day"
logins_per_account = "4 per hour"
tokens_per_address = "5 per minute"
tokens_per_account = "6 per day"
unlimited_addresses = ["192.0.2.7"]
pending_max = 9
pending_bytes_max = 4000000000
devices_max = 7
tokens_max = 8
[chatsecure]
base_url = "http://127.0.0.1:8080/api/v1/"
pubsub_jid = "pubsub.example.org"
token_lifetime = "7d"
account_lifetime = "9d"
bare_lists = true
[apps.zom]
hosts = ["Push.Zom.im", "10.0.0.1"]
unspecified_priority = "background"
low_priority = "alert"
[apps.zom.apns]
topic = "im.zom"
environment = "sandbox"
key_file = "/k"
key_id = "ABC123DEFG"
team_id = "DEF123GHIJ"
ca_file = "ca.pem"
collapse_id = ""
expiration = "1m"
[apps.a.apns]
topic = "org.a"
endpoint = "localhost:2197"
key_file = "/k"
key_id = "ABC123DEFG"
team_id = "DEF123GHIJ"
)");
    CHECK(config.data_dir == "/srv/knuckle");
    CHECK(config.store_key_file == "credential:store.key");
    CHECK(config.workers == 3);
    CHECK(config.log_level == "debug");
    CHECK(config.drain_timeout == seconds(0));
    REQUIRE(config.listen.size() == 2);
    CHECK(config.listen[0] == Listen{{"::", 443, ""}, "chain.pem", "credential:tls.key", 7});
    CHECK(config.listen[1] == Listen{{"", 0, "/run/knuckle/http.sock"}, "", "", 11});
    CHECK(config.admin == Address{"10.0.0.1", 9000, ""});
    CHECK(config.acks_at_once);
    CHECK(config.ack_wait == milliseconds(500));
    CHECK(config.request_timeout == seconds(5));
    CHECK(config.resend_rate == Rate{60, minutes(1)});
    CHECK(config.idle_timeout == minutes(10));
    CHECK(config.upstreams_max == 16);
    CHECK(config.connections_max == 1);
    CHECK(config.jobs_max == 1'000'000);
    CHECK(config.client_address_field == "X-Real-IP");
    CHECK(config.trusted_proxies == Lines{"10.0.0.2", "2001:db8::2"});
    CHECK(config.limits == Limits{{1, minutes(1)},
                                  {2, seconds(1)},
                                  milliseconds(500),
                                  {},
                                  {},
                                  {3, hours(24)},
                                  {4, hours(1)},
                                  {5, minutes(1)},
                                  {6, hours(24)},
                                  {"192.0.2.7"},
                                  7,
                                  8,
                                  9,
                                  4'000'000'000});
    CHECK(config.chatsecure ==
          ChatSecure{
              "http://127.0.0.1:8080/api/v1/", "pubsub.example.org", hours(168), hours(216), true});
    REQUIRE(config.apps.size() == 2);  // in the order of the file
    CHECK(config.apps[0].name == "zom");
    CHECK(config.apps[0].hosts == Lines{"push.zom.im", "10.0.0.1"});
    CHECK(config.apps[0].unspecified_priority == "background");
    CHECK(config.apps[0].low_priority == "alert");
    CHECK(config.apps[0].apns.is_sandbox);
    CHECK(config.apps[0].apns.endpoint == Address{"api.sandbox.push.apple.com", 443, ""});
    CHECK(config.apps[0].apns.ca_file == "ca.pem");
    CHECK(config.apps[0].apns.collapse_id.empty());
    CHECK(config.apps[0].apns.expiration == minutes(1));
    CHECK(config.apps[1].name == "a");
    CHECK(config.apps[1].apns.endpoint == Address{"localhost", 2197, ""});
}

TEST_CASE("an app in both environments has the hosts of both", "[config]") {
    const Config config = config_of(kListen + kChatSecure + kApp + "environment = \"both\"\n");
    const Apns& apns = config.apps.at(0).apns;
    CHECK(apns.is_both);
    CHECK_FALSE(apns.is_sandbox);
    CHECK(apns.endpoint == Address{"api.push.apple.com", 443, ""});
    CHECK(apns.sandbox_endpoint == Address{"api.sandbox.push.apple.com", 443, ""});
}

TEST_CASE("the endpoints of an app are those of its environments", "[config]") {
    const std::string begin = kListen + kChatSecure + kApp;
    CHECK(mistakes_in(begin + "sandbox_endpoint = \"localhost:1\"\n").size() == 1);
    const std::string both = begin + "environment = \"both\"\n";
    CHECK(mistakes_in(both + "endpoint = \"a:1\"\nsandbox_endpoint = \"a:2\"\n").empty());
    CHECK(mistakes_in(both + "endpoint = \"a:1\"\nsandbox_endpoint = \"a:1\"\n").size() == 1);
    CHECK(mistakes_in(both + "sandbox_endpoint = \"a\"\n").size() == 1);
    CHECK(mistakes_in(both + "endpoint = \"api.sandbox.push.apple.com:443\"\n").size() == 1);
}

TEST_CASE("mistakes in limits are shown where they stand", "[config]") {
    const Lines lines = mistakes_in(kListen + kChatSecure + kApp +
                                    "[http]\n"
                                    "client_address_field = \"Forwarded\"\n"
                                    "trusted_proxies = [\"10.0.0.2\", \"10.0.0.0/8\"]\n"
                                    "[limits]\n"
                                    "knocks_per_token = \"59 per hour\"\n"
                                    "knocks_per_account = 300\n"
                                    "logins_per_account = \"30 an hour\"\n"
                                    "tokens_per_account = \"0 per day\"\n"
                                    "unlimited_addresses = [\"localhost\"]\n"
                                    "devices_max = 0\n"
                                    "tokens_max = 1000001\n");
    CHECK(lines ==
          Lines{"f:11:24: http.client_address_field: is not understood; let the proxy send "
                "X-Real-IP or X-Forwarded-For",
                "f:12:32: http.trusted_proxies: is no IP address; write it alone, as in "
                "\"192.0.2.7\" or \"2001:db8::7\"",
                "f:14:20: limits.knocks_per_token: is 59 per hour, must be at least one in 1m",
                "f:15:22: limits.knocks_per_account: is a whole number, must be a rate, such as "
                "\"30 per minute\"",
                "f:16:22: limits.logins_per_account: is no rate; write it as in \"30 per minute\"",
                "f:17:22: limits.tokens_per_account: would let nothing through; \"off\" is no "
                "limit at all",
                "f:18:24: limits.unlimited_addresses: is no IP address; write it alone, as in "
                "\"192.0.2.7\" or \"2001:db8::7\"",
                "f:19:15: limits.devices_max: is 0, must be a whole number from 1 to 1000",
                "f:20:14: limits.tokens_max: is 1000001, must be a whole number from 1 to "
                "1000000"});
    CHECK(
        mistakes_in(kListen + kChatSecure + kApp + "[http]\ntrusted_proxies = [\"10.0.0.2\"]\n") ==
        Lines{"f:11:19: http.trusted_proxies: is of no use without client_address_field, the "
              "field that they set"});
    CHECK(mistakes_in(kListen + kChatSecure + kApp +
                      "[limits]\nknocks_per_token = \"off\"\nknocks_per_account = \"60 per "
                      "hour\"\n") == Lines{});
}

TEST_CASE("an empty file is told everything it lacks", "[config]") {
    CHECK(mistakes_in("") ==
          Lines{"f: listen: missing; add [[listen]] with an address, as in address = "
                "\"127.0.0.1:8080\"",
                "f: chatsecure.base_url: missing; [chatsecure] needs it: the address that phones "
                "use, as in "
                "\"https://push.example.org/api/v1/\"",
                "f: apps: missing; add an app: [apps.NAME.apns] with its topic and key"});
    CHECK(mistakes_in("listen = []\n[apps]\n" + kChatSecure).size() == 2);
}

TEST_CASE("all mistakes of a file come at once, in the order of the file", "[config]") {
    const Lines lines = mistakes_in(
        "worker = 2\n"
        "log_level = \"loud\"\n"
        "[[listen]]\n"
        "address = \"127.0.0.1\"\n"
        "[apps.Chat.apns]\n"
        "topic = \"org.example.chat\"\n"
        "key_file = \"a.p8\"\n"
        "key_id = \"abc\"\n"
        "[chatsecure]\n"
        "base_url = \"https://push.example.org/\"\n"
        "token_lifetime = \"1 month\"\n");
    CHECK(
        lines ==
        Lines{
            "f:1:1: worker: unknown key; did you mean workers?",
            "f:2:13: log_level: must be \"error\", \"warning\", \"notice\", \"info\" or \"debug\"",
            "f:4:11: listen.address: has no port; write it as in 127.0.0.1:8080",
            "f:5:1: apps.Chat.apns.team_id: missing; [apps.Chat.apns] needs it: the 10 characters "
            "on the "
            "membership page of your Apple account",
            "f:5:7: apps.Chat: is no app name; use 1 to 32 of a-z, 0-9 and -",
            "f:8:10: apps.Chat.apns.key_id: must be exactly 10 of A-Z and 0-9",
            "f:10:12: chatsecure.base_url: must end with /api/v1/",
            "f:11:18: chatsecure.token_lifetime: needs one whole number and one unit: ms, s, m, h "
            "or d, as in \"2s\""});
}

TEST_CASE("tokens do not outlive their account", "[config]") {
    const auto lifetimes = [](const std::string& keys) {
        return mistakes_in(kListen + kChatSecure + keys + kApp);
    };
    CHECK(lifetimes("token_lifetime = \"400d\"\n").empty());
    CHECK(lifetimes("token_lifetime = \"2d\"\naccount_lifetime = \"2d\"\n").empty());
    CHECK(lifetimes("token_lifetime = \"500d\"\naccount_lifetime = \"600d\"\n").empty());
    CHECK(lifetimes("account_lifetime = \"29d\"\n") ==
          Lines{"f:5:20: chatsecure.account_lifetime: is 29d, must not be shorter than "
                "token_lifetime, 30d"});
    CHECK(lifetimes("token_lifetime = \"401d\"\n") ==
          Lines{"f:5:18: chatsecure.token_lifetime: is 401d, longer than account_lifetime, 400d; "
                "set that as well"});
    CHECK(
        lifetimes("account_lifetime = \"12h\"\n") ==
        Lines{"f:5:20: chatsecure.account_lifetime: is 12h, must be a duration from 1d to 3650d"});
    CHECK(lifetimes("token_lifetime = \"soon\"\naccount_lifetime = \"2d\"\n").size() == 1);
}

TEST_CASE("TLS needs both of its files", "[config]") {
    const auto listen = [](const std::string& keys) {
        return mistakes_in(kListen + keys + kChatSecure + kApp);
    };
    CHECK(listen("tls_certificate = \"a\"\ntls_key = \"b\"\n").empty());
    CHECK(listen("tls_certificate = \"\"\ntls_key = \"\"\n").empty());
    CHECK(listen("tls_certificate = \"a\"\n") ==
          Lines{"f:1:1: listen.tls_key: missing; tls_certificate is given, and TLS needs both; "
                "plain HTTP needs neither"});
    CHECK(listen("tls_key = \"a\"\ntls_certificate = \"\"\n") ==
          Lines{"f:4:19: listen.tls_certificate: missing; tls_key is given, and TLS needs both; "
                "plain HTTP needs neither"});
    CHECK(listen("tls_key = \"a\"\ntls_certificate = 1\n") ==
          Lines{"f:4:19: listen.tls_certificate: is a whole number, must be the name of a file"});
}

TEST_CASE("an app has a key or a client certificate, and all that belongs to it", "[config]") {
    const std::string topic = "[apps.chat.apns]\ntopic = \"org.example.chat\"\n";
    const std::string certificate = "certificate = \"/c.pem\"\n";
    const std::string key = "certificate_key = \"credential:c.key\"\n";
    const auto apns = [&](const std::string& keys) {
        return mistakes_in(kListen + kChatSecure + topic + keys);
    };
    const Config config = config_of(kListen + kChatSecure + topic + certificate + key);
    CHECK(config.apps[0].apns.certificate == "/c.pem");
    CHECK(config.apps[0].apns.certificate_key == "credential:c.key");
    CHECK(config.apps[0].apns.key_file.empty());
    const std::string password = "certificate_password_file = \"credential:c.password\"\n";
    const Config pkcs12 = config_of(kListen + kChatSecure + topic + certificate + password);
    CHECK(pkcs12.apps[0].apns.certificate_password_file == "credential:c.password");
    CHECK(pkcs12.apps[0].apns.certificate_key.empty());
    CHECK(apns(certificate).empty());
    for (const std::string& alone : {key, password}) {
        CHECK(apns(alone + "certificate = \"\"\n") ==
              Lines{"f:8:15: apps.chat.apns.certificate: missing; a key or a password of it is of "
                    "no use alone"});
    }
    CHECK(apns(certificate + key + password) ==
          Lines{"f:9:29: apps.chat.apns.certificate_password_file: is for PKCS#12, which holds its "
                "key, and certificate_key is for PEM; take one of the two away"});
    CHECK(apns(certificate + key + "key_file = \"a.p8\"\nteam_id = \"DEF123GHIJ\"\n") ==
          Lines{"f:9:12: apps.chat.apns.key_file: is of no use with a certificate; take one of the "
                "two away",
                "f:10:11: apps.chat.apns.team_id: is of no use with a certificate; take one of the "
                "two away"});
    CHECK(apns("certificate = 1\n" + key) ==
          Lines{"f:7:15: apps.chat.apns.certificate: is a whole number, must be the name of a "
                "file"});
    // Empty is absent, so that the manual can show both.
    CHECK(mistakes_in(
              kListen + kChatSecure + kApp +
              "certificate = \"\"\ncertificate_key = \"\"\ncertificate_password_file = \"\"\n") ==
          Lines{});
    CHECK(apns("").size() == 3);
}

TEST_CASE("two listeners cannot have one address, nor can the admin listener", "[config]") {
    CHECK(mistakes_in(kListen + kListen + "[admin]\naddress = \"127.0.0.1:8080\"\n" + kChatSecure +
                      kApp) ==
          Lines{"f:4:11: listen.address: is taken by the [[listen]] on line 1",
                "f:6:11: admin.address: is taken by the [[listen]] on line 1"});
    const std::string any_port = "[[listen]]\naddress = \"127.0.0.1:0\"\n";
    CHECK(mistakes_in(any_port + any_port + "[admin]\naddress = \"127.0.0.1:0\"\n" + kChatSecure +
                      kApp)
              .empty());
    const std::string bad = "[[listen]]\naddress = \"?\"\n";
    CHECK(mistakes_in(bad + bad + kChatSecure + kApp).size() == 2);
}

TEST_CASE("a host belongs to one app", "[config]") {
    const std::string one =
        "[apps.one]\nhosts = [\"a.example\", \"A.example\"]\n[apps.one.apns]\n" + kApnsKeys;
    const std::string two =
        "[apps.two]\nhosts = [\"b.example\", \"A.EXAMPLE\", \"b.example:80\"]\n[apps.two.apns]\n" +
        kApnsKeys;
    CHECK(mistakes_in(kListen + kChatSecure + one + two) ==
          Lines{"f:6:23: apps.one.hosts: \"a.example\" is there twice",
                "f:13:23: apps.two.hosts: \"a.example\" belongs to [apps.one]; a host can have one "
                "app only",
                "f:13:36: apps.two.hosts: is no host name; write it without port, as in "
                "\"push.example.org\""});
}

TEST_CASE("an app has a name that means nothing else, and a provider", "[config]") {
    CHECK(
        mistakes_in(kListen + kChatSecure + "[apps.api.apns]\n" + kApnsKeys) ==
        Lines{
            "f:5:7: apps.api: is no app name, because every path begins with it; choose another"});
    CHECK(mistakes_in(kListen + kChatSecure + "[apps.\"my chat\".apns]\n" + kApnsKeys) ==
          Lines{"f:5:7: apps.\"my chat\": is no app name; use 1 to 32 of a-z, 0-9 and -"});
    CHECK(
        mistakes_in(kListen + kChatSecure + "[apps.chat]\n") ==
        Lines{"f:5:1: apps.chat.apns: missing; an app needs a provider, so add [apps.chat.apns]"});
    CHECK(mistakes_in(kListen + kChatSecure + "[apps]\nchat = \"org.example.chat\"\n") ==
          Lines{"f:6:8: apps.chat: is a text, must be a table: [apps.chat]"});
    CHECK(mistakes_in(kListen + kChatSecure + "[apps.chat]\napns = 1\n") ==
          Lines{"f:6:8: apps.chat.apns: is a whole number, must be a table: [apps.chat.apns]"});
    // An empty table is a table.
    CHECK(mistakes_in(kListen + kChatSecure + "[apps.chat.apns]\n").size() == 4);
}

TEST_CASE("one app's keys are told where they belong", "[config]") {
    CHECK(mistakes_in(kListen + kChatSecure + "[apps.chat]\ntopic = \"x\"\n" + kApp) ==
          Lines{"f:6:1: apps.chat.topic: unknown key; it belongs to [apps.chat.apns]"});
    CHECK(mistakes_in(kListen + kChatSecure + kApp + "keyid = \"x\"\n") ==
          Lines{"f:10:1: apps.chat.apns.keyid: unknown key; did you mean key_id?"});
    CHECK(mistakes_in(kListen + "workers = 2\n" + kChatSecure + kApp) ==
          Lines{"f:3:1: listen.workers: unknown key; it belongs to the top of the file"});
}

TEST_CASE("Apple's endpoint is a host and a port", "[config]") {
    for (const char* endpoint : {"unix:/run/apns", "localhost:0"}) {
        CHECK(mistakes_in(kListen + kChatSecure + kApp + "endpoint = \"" + endpoint + "\"\n") ==
              Lines{"f:10:12: apps.chat.apns.endpoint: must be a host and its port, as in "
                    "\"127.0.0.1:8443\""});
    }
}

TEST_CASE("the database has a folder, and a folder is no credential", "[config]") {
    const std::string rest = kListen + kChatSecure + kApp;
    CHECK(mistakes_in("data_dir = \"\"\n" + rest) ==
          Lines{"f:1:12: data_dir: must name the folder of the database"});
    CHECK(mistakes_in("data_dir = \"credential:x\"\n" + rest) ==
          Lines{"f:1:12: data_dir: must name the folder of the database"});
    CHECK(config_of("data_dir = \"/srv/k\"\n" + rest).store_key_file == "/srv/k/store.key");
}

TEST_CASE("there are limits to how much one gateway serves", "[config]") {
    std::string listeners;
    for (size_t i = 0; i < kListenersMax; ++i)
        listeners += "[[listen]]\naddress = \"127.0.0.1:0\"\n";
    CHECK(mistakes_in(listeners + kChatSecure + kApp).empty());
    CHECK(mistakes_in(listeners + kListen + kChatSecure + kApp) ==
          Lines{"f:1:1: listen: is there more than 16 times"});
    std::string apps;
    for (size_t i = 0; i < kAppsMax; ++i)
        apps += "[apps.a" + std::to_string(i) + ".apns]\n" + kApnsKeys;
    CHECK(mistakes_in(kListen + kChatSecure + apps).empty());
    CHECK(mistakes_in(kListen + kChatSecure + apps + kApp) ==
          Lines{"f:5:1: apps: holds more than 256 apps"});
}

TEST_CASE("no damage to a configuration does more than make mistakes", "[config]") {
    const std::string text = kListen + "[knocks]\nack_wait = \"2s\"\n" + kChatSecure + kApp;
    for (size_t i = 0; i < text.size(); ++i) {
        static_cast<void>(mistakes_in(text.substr(0, i)));
        for (const char byte : {'\0', '\n', '"', '[', '.', '=', '9', '\xc3'}) {
            std::string changed = text;
            changed[i] = byte;
            static_cast<void>(mistakes_in(changed));
        }
    }
}

TEST_CASE("the manual is a configuration, and the defaults that it shows are the defaults",
          "[config]") {
    const std::string manual = read_source("conf/knuckle.toml");
    const Config config = config_of(manual);
    CHECK(with_defaults_shown(manual) != manual);
    CHECK(config_of(with_defaults_shown(manual)) == config);
    // Shown or not, what it leaves to the defaults is what a minimal file leaves to them.
    Config minimal = config_of(kListen + kChatSecure + kApp);
    minimal.listen[0].line = config.listen[0].line;
    minimal.apps[0].apns.line = config.apps[0].apns.line;
    minimal.apps[0].apns.key_file = config.apps[0].apns.key_file;
    CHECK(config == minimal);
}

TEST_CASE("Feedback is sent where the configuration says, with a secret", "[config]") {
    const std::string rest = kListen + kChatSecure + kApp;
    CHECK_FALSE(config_of(rest).feedback.has_webhook());
    CHECK_FALSE(config_of(rest + "[feedback]\nwebhook_url = \"\"\n").feedback.has_webhook());
    const Config config = config_of(rest +
                                    "[feedback]\nwebhook_url = \"https://hooks.example.org/x\"\n"
                                    "webhook_secret_file = \"/s\"\nwebhook_ca_file = \"/c\"\n");
    REQUIRE(config.feedback.has_webhook());
    CHECK(config.feedback.webhook.address == Address{"hooks.example.org", 443, ""});
    CHECK(config.feedback.webhook.target == "/x");
    CHECK(config.feedback.webhook_secret_file == "/s");
    CHECK(config.feedback.webhook_ca_file == "/c");

    CHECK(mistakes_in("[feedback]\nwebhook_url = \"http://example.org\"\n" + rest) ==
          Lines{"f:2:15: feedback.webhook_url: must begin with https:// unless the host is this "
                "machine"});
    CHECK(
        mistakes_in("[feedback]\nwebhook_url = \"https://example.org\"\n" + rest) ==
        Lines{"f:1:1: feedback.webhook_secret_file: missing; the receiver of webhook_url knows by "
              "it that it is us"});
}

TEST_CASE("the manual shows every key that there is", "[config]") {
    Value document;
    REQUIRE_FALSE(parse_document(with_defaults_shown(read_source("conf/knuckle.toml")), document));
    Reading reading("");
    Config config;
    REQUIRE(read_config(document, reading, config).empty());
    CHECK(reading.absent() == Lines{});
}
