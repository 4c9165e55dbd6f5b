// SPDX-License-Identifier: GPL-3.0-or-later
#include "bench/whole_knock.h"

#include <ctime>
#include <stdexcept>
#include <utility>

#include "bench/filled_store.h"
#include "bench/knock_stages.h"
#include "crypto/jwt.h"
#include "push/credential.h"

namespace knuckle::bench {

namespace {

engine::Options make_options(const Ends& ends) {
    engine::Options options;
    options.apps.push_back({.name = kApp, .lane = 0});
    options.lanes.push_back(
        {.name = kApp,
         .service = {.authority = "localhost", .topic = "org.example.chat", .collapse_id = "knock"},
         .endpoint = {"localhost", 443, {}},
         .server_name = "localhost",
         .tls = &ends.gateway_out});
    options.listeners.push_back({});
    options.listeners.push_back({&ends.gateway_in});
    options.routes.apps.push_back({kApp, {}});
    options.base_url = "https://push.example.org/api/v1/";
    return options;
}

// It stands still: nothing here waits for a timer.
Now some_time() { return {{1'000'000'000'000}, from_unix_seconds(::time(nullptr))}; }

}  // namespace

WholeKnock::WholeKnock(const Ends& ends, const store::Env& env, bool has_tls)
    : options_(make_options(ends)), apns_(ends), now_(some_time()) {
    auto signer = crypto::Es256Signer::load(ends.provider_key.key_pem);
    if (!signer) throw std::runtime_error(signer.error().what);
    push::Credential credential(std::move(*signer), "KEY1234567", "TEAM123456");
    auto token = credential.renew(now_.unix);
    if (!token) throw std::runtime_error(token.error().what);
    engine::World world{.io = *this,
                        .outbox = *this,
                        .chunks = chunks_,
                        .counters = counters_,
                        .env = env,
                        .provider_tokens = {},
                        .credentials = {}};
    world.provider_tokens.push_back(std::move(*token));
    world.credentials.push_back(std::move(credential));
    worker_ = std::make_unique<engine::Worker>(options_, std::move(world));
    worker_->start(now_);
    worker_->before_wait(now_);
    worker_->on_connected(kUpstream, now_);
    worker_->on_accepted(kClient, has_tls ? 1 : 0, {}, now_);
    if (has_tls) {
        client_.emplace(ends);
        client_->take({}, heard_, to_worker_);
    }
    // Both handshakes, and the first words of HTTP/2.
    for (int i = 0; i < 8; ++i) {
        deliver(kClient, to_worker_);
        provide();
        deliver(kUpstream, from_apns_);
        if (has_tls) client_->take(as_bytes(std::exchange(to_client_, {})), heard_, to_worker_);
    }
}

WholeKnock::~WholeKnock() { worker_->end(now_); }

void WholeKnock::say(std::string_view token) {
    if (client_) {
        client_->say(knock_text(token), to_worker_);
    } else {
        to_worker_.append(knock_text(token));
    }
}

void WholeKnock::ask() { deliver(kClient, to_worker_); }

void WholeKnock::provide() {
    apns_.take(as_bytes(to_apns_), from_apns_);
    to_apns_.clear();
}

void WholeKnock::reply() { deliver(kUpstream, from_apns_); }

void WholeKnock::listen() {
    heard_.clear();
    if (client_) {
        client_->take(as_bytes(to_client_), heard_, to_worker_);
        to_client_.clear();
    } else {
        heard_.swap(to_client_);
        to_client_.clear();
    }
    if (!heard_.starts_with("HTTP/1.1 202")) throw std::runtime_error("not 202: " + heard_);
}

void WholeKnock::send(io::ConnId id, Buffer& bytes) {
    move_to(bytes, id == kUpstream ? to_apns_ : to_client_);
}

// One turn of a loop.
void WholeKnock::deliver(io::ConnId id, std::string& bytes) {
    if (!bytes.empty()) {
        const size_t size = bytes.size();
        bytes.append(io::kReadPadding, 'x');
        worker_->on_received(id, {reinterpret_cast<uint8_t*>(bytes.data()), size}, now_);
        bytes.clear();
    }
    worker_->before_wait(now_);
}

}  // namespace knuckle::bench
