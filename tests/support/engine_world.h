// SPDX-License-Identifier: GPL-3.0-or-later
// One worker and everything it can meet, in memory and in virtual time: clients, a provider behind
// real TLS and HTTP/2, a real store, a disk that obeys, passwords, messages.
//
//     EngineWorld world;                      serving; the provider answers every push with 200
//     const Token token = world.phone("anna").token;
//     Client& bob = world.connect();
//     bob.says(knock(token));  world.run();
//     bob.statuses() == std::vector{202};
//     world.pass(seconds(2));                 moves the time from deadline to deadline
//     world.leave();                          drains, ends, and checks that nothing is left
//
// A turn is what net::Loop makes of it: messages, dials, bytes, ends, deadline, before_wait(). What
// the worker says in one turn arrives at the far ends after it, and their answers in the next.
// `pieces` cuts what arrives, in both directions. Nothing here reads a clock; only TLS draws luck
// of its own, so bytes on the wire differ from run to run while what they say does not.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/buffer.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "crypto/jwt.h"
#include "engine/options.h"
#include "engine/outbox.h"
#include "engine/serials.h"
#include "engine/worker.h"
#include "io/io.h"
#include "metrics/counters.h"
#include "push/credential.h"
#include "store/committer.h"
#include "tests/mock/http2_server.h"
#include "tests/support/certificates.h"
#include "tests/support/store_shelf.h"
#include "tls/context.h"
#include "tls/engine.h"

namespace knuckle::test {

inline std::string take_all(Buffer& buffer) {
    std::string bytes;
    buffer.for_each_view([&bytes](ByteView view) { bytes.append(as_text(view)); });
    buffer.clear();
    return bytes;
}

// A real store on a memory file system, if there is one: how a disk syncs is no matter here.
inline std::unique_ptr<store::Shelf> make_shelf() {
    static const bool has_memory = ::access("/dev/shm", W_OK) == 0;
    if (has_memory) ::setenv("TMPDIR", "/dev/shm", 0);
    return std::make_unique<store::Shelf>();
}

// ---- what clients say ----

inline std::string request(std::string_view method,
                           std::string_view path,
                           std::string_view body = {},
                           std::string_view fields = {}) {
    std::string text = std::string(method) + " /api/v1/" + std::string(path) + " HTTP/1.1\r\n";
    text += "Host: push.example.org\r\n" + std::string(fields);
    if (!body.empty()) {
        text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n";
    }
    return text + "\r\n" + std::string(body);
}

inline std::string authorized(const std::string& auth_token) {
    return "Authorization: Token " + auth_token + "\r\n";
}

inline std::string knock(const store::Token& token, std::string_view fields = {}) {
    return request("POST", "messages/", R"({"token":")" + token.text + R"("})", fields);
}

struct HttpAnswer {
    int status = 0;
    std::string head;
    std::string body;

    // The value of a field by its exact name, or empty.
    [[nodiscard]] std::string field(const std::string& name) const {
        const size_t at = head.find("\r\n" + name + ": ");
        if (at == std::string::npos) return {};
        const size_t begin = at + name.size() + 4;
        return head.substr(begin, head.find("\r\n", begin) - begin);
    }
    // The text of a string member of the JSON in the body, by its name.
    [[nodiscard]] std::string member(const std::string& name) const {
        const size_t at = body.find("\"" + name + "\":\"");
        if (at == std::string::npos) return {};
        const size_t begin = at + name.size() + 4;
        return body.substr(begin, body.find('"', begin) - begin);
    }
};

// What TLS needs, made once.
struct Credentials {
    static const Credentials& get() {
        static const Credentials one;
        return one;
    }

    Authority authority = make_authority();
    Identity identity = issue_server(authority, {"localhost", "push.example.org"});
    Identity provider_key = issue_client(authority, "provider");
    tls::Context provider = store::must(tls::Context::server(
        {.certificate_pem = identity.certificate_pem, .key_pem = identity.key_pem, .alpn = "h2"}));
    tls::Context gateway_out =
        store::must(tls::Context::client({.ca_pem = authority.certificate_pem, .alpn = "h2"}));
    tls::Context gateway_in =
        store::must(tls::Context::server({.certificate_pem = identity.certificate_pem,
                                          .key_pem = identity.key_pem,
                                          .alpn = "http/1.1"}));
    tls::Context client =
        store::must(tls::Context::client({.ca_pem = authority.certificate_pem, .alpn = {}}));
};

// ---- the far ends ----

// One connection between the worker and somebody.
struct Wire {
    io::ConnId id;
    bool is_up = false;  // false: being dialed
    bool is_paused = false;
    bool is_outgoing = false;
    std::string host;   // outgoing: whom it is to
    bool reads = true;  // false: what the worker sends stays with the kernel, see unsent()
    std::string arriving;
    std::string unread;
    std::optional<Error> end;  // after what arrives: the far end is gone
    bool is_stale = false;     // nobody may use the id any more
    bool is_finished = false;  // by the worker, last words said
    bool is_closed = false;    // by the worker, or by its finish()
};

// Somebody who knocks, or registers.
class Client {
public:
    Client(ChunkPool& chunks, Wire& connection, bool has_tls) : wire(connection), sealed_(chunks) {
        if (has_tls) {
            tls_ =
                std::make_unique<tls::Engine>(Credentials::get().client,
                                              tls::EngineOptions{.server_name = "push.example.org"},
                                              sealed_);
            REQUIRE(tls_->start());
            wire.arriving += take_all(sealed_);
        }
    }

    void says(std::string_view text) {
        if (tls_ == nullptr) {
            wire.arriving += text;
        } else if (!tls_->is_ready()) {
            unsaid_ += text;
        } else {
            REQUIRE(tls_->seal(as_bytes(text)));
            wire.arriving += take_all(sealed_);
        }
    }
    void hangs_up() { wire.end = fail(Errc::unavailable, "the peer closed the connection"); }
    // TLS: nothing more will come from here.
    void says_goodbye() {
        tls_->close();
        wire.arriving += take_all(sealed_);
    }
    void stops_reading() { wire.reads = false; }
    void reads_on() { wire.reads = true; }

    // All answers but "100 Continue", in order of arrival.
    [[nodiscard]] std::vector<HttpAnswer> answers() const {
        std::vector<HttpAnswer> found;
        std::string_view rest = heard;
        while (!rest.empty()) {
            const size_t end = rest.find("\r\n\r\n");
            if (end == std::string_view::npos) break;
            HttpAnswer answer;
            answer.head = rest.substr(0, end + 2);
            answer.status = std::stoi(answer.head.substr(9, 3));
            rest.remove_prefix(end + 4);
            const std::string length = answer.field("Content-Length");
            const size_t size = length.empty() || is_asking_for_heads ? 0 : std::stoul(length);
            if (rest.size() < size) break;
            answer.body = rest.substr(0, size);
            rest.remove_prefix(size);
            if (answer.status >= 200) found.push_back(answer);
        }
        return found;
    }
    [[nodiscard]] std::vector<int> statuses() const {
        std::vector<int> found;
        for (const HttpAnswer& answer : answers()) found.push_back(answer.status);
        return found;
    }
    [[nodiscard]] HttpAnswer last() const {
        const std::vector<HttpAnswer> all = answers();
        REQUIRE(!all.empty());
        return all.back();
    }
    [[nodiscard]] bool is_cut_off() const { return wire.is_closed; }

    // Takes what the worker sent. What is to be said back arrives in the next turn.
    void take(std::string_view bytes) {
        if (tls_ == nullptr) {
            heard += bytes;
            return;
        }
        tls_->feed(as_bytes(bytes));
        std::array<uint8_t, 16 * 1024> plain;
        for (;;) {
            const Result<size_t> size = tls_->open(plain);
            if (!size || *size == 0) break;
            heard += as_text({plain.data(), *size});
        }
        if (tls_->is_ready() && !unsaid_.empty()) says(std::exchange(unsaid_, {}));
        wire.arriving += take_all(sealed_);
    }

    Wire& wire;
    std::string heard;
    bool is_asking_for_heads = false;

private:
    Buffer sealed_;
    std::unique_ptr<tls::Engine> tls_;
    std::string unsaid_;  // until the handshake is done
};

// A push as the provider got it.
struct ArrivedPush {
    size_t connection = 0;  // counted from 1
    int32_t stream = 0;
    std::string authority;
    std::string device;  // the token in the path
    std::string id;
    std::string authorization;
    std::string payload;
    bool is_answered = false;  // or its stream was reset
};

struct ProviderAnswer {
    uint16_t status = 200;
    std::string reason = {};
    std::optional<int64_t> timestamp_ms = {};
    std::string retry_after = {};
};

// The provider's end of one connection.
struct ProviderEnd {
    ProviderEnd(ChunkPool& chunks, Wire& connection, size_t count, uint32_t streams_max)
        : wire(connection),
          number(count),
          plain(chunks),
          sealed(chunks),
          tls(Credentials::get().provider, {}, sealed),
          http2({.streams_max = streams_max}) {}

    Wire& wire;
    size_t number;
    std::string inbox;
    Buffer plain;
    Buffer sealed;
    tls::Engine tls;
    mock::Http2Server http2;
    bool is_stalled = false;  // reads nothing, says nothing
};

enum class Dials { succeed, refused, hang };

struct Phone {
    store::Account account;
    store::Device device;
    store::Token token;
};

// ---- the world ----

class EngineWorld : public io::Io, public engine::Outbox {
public:
    struct Setup {
        Setup() {
            options.apps.push_back({.name = "chat", .lane = 0});
            options.lanes.push_back({.name = "chat",
                                     .service = {.authority = "localhost",
                                                 .topic = "org.example.chat",
                                                 .collapse_id = "knock"},
                                     .endpoint = {"localhost", 443, {}},
                                     .server_name = "localhost",
                                     .tls = &Credentials::get().gateway_out});
            options.listeners.push_back({});
            options.listeners.push_back({&Credentials::get().gateway_in});
            options.routes.apps.push_back({"chat", {}});
            options.base_url = "https://push.example.org/api/v1/";
            options.upstreams_max = 1;
            options.jobs_max = 64;
            options.connections_max = 64;
        }
        // The app is built by Xcode as well: the lane gets a twin, "sandbox".
        void add_twin() {
            engine::LaneOptions twin = options.lanes[0];
            twin.environment = push::Environment::sandbox;
            twin.service.authority = "sandbox";
            twin.twin = 0;
            options.lanes[0].twin = 1;
            options.lanes.push_back(std::move(twin));
        }

        engine::Options options;
        uint32_t worker = 0;
        uint64_t seed = 1;
        Dials dials = Dials::succeed;
        bool is_started = true;  // and has its connection to the provider
    };

    explicit EngineWorld(const Setup& setup = Setup()) : EngineWorld(setup, nullptr) {}
    // In front of a store that others use, or used, too.
    EngineWorld(const Setup& setup, store::Shelf& others) : EngineWorld(setup, &others) {}
    virtual ~EngineWorld() {
        if (worker != nullptr) end();
    }

    void start() {
        const Credentials& credentials = Credentials::get();
        auto signer = crypto::Es256Signer::load(credentials.provider_key.key_pem);
        REQUIRE(signer);
        engine::World seed{.worker = setup_.worker,
                           .io = *this,
                           .outbox = *this,
                           .chunks = chunks,
                           .counters = counters,
                           .env = shelf.env(),
                           .serial_epoch = engine::serial_epoch(shelf.reader(), now),
                           .random_seed = setup_.seed,
                           .secret_seed = {static_cast<uint8_t>(setup_.seed),
                                           static_cast<uint8_t>(setup_.seed >> 8),
                                           static_cast<uint8_t>(setup_.worker)},
                           .provider_tokens = {},
                           .credentials = {}};
        push::Credential credential(std::move(*signer), "ABC123DEFG", "DEF123GHIJ");
        seed.provider_tokens.push_back(*credential.renew(now.unix));
        if (setup_.worker == 0) seed.credentials.push_back(std::move(credential));
        worker = std::make_unique<engine::Worker>(setup_.options, std::move(seed));
        worker->start(now);
        run();
    }

    // What a supervisor does at the end; the clients' connections go with it.
    void end() {
        worker->end(now);
        deliver_to_far_ends();
        CHECK(wires_open() == 0);
        worker.reset();
        messages_.clear();
    }
    // The process dies: nothing that is not on disk yet will ever be.
    void crash() {
        is_dead_ = true;
        writes_.clear();
        for (const auto& wire : wires_) wire->reads = false;
        end();
        is_dead_ = false;
    }
    // Drains until drained() is said, then ends.
    void drain() {
        messages_.push_back(engine::Drain{});
        run();
    }
    void leave() {
        drain();
        if (drained_count == 0) pass(setup_.options.drain_timeout);
        CHECK(drained_count == 1);
        end();
        CHECK(counters.connections_open.get() == 0);
    }

    // ---- people ----

    // An account with one phone, which the provider knows, and one token to knock with.
    Phone phone(const std::string& name) { return phone(name, store::ProvenIn::production); }
    // One that the provider has not heard of, as far as we know.
    Phone new_phone(const std::string& name) { return phone(name, store::ProvenIn::nowhere); }
    Phone phone(const std::string& name, store::ProvenIn proven_in) {
        const store::Account account = shelf.has(store::an_account(name));
        store::Device device = store::a_device(account, name);
        device.proven_in = proven_in;
        device = shelf.has(device);
        return {account, device, shelf.has(store::a_token(device, name))};
    }
    // From this machine, if no address is given.
    Client& connect(bool has_tls = false, std::string_view address = {}) {
        Wire& wire = make_wire();
        wire.is_up = true;
        clients.push_back(std::make_unique<Client>(client_chunks_, wire, has_tls));
        const auto peer = io::parse_peer_address(address);
        REQUIRE(peer.has_value() != address.empty());
        worker->on_accepted(wire.id, has_tls ? 1 : 0, peer.value_or(io::PeerAddress{}), now);
        return *clients.back();
    }
    // One that is there for a single request.
    HttpAnswer ask(std::string_view text, std::string_view address = {}) {
        Client& client = connect(false, address);
        client.says(text);
        run();
        const HttpAnswer answer = client.last();
        client.hangs_up();
        run();
        return answer;
    }

    // ---- the provider ----

    // False if nobody waits for it any more.
    bool answer(ArrivedPush& push, const ProviderAnswer& answer = {}) {
        push.is_answered = true;
        std::string body;
        if (answer.status != 200) {
            body = R"({"reason":")" + answer.reason + "\"";
            if (answer.timestamp_ms)
                body += ",\"timestamp\":" + std::to_string(*answer.timestamp_ms);
            body += "}";
        }
        const mock::Http2Field retry_after{"retry-after", answer.retry_after};
        ProviderEnd& end = provider(push.connection);
        return !end.wire.is_stale &&
               end.http2.respond(push.stream,
                                 {.status = answer.status,
                                  .fields = {&retry_after, answer.retry_after.empty() ? 0u : 1u},
                                  .body = body});
    }
    void answer_all(const ProviderAnswer& with = {}) {
        for (ArrivedPush& push : pushes) {
            if (!push.is_answered) answer(push, with);
        }
        run();
    }
    // RST_STREAM with REFUSED_STREAM: not processed.
    void refuse(ArrivedPush& push) {
        push.is_answered = true;
        provider(push.connection).http2.reset(push.stream, 7);
    }
    // Takes nothing above `last_stream`.
    void goaway(ProviderEnd& end, int32_t last_stream) {
        end.http2.goaway(last_stream, 0, "Shutdown");
        if (!end.is_stalled) serve(end);
    }
    // The provider closes the connection, after what it has to say.
    void hang_up(ProviderEnd& end) {
        if (end.wire.end) return;
        serve(end);
        end.tls.close();
        end.wire.arriving += take_all(end.sealed);
        end.wire.end = fail(Errc::unavailable, "the peer closed the connection");
    }
    // By number, from 1; 0: the newest.
    ProviderEnd& provider(size_t number = 0) {
        REQUIRE(number <= providers.size());
        REQUIRE(!providers.empty());
        return *(number == 0 ? providers.back() : providers[number - 1]);
    }
    [[nodiscard]] size_t dials_made() const { return providers.size() + dials_failed; }
    // How often the provider got a push for that phone.
    [[nodiscard]] size_t pushes_to(const Phone& phone) const {
        return static_cast<size_t>(
            std::ranges::count(pushes, phone.device.registration_id, &ArrivedPush::device));
    }

    // ---- time ----

    void turn() {
        for (engine::Message& message : std::exchange(messages_, {}))
            worker->on_message(std::move(message), now);
        deliver_to_worker();
        if (worker->next_deadline() <= now.instant) worker->on_deadline(now);
        worker->before_wait(now);
        deliver_to_far_ends();
        if (!is_disk_slow) commit();
        answer_passwords();
    }
    // Turns until nothing moves any more.
    void run() {
        size_t turns = 0;
        do {
            turn();
            REQUIRE(++turns < 10'000);
        } while (is_moving());
    }
    void pass(Duration span) {
        const Instant end = now.instant + span;
        run();
        while (worker->next_deadline() <= end) {
            advance_to(std::max(now.instant, worker->next_deadline()));
            run();
        }
        advance_to(end);
        run();
    }
    void advance_to(Instant instant) { now = {instant, now.unix + (instant - now.instant)}; }

    // ---- the disk ----

    // One transaction with all that waits.
    void commit() {
        if (writes_.empty()) return;
        std::vector<store::Write> batch = std::exchange(writes_, {});
        std::vector<store::WriteStatus> statuses(batch.size(), store::WriteStatus::failed);
        if (!is_disk_broken) REQUIRE(shelf.committer().apply(batch, statuses));
        engine::WritesCommitted committed;
        for (size_t i = 0; i < batch.size(); ++i) {
            if (batch[i].ticket == 0) continue;
            committed.writes.push_back({batch[i].ticket, batch[i].worker, statuses[i]});
        }
        if (!committed.writes.empty()) messages_.push_back(std::move(committed));
    }
    [[nodiscard]] size_t writes_waiting() const { return writes_.size(); }

    // ---- checks ----

    [[nodiscard]] uint64_t knocks(metrics::KnockResult result) const {
        return counters.knocks[static_cast<size_t>(result)].get();
    }
    [[nodiscard]] uint64_t outcomes(push::Outcome outcome) const {
        return counters.pushes[static_cast<size_t>(outcome)].get();
    }
    [[nodiscard]] size_t wires_open() const {
        return static_cast<size_t>(
            std::ranges::count_if(wires_, [](const auto& wire) { return !wire->is_stale; }));
    }
    // Not counting those to the provider.
    [[nodiscard]] size_t clients_connected() const {
        return static_cast<size_t>(std::ranges::count_if(
            wires_, [](const auto& wire) { return !wire->is_stale && !wire->is_outgoing; }));
    }

    // ---- io::Io ----

    io::ConnId connect(const io::Endpoint& endpoint) override {
        if (!may_dial) return {};
        Wire& wire = make_wire();
        wire.is_outgoing = true;
        wire.host = endpoint.host;
        return wire.id;
    }
    void send(io::ConnId id, Buffer& bytes) override {
        const std::string text = take_all(bytes);
        if (Wire* const wire = find(id)) wire->unread += text;
    }
    [[nodiscard]] size_t unsent(io::ConnId id) const override {
        const Wire* const wire = find(id);
        return wire != nullptr && !wire->reads ? wire->unread.size() : 0;
    }
    void pause(io::ConnId id) override {
        if (Wire* const wire = find(id)) wire->is_paused = true;
    }
    void resume(io::ConnId id) override {
        if (Wire* const wire = find(id)) wire->is_paused = false;
    }
    void finish(io::ConnId id) override {
        if (Wire* const wire = find(id)) wire->is_stale = wire->is_finished = true;
    }
    void close(io::ConnId id) override {
        if (Wire* const wire = find(id)) wire->is_stale = wire->is_closed = true;
    }

    // ---- engine::Outbox ----

    bool submit(store::Write&& write) override {
        if (is_store_queue_full || is_dead_) return false;
        ++writes_count;
        writes_.push_back(std::move(write));
        return true;
    }
    bool submit(engine::PasswordTask&& task) override {
        if (is_password_queue_full) return false;
        passwords_.push_back(std::move(task));
        return true;
    }
    void publish(size_t, const push::ProviderToken& token) override { published.push_back(token); }
    void ask_token(size_t credential, push::TokenFault fault) override {
        ++tokens_asked;
        if (setup_.worker == 0)
            messages_.push_back(engine::ReplaceProviderToken{credential, fault});
    }
    void report(const engine::LaneReport& report) override { reports.push_back(report); }
    void drained() override { ++drained_count; }

private:
    EngineWorld(const Setup& setup, store::Shelf* others)
        : setup_(setup),
          own_shelf_(others == nullptr ? make_shelf() : nullptr),
          shelf(others == nullptr ? *own_shelf_ : *others),
          dials(setup.dials) {
        log::set_sink([](std::string_view) {});
        if (setup.is_started) start();
    }

    // The lowest free index is used again, with a new generation, so that stale ids are noticed.
    Wire& make_wire() {
        const auto is_free = [](const Wire* wire) { return wire->is_stale; };
        const auto slot = std::find_if(slots_.begin(), slots_.end(), is_free);
        const auto index = static_cast<uint32_t>(slot - slots_.begin());
        const uint32_t generation = slot == slots_.end() ? 1 : (*slot)->id.generation + 1;
        if (slot == slots_.end()) slots_.push_back(nullptr);
        wires_.push_back(std::make_unique<Wire>());
        slots_[index] = wires_.back().get();
        slots_[index]->id = {index, generation};
        return *slots_[index];
    }
    [[nodiscard]] Wire* find(io::ConnId id) const {
        if (id.index >= slots_.size()) return nullptr;
        Wire* const wire = slots_[id.index];
        return wire->id == id && !wire->is_stale ? wire : nullptr;
    }

    [[nodiscard]] bool is_moving() const {
        if (!messages_.empty() || !passwords_.empty()) return true;
        if (!is_disk_slow && !writes_.empty()) return true;
        if (worker->next_deadline() <= now.instant) return true;
        return std::ranges::any_of(wires_, [this](const auto& wire) {
            if (wire->is_stale) return false;
            if (!wire->is_up) return !is_hanging(*wire);
            return !wire->is_paused && (!wire->arriving.empty() || wire->end);
        });
    }

    // Into memory of exactly that size, so that a sanitizer sees who reads too far.
    void deliver(Wire& wire, std::string_view bytes) {
        const std::unique_ptr<uint8_t[]> memory(new uint8_t[bytes.size() + io::kReadPadding]);
        copy_bytes(memory.get(), as_bytes(bytes));
        std::fill_n(memory.get() + bytes.size(), io::kReadPadding, uint8_t{'x'});
        worker->on_received(wire.id, {memory.get(), bytes.size()}, now);
    }

    void deliver_to_worker() {
        for (size_t i = 0; i < wires_.size(); ++i) {
            Wire& wire = *wires_[i];
            if (!wire.is_stale && !wire.is_up) finish_dial(wire);
            while (!wire.is_stale && wire.is_up && !wire.is_paused && !wire.arriving.empty()) {
                const size_t size =
                    std::min({wire.arriving.size(), piece_size(), io::kReadBufferSize});
                const std::string bytes = wire.arriving.substr(0, size);
                wire.arriving.erase(0, size);
                deliver(wire, bytes);
                if (pieces) break;
            }
            if (wire.is_stale || wire.is_paused || !wire.arriving.empty() || !wire.end) continue;
            worker->on_closed(wire.id, *wire.end, now);
            wire.is_stale = wire.is_closed = true;
        }
    }

    [[nodiscard]] bool is_hanging(const Wire& wire) const {
        return dials == Dials::hang || (!away.empty() && wire.host == away);
    }
    void finish_dial(Wire& wire) {
        if (is_hanging(wire)) return;
        if (dials == Dials::refused) {
            ++dials_failed;
            worker->on_closed(wire.id, fail(Errc::unavailable, "cannot connect", 111), now);
            wire.is_stale = wire.is_closed = true;
            return;
        }
        wire.is_up = true;
        providers.push_back(std::make_unique<ProviderEnd>(
            provider_chunks_, wire, providers.size() + 1, streams_max));
        providers.back()->is_stalled = is_provider_stalled;
        worker->on_connected(wire.id, now);
    }

    void deliver_to_far_ends() {
        for (const auto& client : clients) {
            Wire& wire = client->wire;
            if (wire.reads && !wire.unread.empty()) client->take(std::exchange(wire.unread, {}));
        }
        for (const auto& end : providers) {
            if (end->wire.reads) end->inbox += std::exchange(end->wire.unread, {});
            if (!end->is_stalled) serve(*end);
        }
        for (const auto& wire : wires_) {
            if (wire->is_finished) wire->is_closed = true;
        }
    }

    void serve(ProviderEnd& end) {
        if (end.wire.end) return;  // it has hung up
        std::string_view rest = end.inbox;
        bool is_open = true;
        while (is_open && !rest.empty()) {
            const std::string_view piece = rest.substr(0, std::min(rest.size(), piece_size()));
            rest.remove_prefix(piece.size());
            is_open = open(end, piece);
        }
        end.inbox.clear();
        if (!end.tls.is_ready()) {
            end.wire.arriving += take_all(end.sealed);
            return;
        }
        mock::Http2Request arrived;
        while (end.http2.next_request(arrived)) take_push(end, arrived);
        static_cast<void>(end.http2.drain(end.plain));
        if (!end.plain.is_empty()) static_cast<void>(end.tls.seal(end.plain));
        end.plain.clear();
        end.wire.arriving += take_all(end.sealed);
    }

    bool open(ProviderEnd& end, std::string_view ciphertext) {
        end.tls.feed(as_bytes(ciphertext));
        std::array<uint8_t, 16 * 1024> plain;
        for (;;) {
            const Result<size_t> size = end.tls.open(plain);
            if (!size) return false;
            if (*size == 0) return true;
            REQUIRE(end.http2.feed({plain.data(), *size}));
        }
    }

    void take_push(ProviderEnd& end, const mock::Http2Request& arrived) {
        constexpr std::string_view kPrefix = "/3/device/";
        REQUIRE(arrived.path.starts_with(kPrefix));
        pushes.push_back({.connection = end.number,
                          .stream = arrived.stream,
                          .authority = std::string(arrived.authority),
                          .device = std::string(arrived.path.substr(kPrefix.size())),
                          .id = std::string(arrived.field("apns-id")),
                          .authorization = std::string(arrived.field("authorization")),
                          .payload = std::string(as_text(arrived.body))});
        if (on_push) {
            on_push(pushes.back());
        } else if (is_answering) {
            answer(pushes.back());
        }
    }

    void answer_passwords() {
        if (are_passwords_slow) return;
        for (const engine::PasswordTask& task : std::exchange(passwords_, {})) {
            engine::PasswordChecked checked;
            checked.ticket = task.ticket;
            if (task.hash.empty()) {
                checked.hash = "hash of " + task.password;
            } else {
                checked.is_right = task.hash == "hash of " + task.password;
            }
            messages_.push_back(std::move(checked));
        }
    }

    [[nodiscard]] size_t piece_size() { return pieces ? std::max<size_t>(1, pieces()) : SIZE_MAX; }

    const Setup setup_;
    const std::unique_ptr<store::Shelf> own_shelf_;
    ChunkPool client_chunks_;
    ChunkPool provider_chunks_;
    std::vector<std::unique_ptr<Wire>> wires_;  // all there ever were
    std::vector<Wire*> slots_;                  // the newest of each index
    std::vector<engine::Message> messages_;
    std::vector<store::Write> writes_;
    std::vector<engine::PasswordTask> passwords_;
    bool is_dead_ = false;

public:
    store::Shelf& shelf;
    Now now{{1'000'000'000'000}, store::kNoon};
    ChunkPool chunks;  // the worker's
    metrics::Counters counters;
    std::unique_ptr<engine::Worker> worker;

    // What happens to the worker.
    Dials dials;
    std::string away;                           // a host that answers no dial, whatever `dials` is
    bool may_dial = true;                       // false: io::Io has no connection to spare
    bool is_answering = true;                   // the provider: each push with 200, at once
    std::function<void(ArrivedPush&)> on_push;  // instead
    uint32_t streams_max = 1'000;               // of connections to come
    bool is_provider_stalled = false;           // on connections to come
    bool is_disk_slow = false;                  // nothing is committed but by commit()
    bool is_disk_broken = false;
    bool is_store_queue_full = false;
    bool are_passwords_slow = false;
    bool is_password_queue_full = false;
    std::function<size_t()> pieces;  // at most so many bytes arrive at once, on each connection

    // What it did.
    std::vector<std::unique_ptr<Client>> clients;
    std::vector<std::unique_ptr<ProviderEnd>> providers;
    std::deque<ArrivedPush> pushes;
    size_t dials_failed = 0;
    std::vector<push::ProviderToken> published;
    size_t tokens_asked = 0;
    size_t writes_count = 0;  // asked for
    std::vector<engine::LaneReport> reports;
    size_t drained_count = 0;
};

}  // namespace knuckle::test
