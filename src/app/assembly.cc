// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/assembly.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <sched.h>
#include <tuple>
#include <unistd.h>
#include <utility>

#include "app/describe.h"
#include "app/files.h"
#include "base/text.h"
#include "store/records.h"
#include "tls/certificate.h"
#include "tls/pkcs12.h"

namespace knuckle::app {

namespace {

// Debian's bundle of authorities, kept up to date by ca-certificates.
constexpr const char* kSystemBundle = "/etc/ssl/certs/ca-certificates.crt";

// Which credential a lane uses: the same key for the same team and environment is one, whatever app
// asks for it, because Apple counts provider tokens (providers.md A.2).
using CredentialKey = std::tuple<bool, std::string, std::string, std::string>;

struct Builder {
    const config::Config& config;
    Assembly& assembly;
    std::vector<config::Mistake> mistakes;
    std::vector<CredentialKey> credential_keys;

    void complain(uint32_t line, std::string key, std::string text) {
        mistakes.push_back({line, 0, std::move(key), std::move(text)});
    }
    void complain(uint32_t line, const std::string& key, const std::string& path, Error error) {
        complain(line, key, "\"" + path + "\": " + describe(error));
    }

    std::optional<std::string> read(uint32_t line,
                                    const std::string& key,
                                    const std::string& name) {
        const Result<std::string> path = resolve_path(name);
        if (!path) {
            complain(line, key, name, path.error());
            return std::nullopt;
        }
        Result<std::string> text = read_file(*path);
        if (!text) {
            complain(line, key, *path, text.error());
            return std::nullopt;
        }
        return std::move(*text);
    }

    const tls::Context* keep(tls::Context&& context) {
        assembly.contexts.push_back(std::make_unique<tls::Context>(std::move(context)));
        return assembly.contexts.back().get();
    }

    // What `pem` says of itself; noted, and empty with a mistake if it is of no use any more.
    std::optional<tls::CertificateFacts> note_certificate(uint32_t line,
                                                          const std::string& key,
                                                          const std::string& file,
                                                          std::string_view pem,
                                                          const std::string& name);
    // False: a mistake was reported.
    bool read_client_certificate(const config::App& app,
                                 const std::string& prefix,
                                 tls::PrivateIdentity& identity);
    std::optional<tls::PrivateIdentity> read_pkcs12(const config::Apns& apns,
                                                    const std::string& prefix,
                                                    std::string_view file);
    std::optional<tls::PrivateIdentity> read_pem(const config::Apns& apns,
                                                 const std::string& prefix,
                                                 std::string&& file);
    void add_listener(const config::Listen& listen);
    void add_app(const config::App& app);
    void add_webhook(const config::Feedback& feedback);
    void add_lanes(const config::App& app, const std::string& prefix);
    std::optional<size_t> add_credential(const config::Apns& apns,
                                         bool is_sandbox,
                                         const std::string& prefix);
};

push::Style to_style(const std::string& name) {
    if (name == "alert") return push::Style::alert;
    return name == "background" ? push::Style::background : push::Style::nothing;
}

UnixTime read_clock() {
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::microseconds>(since_1970).count()};
}

// A file has a line end where a password has none; blanks may belong to it.
std::string without_line_end(std::string text) {
    if (text.ends_with('\n')) text.pop_back();
    if (text.ends_with('\r')) text.pop_back();
    return text;
}

std::optional<tls::CertificateFacts> Builder::note_certificate(uint32_t line,
                                                               const std::string& key,
                                                               const std::string& file,
                                                               std::string_view pem,
                                                               const std::string& name) {
    Result<tls::CertificateFacts> facts = tls::read_certificate(pem);
    if (!facts) {
        complain(line, key, file, facts.error());
        return std::nullopt;
    }
    assembly.certificates.push_back({name, facts->not_after, facts->issuer});
    return std::move(*facts);
}

std::optional<tls::PrivateIdentity> Builder::read_pkcs12(const config::Apns& apns,
                                                         const std::string& prefix,
                                                         std::string_view file) {
    std::string password;
    if (!apns.certificate_password_file.empty()) {
        auto text =
            read(apns.line, prefix + "certificate_password_file", apns.certificate_password_file);
        if (!text) return std::nullopt;
        password = without_line_end(std::move(*text));
    }
    Result<tls::PrivateIdentity> identity = tls::open_pkcs12(as_bytes(file), password);
    if (identity) return std::move(*identity);
    complain(apns.line, prefix + "certificate", apns.certificate, identity.error());
    return std::nullopt;
}

std::optional<tls::PrivateIdentity> Builder::read_pem(const config::Apns& apns,
                                                      const std::string& prefix,
                                                      std::string&& file) {
    auto key = read(apns.line, prefix + "certificate_key", apns.certificate_key);
    if (!key) return std::nullopt;
    return tls::PrivateIdentity{.certificate_pem = std::move(file), .key_pem = std::move(*key)};
}

bool Builder::read_client_certificate(const config::App& app,
                                      const std::string& prefix,
                                      tls::PrivateIdentity& identity) {
    const config::Apns& apns = app.apns;
    auto file = read(apns.line, prefix + "certificate", apns.certificate);
    if (!file) return false;
    const bool is_for_pem = !apns.certificate_key.empty();
    if (tls::holds_pem(*file) && !is_for_pem) {
        complain(apns.line,
                 prefix + "certificate_key",
                 "missing; \"" + apns.certificate + "\" is PEM, which needs the file of its key");
        return false;
    }
    // A DER sequence: 0x30.
    if (file->starts_with('0') && is_for_pem) {
        complain(apns.line,
                 prefix + "certificate_key",
                 "\"" + apns.certificate +
                     "\" is PKCS#12 and holds its key: take certificate_key away, and give "
                     "certificate_password_file");
        return false;
    }
    auto read =
        is_for_pem ? read_pem(apns, prefix, std::move(*file)) : read_pkcs12(apns, prefix, *file);
    if (!read) return false;
    const auto facts = note_certificate(apns.line,
                                        prefix + "certificate",
                                        apns.certificate,
                                        read->certificate_pem,
                                        "app " + app.name);
    if (!facts) return false;
    const UnixTime now = read_clock();
    if (facts->not_after < now || facts->not_before > now) {
        complain(
            apns.line,
            prefix + "certificate",
            "\"" + apns.certificate +
                (facts->not_after < now ? "\": has expired; get a new one from Apple"
                                        : "\": is not valid yet; is this machine's clock right?"));
        return false;
    }
    if (!facts->allows(apns.topic)) {
        complain(apns.line,
                 prefix + "topic",
                 "\"" + apns.topic + "\": the certificate is not for this topic");
        return false;
    }
    identity = std::move(*read);
    return true;
}

void Builder::add_listener(const config::Listen& listen) {
    engine::ListenerOptions options;
    if (!listen.tls_certificate.empty()) {
        const std::string prefix = "listen.";
        const auto certificate =
            read(listen.line, prefix + "tls_certificate", listen.tls_certificate);
        const auto key = read(listen.line, prefix + "tls_key", listen.tls_key);
        if (!certificate || !key) return;
        Result<tls::Context> context = tls::Context::server(
            {.certificate_pem = *certificate, .key_pem = *key, .alpn = "http/1.1"});
        if (!context)
            return complain(
                listen.line, prefix + "tls_certificate", listen.tls_certificate, context.error());
        options.tls = keep(std::move(*context));
        if (!note_certificate(listen.line,
                              prefix + "tls_certificate",
                              listen.tls_certificate,
                              *certificate,
                              "listen " + to_endpoint(listen.address).text()))
            return;
    }
    assembly.options.listeners.push_back(options);
}

std::optional<size_t> Builder::add_credential(const config::Apns& apns,
                                              bool is_sandbox,
                                              const std::string& prefix) {
    const CredentialKey key{is_sandbox, apns.team_id, apns.key_id, apns.key_file};
    const auto known = std::find(credential_keys.begin(), credential_keys.end(), key);
    if (known != credential_keys.end()) return static_cast<size_t>(known - credential_keys.begin());
    const auto pem = read(apns.line, prefix + "key_file", apns.key_file);
    if (!pem) return std::nullopt;
    Result<crypto::Es256Signer> signer = crypto::Es256Signer::load(*pem);
    if (!signer) {
        complain(apns.line, prefix + "key_file", apns.key_file, signer.error());
        return std::nullopt;
    }
    credential_keys.push_back(key);
    assembly.credential_names.push_back((is_sandbox ? "sandbox/" : "production/") + apns.team_id +
                                        "/" + apns.key_id);
    assembly.credentials.emplace_back(std::move(*signer), apns.key_id, apns.team_id);
    return credential_keys.size() - 1;
}

// One; or twins, production's first.
void Builder::add_lanes(const config::App& app, const std::string& prefix) {
    const config::Apns& apns = app.apns;
    const bool has_certificate = !apns.certificate.empty();
    tls::PrivateIdentity identity;
    if (has_certificate && !read_client_certificate(app, prefix, identity)) return;
    const std::optional<size_t> credential =
        has_certificate ? engine::kNoCredential : add_credential(apns, apns.is_sandbox, prefix);
    const std::string ca_file = apns.ca_file.empty() ? kSystemBundle : apns.ca_file;
    if (apns.ca_file.empty() && access(kSystemBundle, F_OK) != 0) {
        return complain(apns.line,
                        prefix + "ca_file",
                        std::string("is not set, and there is no ") + kSystemBundle +
                            ": apt install ca-certificates, or name a file of your own");
    }
    const auto authorities = read(apns.line, prefix + "ca_file", ca_file);
    if (!credential || !authorities) return;
    Result<tls::Context> context =
        tls::Context::client({.ca_pem = *authorities,
                              .certificate_pem = identity.certificate_pem,
                              .key_pem = identity.key_pem,
                              .alpn = "h2"});
    if (!context) {
        return has_certificate
                   ? complain(apns.line, prefix + "certificate", apns.certificate, context.error())
                   : complain(apns.line, prefix + "ca_file", ca_file, context.error());
    }

    engine::LaneOptions lane;
    lane.name = app.name;
    lane.environment = apns.is_sandbox ? push::Environment::sandbox : push::Environment::production;
    lane.service.authority = apns.endpoint.host;
    lane.service.topic = apns.topic;
    lane.service.collapse_id = apns.collapse_id;
    lane.service.expiration = apns.expiration;
    lane.endpoint = to_endpoint(apns.endpoint);
    lane.server_name = apns.endpoint.host;
    lane.tls = keep(std::move(*context));
    lane.credential = *credential;
    std::vector<engine::LaneOptions>& lanes = assembly.options.lanes;
    lanes.push_back(lane);
    if (!apns.is_both) return;
    if (!has_certificate) {
        const std::optional<size_t> other = add_credential(apns, true, prefix);
        if (!other) return;
        lane.credential = *other;
    }
    lane.environment = push::Environment::sandbox;
    lane.service.authority = apns.sandbox_endpoint.host;
    lane.endpoint = to_endpoint(apns.sandbox_endpoint);
    lane.server_name = apns.sandbox_endpoint.host;
    lane.twin = static_cast<uint16_t>(lanes.size() - 1);
    lanes.back().twin = static_cast<uint16_t>(lanes.size());
    lanes.push_back(std::move(lane));
}

void Builder::add_app(const config::App& app) {
    engine::AppOptions options;
    options.name = app.name;
    options.unspecified_style = to_style(app.unspecified_priority);
    options.low_style = to_style(app.low_priority);
    if (app.has_apns) {
        const size_t lanes = assembly.options.lanes.size();
        add_lanes(app, "apps." + app.name + ".apns.");
        if (assembly.options.lanes.size() > lanes) options.lane = static_cast<uint16_t>(lanes);
    }
    assembly.options.apps.push_back(std::move(options));
    assembly.options.routes.apps.push_back({app.name, app.hosts});
}

void Builder::add_webhook(const config::Feedback& feedback) {
    const std::string prefix = "feedback.";
    const std::string secret_key = prefix + "webhook_secret_file";
    WebhookOptions options;
    options.endpoint = to_endpoint(feedback.webhook.address);
    options.authority = feedback.webhook.authority;
    options.target = feedback.webhook.target;
    if (const auto secret = read(feedback.line, secret_key, feedback.webhook_secret_file)) {
        options.secret = trim(*secret);
        if (options.secret.size() < kWebhookSecretMin) {
            complain(feedback.line,
                     secret_key,
                     "\"" + feedback.webhook_secret_file +
                         "\" must hold one line of at least 16 characters");
        }
    }
    if (feedback.webhook.is_https) {
        const std::string ca_key = prefix + "webhook_ca_file";
        const std::string& ca_file =
            feedback.webhook_ca_file.empty() ? kSystemBundle : feedback.webhook_ca_file;
        const auto authorities = read(feedback.line, ca_key, ca_file);
        if (!authorities) return;
        Result<tls::Context> context = tls::Context::client({.ca_pem = *authorities});
        if (!context) return complain(feedback.line, ca_key, ca_file, context.error());
        options.tls = keep(std::move(*context));
    }
    assembly.webhook = std::move(options);
}

engine::Rate to_rate(const config::Rate& rate) { return engine::rate_of(rate.count, rate.period); }
// One in each window.
engine::Rate to_rate(Duration window) {
    return engine::rate_of(window > Duration{} ? 1 : 0, window);
}

// For one worker of `workers`, which share it.
Duration to_interval(const config::Rate& rate, uint32_t workers) {
    if (rate.count == 0) return {};
    return Duration{rate.period.ns / rate.count * workers};
}

// The texts are addresses: config/ has looked.
std::vector<io::PeerAddress> to_addresses(const std::vector<std::string>& texts) {
    std::vector<io::PeerAddress> addresses;
    for (const std::string& text : texts) {
        if (const auto address = io::parse_peer_address(text)) addresses.push_back(*address);
    }
    return addresses;
}

void set_limits(const config::Config& config, engine::Options& options) {
    using metrics::Limit;
    const config::Limits& limits = config.limits;
    options.limits.set(Limit::knocks_per_token, to_rate(limits.knocks_per_token));
    options.limits.set(Limit::knocks_per_account, to_rate(limits.knocks_per_account));
    options.limits.set(Limit::knocks_per_address, to_rate(limits.knocks_per_address));
    options.limits.set(Limit::logins_per_address, to_rate(limits.logins_per_address));
    options.limits.set(Limit::logins_per_account, to_rate(limits.logins_per_account));
    options.limits.set(Limit::tokens_per_address, to_rate(limits.tokens_per_address));
    options.limits.set(Limit::tokens_per_account, to_rate(limits.tokens_per_account));
    options.limits.set(Limit::alert_window, to_rate(limits.alert_window));
    options.limits.set(Limit::background_window, to_rate(limits.background_window));
    for (const io::PeerAddress& address : to_addresses(limits.unlimited_addresses))
        options.limits.unlimited_networks.push_back(io::network_of(address));
    options.client_address = {config.client_address_field, to_addresses(config.trusted_proxies)};
    static_assert(config::kDevicesMax == store::kDevicesPerAccountMax);
    static_assert(config::kTokensMax == store::kTokensPerAccountMax);
    options.devices_max = limits.devices_max;
    options.tokens_max = limits.tokens_max;
}

uint32_t count_cores() {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
    return static_cast<uint32_t>(std::max(1, CPU_COUNT(&cores)));
}

}  // namespace

io::Endpoint to_endpoint(const config::Address& address) {
    return {address.host, address.port, address.unix_path};
}

std::vector<config::Mistake> assemble(const config::Config& config, Assembly& assembly) {
    Builder builder{config, assembly, {}, {}};
    engine::Options& options = assembly.options;
    options.base_url = config.chatsecure.base_url;
    options.pubsub_jid = config.chatsecure.pubsub_jid;
    options.token_lifetime = config.chatsecure.token_lifetime;
    options.account_lifetime = config.chatsecure.account_lifetime;
    options.routes.has_bare_lists = config.chatsecure.has_bare_lists;
    options.ack_wait = config.ack_wait;
    options.acks_at_once = config.acks_at_once;
    options.request_timeout = config.request_timeout;
    options.idle_timeout = config.idle_timeout;
    options.drain_timeout = config.drain_timeout;
    options.upstreams_max = config.upstreams_max;
    options.connections_max = config.connections_max;
    options.jobs_max = config.jobs_max;
    set_limits(config, options);
    options.workers =
        config.workers != 0 ? config.workers : std::min(count_cores(), config::kWorkersMax);
    options.resend_interval = to_interval(config.resend_rate, options.workers);
    for (const config::Listen& listen : config.listen) builder.add_listener(listen);
    for (const config::App& app : config.apps) builder.add_app(app);
    if (config.feedback.has_webhook()) builder.add_webhook(config.feedback);
    return std::move(builder.mistakes);
}

}  // namespace knuckle::app
