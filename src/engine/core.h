// SPDX-License-Identifier: GPL-3.0-or-later
// What the parts of one worker share: its world, its clocks and pools, its view of the store. Built
// by Worker before its parts, ended after them. Owner: engine::Worker.  Thread: its worker's.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "api/rest.h"
#include "base/buffer.h"
#include "base/list.h"
#include "base/random.h"
#include "base/timers.h"
#include "crypto/random.h"
#include "engine/limits.h"
#include "engine/options.h"
#include "engine/outbox.h"
#include "io/io.h"
#include "metrics/counters.h"
#include "push/credential.h"
#include "push/dispatcher.h"
#include "store/snapshot.h"

namespace knuckle::engine {

// Timer::kind: whose deadline has come.
enum class TimerKind : uint8_t {
    http_conn,
    upstream,
    fleet,
    job,
    pending,
    credential,
    drain,
    memory
};

// The first byte of a store::Ticket or of a password ticket says which part waits for it.
enum class TicketKind : uint8_t { none, knock, call };

template <typename T>
[[nodiscard]] uint64_t make_ticket(TicketKind kind, Id<T> id) {
    return uint64_t{static_cast<uint8_t>(kind)} << 56 | uint64_t{id.index & 0xff'ffff} << 32 |
           id.generation;
}
[[nodiscard]] inline TicketKind kind_of(uint64_t ticket) {
    return static_cast<TicketKind>(ticket >> 56);
}
template <typename T>
[[nodiscard]] Id<T> id_of(uint64_t ticket) {
    return {static_cast<uint32_t>(ticket >> 32 & 0xff'ffff), static_cast<uint32_t>(ticket)};
}

// Where an answer goes. Weak: the client may have hung up, and its connection may carry another
// request by now.
struct Origin {
    io::ConnId conn;
    uint32_t request = 0;
};

struct Core {
    // Plaintext is opened into this; what it holds is handled before anything else is opened.
    static constexpr size_t kPlaintextSize = 16 * 1024;

    const Options& options;
    uint32_t worker = 0;
    UnixTime serial_epoch{};
    io::Io& io;
    Outbox& outbox;
    ChunkPool& chunks;
    metrics::Counters& counters;

    Timers timers;
    Random random;
    crypto::SecureRandom secrets;
    Limits limits;
    store::Reader reader;
    push::Dispatcher dispatcher;
    api::Decoder decoder;
    std::vector<push::ProviderToken> provider_tokens;
    std::string http_date{};  // renewed once a second
    int64_t http_date_second = 0;
    bool is_draining = false;
    std::array<uint8_t, kPlaintextSize + io::kReadPadding> plaintext{};
};

}  // namespace knuckle::engine
