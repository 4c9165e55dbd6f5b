// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/supervisor.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <sys/resource.h>
#include <utility>
#include <vector>

#include "app/admin.h"
#include "app/assembly.h"
#include "app/certificate_board.h"
#include "app/describe.h"
#include "app/feedback_page.h"
#include "app/lane_board.h"
#include "app/mint_times.h"
#include "app/open_store.h"
#include "app/password_thread.h"
#include "app/sd_notify.h"
#include "app/version.h"
#include "app/webhook.h"
#include "app/worker_thread.h"
#include "base/log.h"
#include "base/memory.h"
#include "crypto/random.h"
#include "engine/serials.h"
#include "metrics/render.h"
#include "net/listener.h"
#include "net/mailbox.h"
#include "net/signals.h"
#include "store/chores.h"
#include "store/commit_thread.h"
#include "store/committer.h"
#include "store/env.h"
#include "store/reseal.h"
#include "store/snapshot.h"
#include "store/sweep.h"

namespace knuckle::app {

namespace {

// One line for the person at the terminal or the journal: what failed, on what, why. Always false.
bool give_up(const std::string& what, const std::string& subject, Error error) {
    log::error("cannot_start")
        .field("what", what)
        .field("on", subject)
        .field("error", describe(error));
    return false;
}

// What the main loop tells goes to the operator's listener and to the webhook; each knows its own
// connections.
class Desk final : public io::Handler {
public:
    explicit Desk(Admin& admin) : admin_(admin) {}

    // From the start of the loop on, if at all.
    void take(Webhook& webhook) { webhook_ = &webhook; }

    void on_accepted(io::ConnId id,
                     size_t listener,
                     const io::PeerAddress& peer,
                     Now now) override {
        admin_.on_accepted(id, listener, peer, now);
    }
    void on_connected(io::ConnId id, Now now) override {
        if (webhook_ != nullptr) webhook_->on_connected(id, now);
    }
    void on_received(io::ConnId id, MutableBytes bytes, Now now) override {
        admin_.on_received(id, bytes, now);
        if (webhook_ != nullptr) webhook_->on_received(id, bytes, now);
    }
    void on_closed(io::ConnId id, Error why, Now now) override {
        admin_.on_closed(id, why, now);
        if (webhook_ != nullptr) webhook_->on_closed(id, why, now);
    }
    void on_deadline(Now now) override {
        if (admin_.next_deadline() <= now.instant) admin_.on_deadline(now);
        if (webhook_ != nullptr) webhook_->on_deadline(now);
    }
    void before_wait(Now now) override { admin_.before_wait(now); }
    [[nodiscard]] Instant next_deadline() const override {
        const Instant admin = admin_.next_deadline();
        return webhook_ != nullptr ? std::min(admin, webhook_->next_deadline()) : admin;
    }

private:
    Admin& admin_;
    Webhook* webhook_ = nullptr;
};

class Supervisor {
public:
    explicit Supervisor(const config::Config& config)
        : config_(config),
          mint_times_(config.data_dir + "/provider-tokens"),
          admin_loop_({.connections_max = kAdminConnectionsMax + 8}),
          admin_(
              admin_loop_,
              [](void* self, std::string_view path, std::string_view query) {
                  return as_self(self).show(path, query);
              },
              [](void* self, Now now) { as_self(self).on_tick(now); },
              this),
          desk_(admin_),
          reports_(
              admin_loop_,
              kLettersMax,
              [](void* self, Report&& report) { as_self(self).on_report(std::move(report)); },
              this),
          signals_(
              admin_loop_,
              {SIGTERM, SIGINT},
              [](void* self, int number) { as_self(self).on_signal(number); },
              this) {}

    // Everything that can fail, before anything is served.
    [[nodiscard]] bool open(Assembly& assembly);
    int run(const Assembly& assembly);

private:
    static Supervisor& as_self(void* self) { return *static_cast<Supervisor*>(self); }

    [[nodiscard]] bool open_store();
    [[nodiscard]] bool make_workers(Assembly& assembly);
    void keep_mint_times() const;
    [[nodiscard]] bool bind_listeners();
    void start_threads();
    void start_webhook(const WebhookOptions& options);

    void on_signal(int number);
    void on_report(Report&& report);
    void on_committed(std::span<const store::Committed> batch);
    void on_tick(Now now);
    void on_drained(uint32_t worker);
    [[nodiscard]] Page show(std::string_view path, std::string_view query);
    [[nodiscard]] Page show_readiness();
    [[nodiscard]] Page show_metrics();
    [[nodiscard]] Page show_feedback(std::string_view query);

    const config::Config& config_;
    CertificateBoard certificates_;
    MintTimes mint_times_;
    std::vector<std::string> credential_names_;
    const engine::Options* options_ = nullptr;
    net::Loop admin_loop_;
    Admin admin_;
    Desk desk_;
    net::Mailbox<Report> reports_;
    net::Signals signals_;

    std::unique_ptr<store::Env> env_;
    std::string key_path_;
    std::unique_ptr<store::Reader> reader_;
    std::unique_ptr<crypto::SecureRandom> random_;
    std::unique_ptr<store::Committer> committer_;
    std::unique_ptr<store::Resealer> resealer_;
    std::unique_ptr<store::Sweep> sweep_;
    std::unique_ptr<store::Chores> chores_;
    std::unique_ptr<store::CommitThread> commits_;
    std::unique_ptr<PasswordThread> passwords_;
    std::unique_ptr<Webhook> webhook_;
    Office office_;
    LaneBoard lanes_;
    SdNotify sd_notify_;
    std::vector<bool> drained_;
    uint64_t pings_sent_ = 0;
    uint64_t webhook_seed_ = 0;
    Instant next_ping_{};
    UnixTime started_{};
    bool is_stopping_ = false;
};

bool Supervisor::open_store() {
    OpenFailure failure;
    std::optional<OpenedStore> store = app::open_store(config_, failure);
    if (!store) return give_up(failure.what, failure.on, failure.error);
    env_ = std::make_unique<store::Env>(std::move(store->env));
    key_path_ = std::move(store->key_path);
    env_->warm_up();
    reader_ = std::make_unique<store::Reader>(*env_);
    return true;
}

bool Supervisor::make_workers(Assembly& assembly) {
    const Now now = admin_loop_.now();
    mint_times_.load();
    credential_names_ = std::move(assembly.credential_names);
    std::vector<push::ProviderToken> tokens;
    for (push::Credential& credential : assembly.credentials) {
        const std::string& name = credential_names_[tokens.size()];
        Result<push::ProviderToken> token = credential.resume(mint_times_.find(name), now.unix);
        if (!token) return give_up("signing a provider token", config_.data_dir, token.error());
        mint_times_.note(name, token->issued);
        tokens.push_back(std::move(*token));
    }
    keep_mint_times();
    crypto::SecureRandom::Seed seed{};
    if (const Result<void> seeded = crypto::os_random(seed); !seeded) {
        return give_up("asking the kernel for randomness", "getrandom", seeded.error());
    }
    random_ = std::make_unique<crypto::SecureRandom>(seed);
    random_->fill({reinterpret_cast<uint8_t*>(&webhook_seed_), sizeof webhook_seed_});
    const UnixTime serial_epoch = engine::serial_epoch(*reader_, now);
    for (uint32_t i = 0; i < options_->workers; ++i) {
        WorkerThread::Seed worker{.index = i,
                                  .env = *env_,
                                  .serial_epoch = serial_epoch,
                                  .provider_tokens = tokens,
                                  .credentials = {}};
        random_->fill(worker.secret_seed);
        random_->fill({reinterpret_cast<uint8_t*>(&worker.random_seed), sizeof worker.random_seed});
        if (i == 0) worker.credentials = std::move(assembly.credentials);
        office_.workers.push_back(
            std::make_unique<WorkerThread>(office_, *options_, std::move(worker)));
    }
    drained_.resize(options_->workers);
    return true;
}

// A gateway that cannot keep them serves on: Apple minds only if it is also restarted often.
void Supervisor::keep_mint_times() const {
    const Result<void> kept = mint_times_.save();
    if (!kept) log::warning("provider_token_not_kept").field("error", describe(kept.error()));
}

bool Supervisor::bind_listeners() {
    for (const config::Listen& listen : config_.listen) {
        io::Endpoint endpoint = to_endpoint(listen.address);
        Result<int> first = fail(Errc::system, "");
        for (const auto& worker : office_.workers) {
            // A Unix socket is bound once and shared; TCP sockets are bound per worker, on the port
            // of the first.
            const bool is_first = worker == office_.workers.front();
            Result<int> fd = endpoint.is_unix() && !is_first ? net::duplicate(*first)
                                                             : net::bind_listener(endpoint);
            if (!fd) return give_up("listening", endpoint.text(), fd.error());
            if (is_first && endpoint.port == 0 && !endpoint.is_unix())
                endpoint.port = net::bound_port(*fd);
            if (is_first) first = Result<int>(*fd);
            if (const Result<void> result = worker->listen(*fd, endpoint.is_unix()); !result) {
                return give_up("listening", endpoint.text(), result.error());
            }
        }
        log::notice("listening")
            .field("on", endpoint.text())
            .field("tls", listen.tls_certificate.empty() ? "no" : "yes");
    }
    io::Endpoint admin = to_endpoint(config_.admin);
    const Result<int> fd = net::bind_listener(admin);
    if (!fd) return give_up("listening for the operator", admin.text(), fd.error());
    if (const Result<void> result = admin_loop_.listen(*fd, admin.is_unix()); !result) {
        return give_up("listening for the operator", admin.text(), result.error());
    }
    if (admin.port == 0) admin.port = net::bound_port(*fd);
    log::notice("admin_listening").field("on", admin.text());
    return true;
}

bool Supervisor::open(Assembly& assembly) {
    options_ = &assembly.options;
    lanes_.reset(assembly.options);
    certificates_.reset(std::move(assembly.certificates));
    office_.context = this;
    office_.submit_write = [](void* self, store::Write&& write) {
        return as_self(self).commits_->submit(std::move(write));
    };
    office_.submit_password = [](void* self, engine::PasswordTask&& task) {
        return as_self(self).passwords_->submit(std::move(task));
    };
    office_.report = [](void* self, Report&& report) {
        static_cast<void>(as_self(self).reports_.post(std::move(report)));
    };
    const bool is_open = open_store() && make_workers(assembly) && bind_listeners();
    if (!is_open) {
        signals_.close();
        reports_.close();
        admin_loop_.stop();
        admin_loop_.run(desk_);
    }
    return is_open;
}

void Supervisor::start_threads() {
    committer_ = std::make_unique<store::Committer>(
        *env_,
        *random_,
        store::PendingLimits{config_.limits.pending_max, config_.limits.pending_bytes_max});
    resealer_ = std::make_unique<store::Resealer>(*env_, *random_, key_path_);
    sweep_ = std::make_unique<store::Sweep>(*env_, *committer_, options_->account_lifetime);
    chores_ = std::make_unique<store::Chores>(*resealer_, *sweep_, admin_loop_.now().instant);
    commits_ = std::make_unique<store::CommitThread>(
        *committer_,
        [](void* self, std::span<const store::Committed> batch) {
            as_self(self).on_committed(batch);
        },
        this,
        store::kRetryAfter,
        chores_.get());
    passwords_ = std::make_unique<PasswordThread>(
        [](void* self, uint32_t worker, engine::PasswordChecked&& checked) {
            as_self(self).office_.workers[worker]->post(engine::Message(std::move(checked)));
        },
        this);
    for (const auto& worker : office_.workers) worker->start();
}

void Supervisor::start_webhook(const WebhookOptions& options) {
    webhook_ = std::make_unique<Webhook>(
        options,
        admin_loop_,
        admin_loop_.chunks(),
        *reader_,
        [](void* self, store::Write&& write) {
            return as_self(self).commits_->submit(std::move(write));
        },
        this,
        webhook_seed_);
    desk_.take(*webhook_);
}

int Supervisor::run(const Assembly& assembly) {
    started_ = admin_loop_.now().unix;
    hasten_freed_memory();
    start_threads();
    if (assembly.webhook) start_webhook(*assembly.webhook);
    log::notice("serving").field("version", version()).field("workers", options_->workers);
    sd_notify_.ready();
    admin_loop_.run(desk_);
    for (const auto& worker : office_.workers) worker->join();
    passwords_->stop();
    commits_->stop();
    log::notice("stopped");
    return 0;
}

// On the commit thread: to each worker what it waits for.
void Supervisor::on_committed(std::span<const store::Committed> batch) {
    std::vector<engine::WritesCommitted> letters(office_.workers.size());
    for (const store::Committed& write : batch) letters[write.worker].writes.push_back(write);
    for (size_t i = 0; i < letters.size(); ++i) {
        if (!letters[i].writes.empty())
            office_.workers[i]->post(engine::Message(std::move(letters[i])));
    }
}

void Supervisor::on_signal(int number) {
    if (is_stopping_) return;
    is_stopping_ = true;
    // NOLINT(concurrency-mt-unsafe): main thread only
    log::notice("stopping").field("signal", ::sigdescr_np(number));
    sd_notify_.stopping();
    for (const auto& worker : office_.workers) worker->post(engine::Message(engine::Drain{}));
}

void Supervisor::on_report(Report&& report) {
    if (const auto* const lane = std::get_if<engine::LaneReport>(&report)) {
        lanes_.update(*lane);
    } else if (const auto* const minted = std::get_if<TokenMinted>(&report)) {
        mint_times_.note(credential_names_[minted->credential], minted->issued);
        keep_mint_times();
    } else {
        on_drained(std::get<Drained>(report).worker);
    }
}

void Supervisor::on_drained(uint32_t worker) {
    if (drained_[worker]) return;
    drained_[worker] = true;
    office_.workers[worker]->post(Stop{});
    for (const bool is_drained : drained_) {
        if (!is_drained) return;
    }
    signals_.close();
    reports_.close();
    admin_loop_.stop();
}

// Keeps systemd's watchdog quiet only while every worker comes round to its letters.
void Supervisor::on_tick(Now now) {
    certificates_.on_tick(now);
    const Duration interval = sd_notify_.watchdog_interval();
    if (interval == Duration{} || now.instant < next_ping_) return;
    next_ping_ = now.instant + interval;
    bool is_alive = true;
    for (const auto& worker : office_.workers) is_alive &= worker->pings_answered() >= pings_sent_;
    if (!is_alive) return;
    sd_notify_.watchdog();
    if (is_stopping_) return;
    ++pings_sent_;
    for (const auto& worker : office_.workers) worker->post(Ping{});
}

Page Supervisor::show(std::string_view path, std::string_view query) {
    if (path == "/healthz") return {.status = 200, .body = "ok\n"};
    if (path == "/readyz") return show_readiness();
    if (path == "/metrics") return show_metrics();
    if (path == "/feedback") return show_feedback(query);
    return {};
}

Page Supervisor::show_feedback(std::string_view query) {
    Page page{.status = 400, .content_type = "application/json", .body = {}};
    FeedbackQuery asked;
    page.body = parse_feedback_query(query, asked);
    if (!page.body.empty()) return page;
    store::FeedbackPage feedback;
    const store::Lookup lookup =
        reader_->snapshot().read_feedback(asked.after, asked.limit, feedback);
    FeedbackAnswer answer = answer_feedback(asked, lookup, feedback);
    page.status = answer.status;
    page.body = std::move(answer.body);
    return page;
}

Page Supervisor::show_readiness() {
    std::string problems = lanes_.problems();
    if (commits_->counts().is_read_only.load())
        problems += "store: read-only, the last commit failed\n";
    if (is_stopping_) problems += "stopping\n";
    // Worth knowing, but no reason to send traffic elsewhere.
    const std::string notice = certificates_.notice(admin_loop_.now().unix);
    if (problems.empty()) return {.status = 200, .body = "ready\n" + notice};
    return {.status = 503, .body = problems + notice};
}

Page Supervisor::show_metrics() {
    std::vector<const metrics::Counters*> counters;
    counters.reserve(office_.workers.size());
    for (const auto& worker : office_.workers) counters.push_back(&worker->counters());
    std::vector<std::string_view> outcomes;
    outcomes.reserve(push::kOutcomeCount);
    for (size_t i = 0; i < push::kOutcomeCount; ++i) {
        outcomes.push_back(push::name_of(static_cast<push::Outcome>(i)));
    }
    const store::CommitCounts& commits = commits_->counts();
    metrics::Process process;
    process.version = version();
    process.started = started_;
    process.is_ready = show_readiness().status == 200;
    process.commits = commits.commits.load();
    process.commit_failures = commits.failures.load();
    process.writes = commits.writes.load();
    process.is_store_read_only = commits.is_read_only.load();
    const store::SweepCounts& swept = sweep_->counts();
    process.expired_tokens = swept.tokens.get();
    process.expired_accounts = swept.accounts.get();
    process.damaged_rows = swept.damaged.get();
    process.resealed_rows = resealer_->counts().resealed.get();
    process.is_key_retiring = resealer_->is_under_way();
    store::FeedbackPage feedback;
    process.has_feedback_log =
        is_readable(reader_->snapshot().read_feedback(0, 1, feedback), feedback);
    process.feedback_events = feedback.last;
    if (webhook_ != nullptr) {
        const WebhookCounts& webhook = webhook_->counts();
        process.webhook_delivered = webhook.delivered.get();
        process.webhook_failed = webhook.failed.get();
        if (const auto backlog = webhook_->backlog(admin_loop_.now().unix)) {
            process.webhook_unsent = backlog->events;
            process.webhook_unsent_age = backlog->oldest;
        } else {
            process.has_feedback_log = false;
        }
    }
    for (const OwnCertificate& each : certificates_.certificates())
        process.certificates.push_back({each.name, each.not_after});
    const store::PendingCounts& pending = committer_->pending_counts();
    process.pending_rows = pending.rows.get();
    process.pending_bytes = pending.bytes.get();
    if (const uint64_t oldest = pending.oldest.get(); oldest != 0) {
        const Duration age =
            admin_loop_.now().unix - from_unix_seconds(static_cast<int64_t>(oldest));
        process.pending_age = std::max(age, Duration{});
    }
    return {.status = 200,
            .content_type = metrics::kContentType,
            .body = metrics::render(counters, outcomes, process)};
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

// Names are looked up by libuv's threads, which all loops share and which are started by the first
// look-up. With the usual four, a resolver that does not answer for one provider's name would keep
// the dials to the others waiting.
void widen_resolver() {
    constexpr int kKeepTheOperators = 0;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread yet
    static_cast<void>(::setenv("UV_THREADPOOL_SIZE", "16", kKeepTheOperators));
}

log::Level to_level(const std::string& name) {
    if (name == "error") return log::Level::error;
    if (name == "warning") return log::Level::warning;
    if (name == "notice") return log::Level::notice;
    return name == "debug" ? log::Level::debug : log::Level::info;
}

}  // namespace

int serve(const std::string& config_path, const config::Config& config) {
    log::set_level(to_level(config.log_level));
    // a peer that is gone is an error of the write, not the end of the process
    ::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    widen_resolver();
    Assembly assembly;
    const std::vector<config::Mistake> mistakes = assemble(config, assembly);
    for (const config::Mistake& mistake : mistakes) {
        log::error("cannot_start").field("error", config::describe(config_path, mistake));
    }
    if (!mistakes.empty()) return 1;
    Supervisor supervisor(config);
    return supervisor.open(assembly) ? supervisor.run(assembly) : 1;
}

}  // namespace knuckle::app
