// SPDX-License-Identifier: GPL-3.0-or-later
#include "config/schema.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"
#include "config/values.h"

namespace knuckle::config {

namespace {

constexpr uint32_t kCountMax = 1'000'000;
constexpr uint32_t kPendingBytesMax = 4'000'000'000;
constexpr Duration kKnockIntervalMax = minutes(1);
constexpr Duration kBackgroundWindowMax = hours(6);
constexpr Duration kLifetimeMax = hours(24 * 3650);
// Or 2197, for firewalls that close 443: Apple, "Sending notification requests to APNs".
constexpr uint16_t kApnsPort = 443;
constexpr std::string_view kApnsProduction = "api.push.apple.com";
constexpr std::string_view kApnsSandbox = "api.sandbox.push.apple.com";

constexpr std::array<std::string_view, 5> kLogLevels{"error", "warning", "notice", "info", "debug"};
constexpr std::array<std::string_view, 3> kEnvironments{"production", "sandbox", "both"};
constexpr std::array<std::string_view, 2> kAcks{"settled", "accepted"};
constexpr std::array<std::string_view, 3> kStyles{"alert", "background", "ignore"};

// The same place to listen on; port 0 is a new one each time.
bool is_same(const Address& a, const Address& b) {
    return a == b && (a.port != 0 || !a.unix_path.empty());
}

const Listen* find_listener(const Config& config, const Address& address) {
    const auto found =
        std::find_if(config.listen.begin(), config.listen.end(), [&](const Listen& listen) {
            return is_same(listen.address, address);
        });
    return found == config.listen.end() ? nullptr : &*found;
}

void read_listening_address(Table& table,
                            Address& address,
                            const Config& config,
                            std::string_view hint = {}) {
    if (!table.address("address", address, hint)) return;
    if (const Listen* other = find_listener(config, address)) {
        table.add_mistake("address",
                          "is taken by the [[listen]] on line " + std::to_string(other->line));
    }
}

void check(Table& table, std::string_view key, const char* mistake) {
    if (mistake != nullptr) table.add_mistake(key, mistake);
}

void read_tls_files(Table& table, Listen& listen) {
    const bool is_certificate_sound = table.file("tls_certificate", listen.tls_certificate);
    const bool is_key_sound = table.file("tls_key", listen.tls_key);
    if (!is_certificate_sound && table.has("tls_certificate")) return;
    if (!is_key_sound && table.has("tls_key")) return;
    if (listen.tls_certificate.empty() == listen.tls_key.empty()) return;
    const bool has_key = listen.tls_certificate.empty();
    const std::string given = has_key ? "tls_key" : "tls_certificate";
    table.add_mistake(
        has_key ? "tls_certificate" : "tls_key",
        "missing; " + given + " is given, and TLS needs both; plain HTTP needs neither");
}

void read_listen(Reading& reading, Table& root, Config& config) {
    const auto tables = root.tables("listen");
    for (const Value* value : tables) {
        Listen listen;
        listen.line = value->place.line;
        Table table(reading, value, "listen");
        read_listening_address(
            table, listen.address, config, "where to listen, as in \"127.0.0.1:8080\"");
        read_tls_files(table, listen);
        table.finish();
        config.listen.push_back(std::move(listen));
    }
    if (!root.has("listen")) {
        root.add_mistake(
            "listen",
            "missing; add [[listen]] with an address, as in address = \"127.0.0.1:8080\"");
    } else if (tables.size() > kListenersMax) {
        root.add_mistake("listen",
                         "is there more than " + std::to_string(kListenersMax) + " times");
    }
}

void read_admin(Reading& reading, Table& root, Config& config) {
    Table table(reading, root.table("admin"), "admin");
    read_listening_address(table, config.admin, config);
    table.finish();
}

// An account that outlives its tokens is idle only when none of them can be knocked with.
void read_lifetimes(Table& table, ChatSecure& chatsecure) {
    const bool has_token =
        table.duration("token_lifetime", chatsecure.token_lifetime, seconds(1), kLifetimeMax);
    const bool has_account =
        table.duration("account_lifetime", chatsecure.account_lifetime, hours(24), kLifetimeMax);
    const bool is_token_sound = has_token || !table.has("token_lifetime");
    const bool is_account_sound = has_account || !table.has("account_lifetime");
    if (!is_token_sound || !is_account_sound) return;
    if (chatsecure.account_lifetime >= chatsecure.token_lifetime) return;
    const std::string token = format_duration(chatsecure.token_lifetime);
    const std::string account = format_duration(chatsecure.account_lifetime);
    if (has_account) {
        table.add_mistake("account_lifetime",
                          "is " + account + ", must not be shorter than token_lifetime, " + token);
    } else {
        table.add_mistake(
            "token_lifetime",
            "is " + token + ", longer than account_lifetime, " + account + "; set that as well");
    }
}

void read_chatsecure(Reading& reading, Table& root, ChatSecure& chatsecure) {
    Table table(reading, root.table("chatsecure"), "chatsecure");
    constexpr std::string_view kHint =
        "the address that phones use, as in \"https://push.example.org/api/v1/\"";
    if (table.text("base_url", chatsecure.base_url, kHint)) {
        check(table, "base_url", mistake_in_base_url(chatsecure.base_url));
    }
    if (table.text("pubsub_jid", chatsecure.pubsub_jid) && !chatsecure.pubsub_jid.empty()) {
        // The clients take it for a domain (chatsecure-push.md, section 5).
        check(table, "pubsub_jid", mistake_in_host(chatsecure.pubsub_jid));
    }
    read_lifetimes(table, chatsecure);
    table.boolean("bare_lists", chatsecure.has_bare_lists);
    table.finish();
}

void read_key(Table& table, Apns& apns) {
    table.file("key_file", apns.key_file, "the .p8 file that Apple gave you");
    if (table.text("key_id", apns.key_id, "the 10 characters in the name AuthKey_XXXXXXXXXX.p8")) {
        check(table, "key_id", mistake_in_apple_id(apns.key_id));
    }
    if (table.text("team_id",
                   apns.team_id,
                   "the 10 characters on the membership page of your Apple account")) {
        check(table, "team_id", mistake_in_apple_id(apns.team_id));
    }
}

// A file that may be left out; true if it was not, however wrong it is.
bool read_optional_file(Table& table, std::string_view key, std::string& to) {
    const bool is_sound = table.file(key, to);
    return table.has(key) && !(is_sound && to.empty());
}

// A key or a certificate, never both. What is in the file of a certificate decides what else it
// needs, which app/assembly.cc knows.
void read_credential(Table& table, Apns& apns) {
    const bool has_certificate = read_optional_file(table, "certificate", apns.certificate);
    const bool has_its_key = read_optional_file(table, "certificate_key", apns.certificate_key);
    const bool has_password =
        read_optional_file(table, "certificate_password_file", apns.certificate_password_file);
    if (!has_certificate && !has_its_key && !has_password) return read_key(table, apns);
    if (!has_certificate) {
        table.add_mistake("certificate", "missing; a key or a password of it is of no use alone");
    }
    if (has_its_key && has_password) {
        table.add_mistake("certificate_password_file",
                          "is for PKCS#12, which holds its key, and certificate_key is for PEM; "
                          "take one of the two away");
    }
    for (const std::string_view key : {"key_file", "key_id", "team_id"}) {
        std::string unused;
        if (table.text(key, unused))
            table.add_mistake(key, "is of no use with a certificate; take one of the two away");
    }
}

void read_endpoints(Table& table, Apns& apns) {
    const auto read = [&](std::string_view key, std::string_view host, Address& address) {
        address = {std::string(host), kApnsPort, ""};
        const bool is_given = table.address(key, address);
        if (is_given && address.port == 0)
            table.add_mistake(key, "must be a host and its port, as in \"127.0.0.1:8443\"");
        return is_given;
    };
    static_cast<void>(
        read("endpoint", apns.is_sandbox ? kApnsSandbox : kApnsProduction, apns.endpoint));
    const bool is_given = read("sandbox_endpoint", kApnsSandbox, apns.sandbox_endpoint);
    if (!apns.is_both) {
        const bool is_default =
            apns.sandbox_endpoint == Address{std::string(kApnsSandbox), kApnsPort, ""};
        if (!is_default)
            table.add_mistake("sandbox_endpoint", "is for environment = \"both\" only");
    } else if (apns.sandbox_endpoint == apns.endpoint) {
        table.add_mistake(is_given ? "sandbox_endpoint" : "endpoint",
                          "must not be that of the other environment");
    }
}

void read_apns(Reading& reading, const Value* value, const std::string& path, Apns& apns) {
    Table table(reading, value, path);
    apns.line = table.place().line;
    if (table.text("topic", apns.topic, "the app's bundle id, as in \"org.example.chat\"")) {
        check(table, "topic", mistake_in_topic(apns.topic));
    }
    std::string environment;
    if (table.word("environment", environment, kEnvironments)) {
        apns.is_sandbox = environment == "sandbox";
        apns.is_both = environment == "both";
    }
    read_credential(table, apns);
    read_endpoints(table, apns);
    table.file("ca_file", apns.ca_file);
    if (table.text("collapse_id", apns.collapse_id)) {
        check(table, "collapse_id", mistake_in_collapse_id(apns.collapse_id));
    }
    table.duration("expiration", apns.expiration, minutes(1), hours(24 * 30));
    table.finish();
}

void read_hosts(Reading& reading, Table& table, App& app, const std::vector<App>& others) {
    for (const Value* item : table.texts("hosts")) {
        const std::string host = to_lower(item->text);
        const auto add_mistake = [&](std::string text) {
            reading.add_mistake(item->place, table.path_of("hosts"), std::move(text));
        };
        if (mistake_in_host(host) != nullptr) {
            add_mistake("is no host name; write it without port, as in \"push.example.org\"");
            continue;
        }
        const auto has_it = [&](const App& other) {
            return std::find(other.hosts.begin(), other.hosts.end(), host) != other.hosts.end();
        };
        const auto other = std::find_if(others.begin(), others.end(), has_it);
        if (other != others.end()) {
            add_mistake("\"" + host + "\" belongs to [apps." + other->name +
                        "]; a host can have one app only");
        } else if (has_it(app)) {
            add_mistake("\"" + host + "\" is there twice");
        } else {
            app.hosts.push_back(host);
        }
    }
}

void read_apps(Reading& reading, Table& root, Config& config) {
    Table apps(reading, root.table("apps"), "apps");
    for (const Value* value : apps.named_tables()) {
        App app;
        app.name = value->key;
        const std::string path = apps.path_of(app.name);
        if (const char* mistake = mistake_in_app_name(app.name)) {
            reading.add_mistake(value->key_place, path, mistake);
        }
        Table table(reading, value, path);
        read_hosts(reading, table, app, config.apps);
        table.word("unspecified_priority", app.unspecified_priority, kStyles);
        table.word("low_priority", app.low_priority, kStyles);
        const Value* const apns = table.table("apns");
        app.has_apns = apns != nullptr;
        if (app.has_apns) {
            read_apns(reading, apns, path + ".apns", app.apns);
        } else if (!table.has("apns")) {
            table.add_mistake("apns",
                              "missing; an app needs a provider, so add [" + path + ".apns]");
        }
        table.finish();
        config.apps.push_back(std::move(app));
    }
    apps.finish();
    if (!root.has("apps")) {
        root.add_mistake("apps", "missing; add an app: [apps.NAME.apns] with its topic and key");
    } else if (config.apps.size() > kAppsMax) {
        root.add_mistake("apps", "holds more than " + std::to_string(kAppsMax) + " apps");
    }
}

void read_process(Table& root, Config& config) {
    root.file("data_dir", config.data_dir);
    if (config.data_dir.empty() || config.data_dir.starts_with(kCredentialPrefix)) {
        root.add_mistake("data_dir", "must name the folder of the database");
    }
    root.file("store_key_file", config.store_key_file);
    if (config.store_key_file.empty()) config.store_key_file = config.data_dir + "/store.key";
    root.whole("workers", config.workers, 0, kWorkersMax);
    root.word("log_level", config.log_level, kLogLevels);
    root.duration("drain_timeout", config.drain_timeout, seconds(0), minutes(10));
}

void read_ips(Reading& reading, Table& table, std::string_view key, std::vector<std::string>& to) {
    for (const Value* item : table.texts(key)) {
        if (const char* mistake = mistake_in_ip(item->text)) {
            reading.add_mistake(item->place, table.path_of(key), mistake);
        } else {
            to.push_back(item->text);
        }
    }
}

void read_http(Reading& reading, Table& root, Config& config) {
    Table http(reading, root.table("http"), "http");
    http.duration("idle_timeout", config.idle_timeout, milliseconds(100), hours(1));
    if (http.text("client_address_field", config.client_address_field) &&
        !config.client_address_field.empty()) {
        check(http, "client_address_field", mistake_in_field_name(config.client_address_field));
    }
    read_ips(reading, http, "trusted_proxies", config.trusted_proxies);
    if (!config.trusted_proxies.empty() && config.client_address_field.empty()) {
        http.add_mistake("trusted_proxies",
                         "is of no use without client_address_field, the field that they set");
    }
    http.finish();
}

void read_abuse_limits(Reading& reading, Table& table, Limits& limits) {
    // A knock over one of these is kept until the next is due, so that must be soon.
    table.rate("knocks_per_token", limits.knocks_per_token, kKnockIntervalMax);
    table.rate("knocks_per_account", limits.knocks_per_account, kKnockIntervalMax);
    table.duration("alert_window", limits.alert_window, seconds(0), kKnockIntervalMax);
    table.duration("background_window", limits.background_window, seconds(0), kBackgroundWindowMax);
    table.rate("knocks_per_address", limits.knocks_per_address);
    table.rate("logins_per_address", limits.logins_per_address);
    table.rate("logins_per_account", limits.logins_per_account);
    table.rate("tokens_per_address", limits.tokens_per_address);
    table.rate("tokens_per_account", limits.tokens_per_account);
    read_ips(reading, table, "unlimited_addresses", limits.unlimited_addresses);
    table.whole("devices_max", limits.devices_max, 1, kDevicesMax);
    table.whole("tokens_max", limits.tokens_max, 1, kTokensMax);
}

void read_knocks(Reading& reading, Table& root, Config& config) {
    Table knocks(reading, root.table("knocks"), "knocks");
    std::string ack;
    if (knocks.word("ack", ack, kAcks)) config.acks_at_once = ack == "accepted";
    knocks.duration("ack_wait", config.ack_wait, milliseconds(10), minutes(1));
    knocks.duration("request_timeout", config.request_timeout, milliseconds(100), minutes(10));
    knocks.rate("resend_rate", config.resend_rate);
    knocks.finish();
}

void read_limits(Reading& reading, Table& root, Config& config) {
    read_knocks(reading, root, config);
    read_http(reading, root, config);

    Table limits(reading, root.table("limits"), "limits");
    limits.whole("upstreams_max", config.upstreams_max, 1, kUpstreamsMax);
    limits.whole("connections_max", config.connections_max, 1, kCountMax);
    limits.whole("jobs_max", config.jobs_max, 1, kCountMax);
    limits.whole("pending_max", config.limits.pending_max, 1, kCountMax);
    limits.whole("pending_bytes_max", config.limits.pending_bytes_max, 10'000, kPendingBytesMax);
    read_abuse_limits(reading, limits, config.limits);
    limits.finish();
}

void read_feedback(Reading& reading, Table& root, Feedback& feedback) {
    Table table(reading, root.table("feedback"), "feedback");
    std::string url;
    if (table.text("webhook_url", url) && !url.empty()) {
        if (auto parsed = parse_url(url)) {
            feedback.webhook = std::move(*parsed);
            feedback.line = table.place().line;
        } else {
            table.add_mistake("webhook_url", parsed.error().what);
        }
    }
    const bool is_secret_sound = table.file("webhook_secret_file", feedback.webhook_secret_file);
    table.file("webhook_ca_file", feedback.webhook_ca_file);
    const bool is_secret_wrong = !is_secret_sound && table.has("webhook_secret_file");
    if (feedback.has_webhook() && feedback.webhook_secret_file.empty() && !is_secret_wrong) {
        table.add_mistake("webhook_secret_file",
                          "missing; the receiver of webhook_url knows by it that it is us");
    }
    table.finish();
}

}  // namespace

std::vector<Mistake> read_config(const Value& document, Reading& reading, Config& config) {
    config = Config{};
    Table root(reading, &document, "");
    read_process(root, config);
    read_listen(reading, root, config);
    read_admin(reading, root, config);
    read_limits(reading, root, config);
    read_chatsecure(reading, root, config.chatsecure);
    read_feedback(reading, root, config.feedback);
    read_apps(reading, root, config);
    root.finish();
    return reading.finish();
}

}  // namespace knuckle::config
