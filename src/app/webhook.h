// SPDX-License-Identifier: GPL-3.0-or-later
// Sends the log of feedback to the operator's own server: POST of JSON, signed, one request at a
// time, again until it is answered 2xx, and from where it was after a restart.
//
//     Webhook webhook(options, io, chunks, reader, submit, context, seed);
//     webhook.on_connected(...) and the like, for what the loop tells; ids of others are ignored
//     webhook.next_deadline(), webhook.on_deadline(now)
//
// It looks at the log once a second, so the commit thread need not know of it. What waits is the
// log itself, on disk; in memory is one batch. When the receiver has taken a batch, the cursor is
// written behind all other writes: a crash before that sends the batch once more, never less.
// Each delivery has a connection of its own, kept no longer than until the status is known.
// Redirects are not followed. Its failures cost nobody else anything: it shares the main thread's
// loop with the operator's listener, and no worker waits for it.
// Limits: below.  Owner: app::Supervisor.  Thread: the main one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/buffer.h"
#include "base/random.h"
#include "base/result.h"
#include "http1/response_reader.h"
#include "io/io.h"
#include "metrics/counter.h"
#include "store/snapshot.h"
#include "store/write.h"
#include "tls/context.h"
#include "tls/engine.h"

namespace knuckle::app {

inline constexpr size_t kWebhookEventsMax = 100;  // in one request
inline constexpr Duration kWebhookLookEvery = seconds(1);
inline constexpr Duration kWebhookConnectMax = seconds(5);  // name, TCP and TLS together
inline constexpr Duration kWebhookTimeMax = seconds(10);    // all of one delivery
// After a failure, each time twice as long: a receiver that is away, and one that says no (3xx and
// 4xx but 408 and 429), which does not change by itself.
inline constexpr Duration kWebhookRetry = seconds(1);
inline constexpr Duration kWebhookRetryMax = minutes(5);
inline constexpr Duration kWebhookRefused = minutes(1);
inline constexpr Duration kWebhookRefusedMax = hours(1);
inline constexpr size_t kWebhookSecretMin = 16;

struct WebhookOptions {
    io::Endpoint endpoint;
    const tls::Context* tls = nullptr;  // plain HTTP without
    std::string authority;              // of the Host field
    std::string target;
    std::string secret;
};

struct WebhookCounts {
    metrics::Counter delivered;  // requests that were answered 2xx
    metrics::Counter failed;     // requests that were not
};

// What the receiver has not taken yet.
struct WebhookBacklog {
    uint64_t events = 0;
    Duration oldest;  // how long the oldest of them has waited
};

class Webhook {
public:
    using Submit = bool (*)(void* context, store::Write&& write);

    Webhook(const WebhookOptions& options,
            io::Io& io,
            ChunkPool& chunks,
            store::Reader& reader,
            Submit submit,
            void* context,
            uint64_t seed);

    void on_connected(io::ConnId id, Now now);
    void on_received(io::ConnId id, MutableBytes bytes, Now now);
    void on_closed(io::ConnId id, Error why, Now now);
    void on_deadline(Now now);
    [[nodiscard]] Instant next_deadline() const { return deadline_; }

    [[nodiscard]] const WebhookCounts& counts() const { return counts_; }
    // Looked up, as it is now; nothing while the log cannot be read.
    [[nodiscard]] std::optional<WebhookBacklog> backlog(UnixTime now) const;

private:
    enum class State : uint8_t { waiting, connecting, shaking_hands, asking };

    void look(Now now);
    void advance(uint64_t cursor);
    void begin(std::string&& body, Now now);
    void ask(Now now);
    Result<void> open(ByteView ciphertext, Now now);
    void read(ByteView bytes, Now now);
    void flush();
    void conclude(uint16_t status, Now now);
    void give_up(Error why, uint16_t status, Now now);
    void end();

    const WebhookOptions& options_;
    io::Io& io_;
    store::Reader& reader_;
    const Submit submit_;
    void* const context_;
    Random random_;
    WebhookCounts counts_;

    std::optional<uint64_t> cursor_;  // what the receiver has taken; empty: not read yet
    uint32_t attempts_ = 0;           // that failed since the last success
    uint16_t failed_status_ = 0;      // of the last one; 0: there was no answer
    State state_ = State::waiting;
    Instant deadline_{};  // waiting: when to look; else when to give up

    // The delivery:
    io::ConnId id_;
    Instant begun_{};
    std::string body_;
    uint64_t body_end_ = 0;  // the cursor when it has been taken
    Buffer out_;
    std::unique_ptr<tls::Engine> tls_;
    http1::ResponseReader response_;
};

// "t=1795953610,v1=" and 64 hexadecimal digits: the HMAC-SHA-256 of "1795953610." and the body.
[[nodiscard]] std::string sign(std::string_view secret, UnixTime time, std::string_view body);

}  // namespace knuckle::app
