// SPDX-License-Identifier: GPL-3.0-or-later
// What a worker says to the rest of the process, and what it hears back (Message). The third seam
// beside io::Io and io::Handler: app/ binds it to the commit thread and the mailboxes, the
// simulator to lists of its own.
//
// No call waits and none is answered before it returns: answers come as messages, in a later turn.
// Thread: the worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "crypto/password.h"
#include "push/credential.h"
#include "push/types.h"
#include "store/write.h"

namespace knuckle::engine {

// Slow hashing, away from the loop. With `hash` it is verified, without it is made with `salt`.
struct PasswordTask {
    uint64_t ticket = 0;
    uint32_t worker = 0;
    std::string password;
    std::string hash;
    crypto::PasswordSalt salt{};
};

// Can pushes of this lane leave this worker, and are they taken? Sent whenever that changes, and
// once at the start.
struct LaneReport {
    uint32_t worker = 0;
    uint16_t lane = 0;
    bool is_ready = false;
    Error why{};
    std::string reason{};  // the provider's word for it, if it had one
};

class Outbox {
public:
    // False: the queue is full; nothing was taken, answer 503.
    [[nodiscard]] virtual bool submit(store::Write&& write) = 0;
    [[nodiscard]] virtual bool submit(PasswordTask&& task) = 0;
    // Worker 0 has another provider token; every worker hears of it as ProviderTokenRenewed.
    virtual void publish(size_t credential, const push::ProviderToken& token) = 0;
    // Asks worker 0 for another one; it decides whether there can be.
    virtual void ask_token(size_t credential, push::TokenFault fault) = 0;
    virtual void report(const LaneReport& report) = 0;
    // After Drain: nothing is in this worker's hands any more, its loop may stop.
    virtual void drained() = 0;

protected:
    ~Outbox() = default;
};

struct WritesCommitted {
    std::vector<store::Committed> writes;
};
struct PasswordChecked {
    uint64_t ticket = 0;
    bool is_right = false;  // verified
    // verified, but the stored hash is of an older kind; `hash` is its successor
    bool needs_upgrade = false;
    std::string hash;  // made; empty if it could not be
};
struct ProviderTokenRenewed {
    size_t credential = 0;
    push::ProviderToken token;
};
// Worker 0: the provider has this against the present one.
struct ReplaceProviderToken {
    size_t credential = 0;
    push::TokenFault fault = push::TokenFault::none;
};
// Accept nothing new, settle what there is, say drained().
struct Drain {};

using Message = std::
    variant<WritesCommitted, PasswordChecked, ProviderTokenRenewed, ReplaceProviderToken, Drain>;

}  // namespace knuckle::engine
