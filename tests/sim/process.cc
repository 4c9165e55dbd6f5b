// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/process.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "base/assert.h"
#include "engine/serials.h"
#include "push/credential.h"
#include "tests/sim/provider.h"

namespace knuckle::sim {

namespace {

// P-256, PKCS#8; made for this and good for nothing else.
constexpr std::string_view kKey =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjmlG1eImc4Q23kYj\n"
    "MAIpshzoAf0+93taSHRqXFO91PahRANCAARf+djs8oTniIVckizCe8rRHlAWW6Qy\n"
    "u0uIVIeqqA3qQrOzbOQ1KmpLM3YDFsajxS2IjL/8TrStsGF9LvglLwSq\n"
    "-----END PRIVATE KEY-----\n";

crypto::Es256Signer load_signer() {
    auto signer = crypto::Es256Signer::load(kKey);
    KNUCKLE_ASSERT(signer.has_value());
    return std::move(*signer);
}

}  // namespace

// One worker and what it says to the others.
class Process::Desk final : public engine::Outbox {
public:
    Desk(Process& process, uint32_t index)
        : process_(process), seat(process.network_, index), index_(index) {}

    void post(engine::Message&& message) {
        letters_.push_back(std::move(message));
        if (letters_.size() > 1) return;
        process_.events_.after(process_.swarm_.span(process_.swarm_.latency_max),
                               [this] { open_letters(); });
    }
    void open_letters() {
        if (worker == nullptr) return;
        for (engine::Message& letter : std::exchange(letters_, {})) {
            if (worker == nullptr) return;
            seat.is_awake = true;
            worker->on_message(std::move(letter), process_.events_.now());
        }
    }

    bool submit(store::Write&& write) override {
        if (seat.is_dead()) return false;
        if (process_.writes_.size() >= process_.swarm_.queue_max && !process_.swarm_.is_calm())
            return false;
        if (process_.swarm_.has(Fault::queue_full)) return false;
        process_.book_.submit(write);
        process_.writes_.push_back(std::move(write));
        process_.schedule_commit();
        return true;
    }
    bool submit(engine::PasswordTask&&) override { return false; }
    void publish(size_t credential, const push::ProviderToken& token) override {
        if (seat.is_dead()) return;
        process_.book_.mint(token);
        for (const auto& desk : process_.desks_) {
            if (desk.get() != this) desk->post(engine::ProviderTokenRenewed{credential, token});
        }
    }
    void ask_token(size_t credential, push::TokenFault fault) override {
        if (!seat.is_dead())
            process_.desks_.front()->post(engine::ReplaceProviderToken{credential, fault});
    }
    void report(const engine::LaneReport& report) override {
        if (seat.is_dead()) return;
        process_.trace_.note("worker %u lane %u is %s: %s",
                             index_,
                             report.lane,
                             report.is_ready ? "ready" : "not ready",
                             report.why.what);
        is_ready.resize(std::max<size_t>(is_ready.size(), report.lane + 1u));
        is_ready[report.lane] = report.is_ready;
    }
    void drained() override {
        if (seat.is_dead()) return;
        process_.book_.check(!std::exchange(has_drained, true), "a worker drained twice");
        process_.events_.after(process_.swarm_.span(process_.swarm_.latency_max),
                               [this] { process_.on_drained(); });
    }

private:
    Process& process_;

public:
    Seat seat;
    ChunkPool chunks;
    metrics::Counters counters;
    std::unique_ptr<engine::Worker> worker;
    std::vector<bool> is_ready;
    bool has_drained = false;

private:
    uint32_t index_;
    std::vector<engine::Message> letters_;
};

Process::Process(
    Events& events, Swarm& swarm, Network& network, Disk& disk, Book& book, Trace& trace)
    : events_(events), swarm_(swarm), network_(network), disk_(disk), book_(book), trace_(trace) {
    for (size_t i = 0; i < swarm.apps; ++i) {
        const std::string name = app_name(i);
        options_.apps.push_back(
            {.name = name, .lane = static_cast<uint16_t>(i), .low_style = push::Style::background});
        options_.lanes.push_back({.name = name,
                                  .service = {.authority = "localhost",
                                              .topic = "org.example." + name,
                                              .collapse_id = "knock",
                                              .expiration = swarm.expiration},
                                  .endpoint = {name, 443, {}},
                                  .server_name = "localhost"});
        options_.routes.apps.push_back({name, {}});
    }
    for (size_t i = 0; swarm.has_twins && i < swarm.apps; ++i) {
        engine::LaneOptions twin = options_.lanes[i];
        twin.environment = push::Environment::sandbox;
        twin.endpoint.port = kSandboxPort;
        twin.twin = static_cast<uint16_t>(i);
        options_.lanes[i].twin = static_cast<uint16_t>(options_.lanes.size());
        options_.lanes.push_back(std::move(twin));
    }
    options_.listeners.push_back({});
    options_.base_url = "https://push.example.org/api/v1/";
    options_.ack_wait = swarm.ack_wait;
    options_.jobs_max = swarm.jobs_max;
    options_.connections_max = swarm.connections_max;
    options_.workers = swarm.workers;
    using engine::Limit;
    if (swarm.token_limit > 0)
        options_.limits.set(Limit::knocks_per_token,
                            engine::rate_of(swarm.token_limit, minutes(1)));
    if (swarm.window > Duration{})
        options_.limits.set(Limit::alert_window, engine::rate_of(1, swarm.window));
    if (swarm.unseen_window > Duration{})
        options_.limits.set(Limit::background_window, engine::rate_of(1, swarm.unseen_window));
    if (swarm.account_limit > 0) {
        options_.limits.set(Limit::knocks_per_account,
                            engine::rate_of(swarm.account_limit, minutes(1)));
    }
}

Process::~Process() {
    if (!is_over_) crash();
}

void Process::start() {
    book_.begin_life();
    trace_.note("process %u starts", book_.life());
    const Now now = events_.now();
    push::Credential credential(load_signer(), "ABC123DEFG", "DEF123GHIJ");
    const auto token = credential.renew(now.unix);
    KNUCKLE_ASSERT(token.has_value());
    book_.mint(*token);
    const UnixTime serial_epoch = engine::serial_epoch(disk_.reader(), now);
    for (uint32_t i = 0; i < swarm_.workers; ++i) {
        desks_.push_back(std::make_unique<Desk>(*this, i));
        Desk& desk = *desks_.back();
        engine::World world{.worker = i,
                            .io = desk.seat,
                            .outbox = desk,
                            .chunks = desk.chunks,
                            .counters = desk.counters,
                            .env = disk_.env(),
                            .serial_epoch = serial_epoch,
                            .random_seed = swarm_.below(UINT64_MAX),
                            .secret_seed = {},
                            .provider_tokens = {*token},
                            .credentials = {}};
        for (uint8_t& byte : world.secret_seed) byte = static_cast<uint8_t>(swarm_.below(256));
        if (i == 0) world.credentials.push_back(std::move(credential));
        desk.worker = std::make_unique<engine::Worker>(options_, std::move(world));
        desk.seat.sit(*desk.worker);
    }
    for (const auto& desk : desks_) {
        desk->worker->start(now);
        desk->seat.is_awake = true;
    }
}

void Process::wake() {
    const Now now = events_.now();
    for (const auto& desk : desks_) {
        if (desk->worker == nullptr) continue;
        if (desk->worker->next_deadline() <= now.instant) {
            desk->worker->on_deadline(now);
            desk->seat.is_awake = true;
        }
        desk->seat.turn = events_.take_sequence();
        if (std::exchange(desk->seat.is_awake, false)) desk->worker->before_wait(now);
        const uint64_t jobs =
            desk->counters.jobs_waiting.get() + desk->counters.jobs_in_flight.get();
        book_.check(jobs <= options_.jobs_max, "more pushes in hand than jobs_max");
    }
}

Instant Process::next_deadline() const {
    Instant next = kNever;
    for (const auto& desk : desks_) {
        if (desk->worker != nullptr) next = std::min(next, desk->worker->next_deadline());
    }
    return next;
}

Seat* Process::pick_seat() {
    if (is_over_ || is_draining_ || desks_.empty()) return nullptr;
    return &desks_[swarm_.below(desks_.size())]->seat;
}

Seat& Process::seat(uint32_t worker) { return desks_[worker]->seat; }

bool Process::is_ready() const {
    return std::ranges::all_of(desks_, [this](const auto& desk) {
        return desk->is_ready.size() == options_.lanes.size() &&
               std::ranges::all_of(desk->is_ready, [](bool is) { return is; });
    });
}

uint64_t Process::sum(uint64_t (*of)(const metrics::Counters&)) const {
    uint64_t total = 0;
    for (const auto& desk : desks_) total += of(desk->counters);
    return total;
}

// ---- the disk ----

void Process::schedule_commit() {
    if (std::exchange(is_commit_scheduled_, true)) return;
    const Duration delay =
        swarm_.has(Fault::slow_commit) ? swarm_.span(seconds(20)) : swarm_.span(swarm_.commit_max);
    events_.after(delay, [this] {
        is_commit_scheduled_ = false;
        if (!is_over_) commit();
    });
}

void Process::commit() {
    if (writes_.empty()) return;
    const std::vector<store::Write> batch = std::exchange(writes_, {});
    std::vector<store::WriteStatus> statuses(batch.size(), store::WriteStatus::failed);
    const Instant now = events_.now().instant;
    if (swarm_.has(Fault::commit_failed)) broken_until_ = now + swarm_.span(minutes(1));
    const bool is_broken = broken_until_ > now && !swarm_.is_calm();
    if (!is_broken)
        book_.check(disk_.apply(batch, statuses).has_value(), "a batch could not be committed");
    trace_.note("%zu writes %s", batch.size(), is_broken ? "failed" : "committed");
    book_.look_at_disk();
    std::vector<store::Committed> done;
    for (size_t i = 0; i < batch.size(); ++i) {
        if (batch[i].ticket != 0) done.push_back({batch[i].ticket, batch[i].worker, statuses[i]});
    }
    deliver_commits(done);
}

void Process::deliver_commits(const std::vector<store::Committed>& done) {
    std::vector<engine::WritesCommitted> letters(desks_.size());
    for (const store::Committed& write : done) letters[write.worker].writes.push_back(write);
    for (size_t i = 0; i < letters.size(); ++i) {
        if (!letters[i].writes.empty()) desks_[i]->post(std::move(letters[i]));
    }
}

// ---- the end ----

void Process::drain() {
    if (std::exchange(is_draining_, true)) return;
    trace_.note("process is told to stop");
    for (const auto& desk : desks_) desk->post(engine::Drain{});
}

// One worker is done; when all are, so is the process.
void Process::on_drained() {
    if (is_over_) return;
    const auto has_drained = [](const auto& desk) { return desk->has_drained; };
    for (const auto& desk : desks_) {
        if (!desk->has_drained || desk->worker == nullptr) continue;
        desk->worker->end(events_.now());
        book_.check(desk->seat.wires_open() == 0, "a worker ended and left a connection");
        desk->worker.reset();
        book_.check(desk->chunks.taken() == 0, "a worker ended and left a buffer");
    }
    if (!std::ranges::all_of(desks_, has_drained)) return;
    commit();
    end();
    trace_.note("process stopped");
}

// What a dying process still does has no effect: its seats are dead.
void Process::crash() {
    if (is_over_) return;
    trace_.note("process crashes");
    writes_.clear();
    for (const auto& desk : desks_) desk->seat.die();
    for (const auto& desk : desks_) {
        if (desk->worker == nullptr) continue;
        desk->worker->end(events_.now());
        desk->worker.reset();
    }
    end();
}

void Process::end() {
    is_over_ = true;
    writes_.clear();
}

}  // namespace knuckle::sim
