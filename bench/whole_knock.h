// SPDX-License-Identifier: GPL-3.0-or-later
// A whole knock through an engine::Worker, without a socket: what the stages (knock_stages.h) are
// compared with. One knock at a time, from a plain or a TLS client, in four steps that are the
// worker's, and three between them that are the world's:
//
//     WholeKnock whole(ends, env, has_tls);
//     whole.say(token);
//     whole.ask();                           the request comes in, the push goes out
//     whole.provide();
//     whole.reply();                         its answer comes in, the knock's answer goes out
//     whole.listen();                        throws if that is not 202
//
// Owner: the benchmark.  Thread: one.  Throws std::runtime_error.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/time.h"
#include "bench/memory_ends.h"
#include "engine/options.h"
#include "engine/outbox.h"
#include "engine/worker.h"
#include "io/io.h"
#include "metrics/counters.h"
#include "store/env.h"

namespace knuckle::bench {

class WholeKnock final : public io::Io, public engine::Outbox {
public:
    WholeKnock(const Ends& ends, const store::Env& env, bool has_tls);
    WholeKnock(const WholeKnock&) = delete;
    WholeKnock& operator=(const WholeKnock&) = delete;
    ~WholeKnock();

    void say(std::string_view token);
    [[gnu::noinline]] void ask();
    void provide();
    [[gnu::noinline]] void reply();
    void listen();

    io::ConnId connect(const io::Endpoint&) override { return kUpstream; }
    void send(io::ConnId id, Buffer& bytes) override;
    [[nodiscard]] size_t unsent(io::ConnId) const override { return 0; }
    void pause(io::ConnId) override {}
    void resume(io::ConnId) override {}
    void finish(io::ConnId) override {}
    void close(io::ConnId) override {}

    bool submit(store::Write&&) override { return false; }
    bool submit(engine::PasswordTask&&) override { return false; }
    void publish(size_t, const push::ProviderToken&) override {}
    void ask_token(size_t, push::TokenFault) override {}
    void report(const engine::LaneReport&) override {}
    void drained() override {}

private:
    static constexpr io::ConnId kUpstream{0, 1};
    static constexpr io::ConnId kClient{1, 1};

    void deliver(io::ConnId id, std::string& bytes);

    engine::Options options_;
    metrics::Counters counters_;
    ChunkPool chunks_;
    MemoryApns apns_;
    std::optional<MemoryClient> client_;
    std::string to_worker_;
    std::string to_apns_;
    std::string from_apns_;
    std::string to_client_;
    std::string heard_;
    Now now_;
    std::unique_ptr<engine::Worker> worker_;
};

}  // namespace knuckle::bench
