// SPDX-License-Identifier: GPL-3.0-or-later
// The configuration file as one plain struct. conf/knuckle.toml is its manual: every key is there.
//
//     Config config;
//     std::vector<Mistake> mistakes = load(path, config);      empty: config is usable
//     for (const Mistake& mistake : mistakes) ... describe(path, mistake) ...
//
// All mistakes are reported at once, each with line, column and key: unknown keys, wrong types,
// values out of range, missing required keys, names used twice. Only the text is judged here; files
// that it names are opened by app/. Durations are written "500ms", "2s", "10m", "24h", "30d", or as
// a whole number of seconds, rates "30 per minute". The name of a file may be "credential:NAME",
// which app/ looks up in $CREDENTIALS_DIRECTORY; any other relative name is relative to the folder
// of the configuration file, and load() has put that folder in front of it. Known to app/ alone,
// which fills each module's own Options. Owner: the supervisor.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace knuckle::config {

inline constexpr uint32_t kWorkersMax = 128;
inline constexpr size_t kAppsMax = 256;
inline constexpr size_t kListenersMax = 16;
inline constexpr uint32_t kUpstreamsMax = 16;      // Apple takes many connections for an attack
inline constexpr uint32_t kDevicesMax = 1'000;     // per account; the store's own limits
inline constexpr uint32_t kTokensMax = 1'000'000;  // per account

// "host:port", "[v6]:port", "unix:/path" taken apart.
struct Address {
    std::string host;   // lower case, an IPv6 address without its brackets; empty for a Unix socket
    uint16_t port = 0;  // 0, only where we listen: the kernel chooses
    std::string unix_path;

    bool operator==(const Address&) const = default;
};

struct Listen {
    Address address;
    std::string tls_certificate;  // file; both or neither
    std::string tls_key;
    uint32_t line = 0;

    bool operator==(const Listen&) const = default;
};

struct Apns {
    std::string topic;  // the app's bundle id
    bool is_sandbox = false;
    bool is_both = false;  // production; and the sandbox for what is no registration there
    // Provider tokens of a key, or a client certificate: one of the two, the other one is empty.
    std::string key_file;
    std::string key_id;
    std::string team_id;
    std::string certificate;                // PEM with its key beside it, or PKCS#12
    std::string certificate_key;            // PEM only
    std::string certificate_password_file;  // PKCS#12 only; empty: no password
    Address endpoint;                       // default: Apple's host for the environment, port 443
    Address sandbox_endpoint;               // for is_both; `endpoint` is production's then
    std::string ca_file;                    // empty: the system's bundle
    std::string collapse_id = "knock";      // at most 64 bytes; "" sends none
    Duration expiration = hours(24);        // how long Apple keeps a push for a phone that is off
    uint32_t line = 0;

    bool operator==(const Apns&) const = default;
};

struct App {
    std::string name;
    std::vector<std::string> hosts;  // lower case, without port
    bool has_apns = false;
    Apns apns;
    // For a knock without priority: "alert", "background" or "ignore"; and for priority "low".
    std::string unspecified_priority = "alert";
    std::string low_priority = "ignore";

    bool operator==(const App&) const = default;
};

struct ChatSecure {
    std::string base_url;    // public, ends in "/api/v1/"
    std::string pubsub_jid;  // empty: GET pubsub/ answers 404
    Duration token_lifetime = hours(24 * 30);
    Duration account_lifetime = hours(24 * 400);  // without being used
    bool has_bare_lists = false;

    bool operator==(const ChatSecure&) const = default;
};

// At most `count` in one `period`, all at once if need be; 0: as many as one likes.
struct Rate {
    uint32_t count = 0;
    Duration period{};

    bool operator==(const Rate&) const = default;
};

struct Limits {
    Rate knocks_per_token{30, minutes(1)};
    Rate knocks_per_account{300, minutes(1)};
    // Knocks for an account within this time of its last push become one push at its end; 0: none.
    Duration alert_window = seconds(1);
    Duration background_window = minutes(20);
    Rate knocks_per_address{6'000, minutes(1)};
    Rate logins_per_address{300, hours(1)};
    Rate logins_per_account{30, hours(1)};
    Rate tokens_per_address{6'000, hours(1)};
    Rate tokens_per_account{2'000, hours(24)};
    std::vector<std::string> unlimited_addresses;
    uint32_t devices_max = 100;      // per account
    uint32_t tokens_max = 20'000;    // per account
    uint32_t pending_max = 100'000;  // pushes on disk, of all workers
    uint32_t pending_bytes_max = 100'000'000;

    bool operator==(const Limits&) const = default;
};

// "https://host:port/path?query" taken apart.
struct Url {
    bool is_https = true;
    Address address;        // whom to connect to
    std::string authority;  // host and port as written, for the Host field
    std::string target;     // path and query

    bool operator==(const Url&) const = default;
};

struct Feedback {
    Url webhook;  // without host: there is none
    std::string webhook_secret_file;
    std::string webhook_ca_file;  // empty: the system's bundle
    uint32_t line = 0;

    [[nodiscard]] bool has_webhook() const { return !webhook.address.host.empty(); }
    bool operator==(const Feedback&) const = default;
};

struct Config {
    std::string data_dir = "/var/lib/knuckle";
    std::string store_key_file;      // default: store.key in data_dir
    uint32_t workers = 0;            // 0: one per core
    std::string log_level = "info";  // "error", "warning", "notice", "info" or "debug"
    std::vector<Listen> listen;
    Address admin{"127.0.0.1", 9127, ""};
    ChatSecure chatsecure;
    Duration ack_wait = seconds(2);          // of a knock, for its pushes, before it is stored
    bool acks_at_once = false;               // 202 before its pushes are settled or stored
    Duration request_timeout = seconds(10);  // of one push, for its answer
    Rate resend_rate{1'000, seconds(1)};     // of each app: what goes out again
    Duration drain_timeout = seconds(10);    // after SIGTERM, for what is in flight
    Duration idle_timeout = seconds(75);     // of a connection without a request
    uint32_t upstreams_max = 4;              // per worker and app: connections to the provider
    uint32_t connections_max = 20'000;       // per worker
    uint32_t jobs_max = 20'000;              // per worker: pushes in our hands
    std::string client_address_field;        // set by trusted proxies; empty: there is none
    std::vector<std::string> trusted_proxies;
    Limits limits;
    Feedback feedback;
    std::vector<App> apps;

    bool operator==(const Config&) const = default;
};

struct Mistake {
    uint32_t line = 0;    // counted from 1, as is the column; 0: the file as a whole
    uint32_t column = 0;  // 0: the line as a whole
    std::string key;      // "apps.chat.apns.key_id"
    std::string text;     // what is wrong and what to do
};

[[nodiscard]] std::vector<Mistake> load(const std::string& path, Config& config);
// The same for text in memory; relative file names stay as they are.
[[nodiscard]] std::vector<Mistake> parse(std::string_view text, Config& config);

// One line for people: "knuckle.toml:12:9: apps.chat.apns.key_id: must be ...".
[[nodiscard]] std::string describe(const std::string& path, const Mistake& mistake);

}  // namespace knuckle::config
