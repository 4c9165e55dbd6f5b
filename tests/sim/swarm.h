// SPDX-License-Identifier: GPL-3.0-or-later
// What can go wrong, and how likely it is in this run. Each seed leaves out whole classes of faults
// and gives the others wildly different weights: a fault that always happens hides what only
// happens without it.
//
//     Swarm swarm(seed);                      what is drawn here is printed with a failure
//     if (swarm.has(Fault::goaway)) ...       rolls the dice; false for all in calm()
//
// Owner: one run.  Thread: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/random.h"
#include "base/time.h"

namespace knuckle::sim {

enum class Fault : uint8_t {
    // the network; per connection, or per piece
    chopped,  // bytes arrive in small pieces
    late,     // a piece takes long
    stalled,  // a direction of a connection stands still for a while, or for good
    broken,   // the connection is reset in the middle
    dial_refused,
    dial_silent,
    no_connection,  // io::Io has none to spare
    // the provider; per connection, or per push
    goaway,
    refused_stream,
    reset_stream,
    fewer_streams,
    zero_window,
    mute,           // takes the connection, never says a word
    closing,        // closes the connection after what it has to say
    bad_request,    // 400, a reason that is the push's fault
    bad_token,      // 400 BadDeviceToken
    wrong_topic,    // 400 or 403 that is the operator's fault
    expired_token,  // 403 ExpiredProviderToken; the connection is wedged from then on
    token_updates,  // 429 TooManyProviderTokenUpdates
    unregistered,   // 410, since some time
    old_news,       // 410, since a time before the device registered
    too_large,      // 413
    throttled,      // 429, with Retry-After or without
    failed,         // 500
    unavailable,    // 503
    shutdown,       // 503 Shutdown
    garbage,        // a status with a body that is no JSON
    no_answer,
    slow_answer,
    // the disk
    commit_failed,  // this batch, and those of some time to come
    slow_commit,
    queue_full,
    // the machine
    clock_jumped,  // forwards
    clock_set_back,
    crashed,
    drained,
    // clients
    hung_up,
    pipelined,
    unknown_token,
    registered_again,
    count_,
};
inline constexpr size_t kFaultCount = static_cast<size_t>(Fault::count_);

class Swarm {
public:
    explicit Swarm(uint64_t seed);

    [[nodiscard]] bool has(Fault fault) {
        const uint32_t weight = weights_[static_cast<size_t>(fault)];
        return !is_calm_ && weight > 0 && random_.below(1'000) < weight;
    }
    // Could it happen at all in this run?
    [[nodiscard]] bool allows(Fault fault) const {
        return weights_[static_cast<size_t>(fault)] > 0;
    }
    // How long a push may have to wait for room in a limit.
    [[nodiscard]] Duration deferral_max() const;
    void calm() { is_calm_ = true; }
    [[nodiscard]] bool is_calm() const { return is_calm_; }

    [[nodiscard]] uint64_t below(uint64_t bound) { return random_.below(bound); }
    [[nodiscard]] bool coin() { return random_.below(2) == 0; }
    // Between nothing and `longest`, short ones as likely as long ones of each magnitude.
    [[nodiscard]] Duration span(Duration longest);
    // How long something on the wire takes.
    [[nodiscard]] Duration latency();

    [[nodiscard]] std::string describe() const;

    // Drawn once, see the .cc.
    uint32_t workers = 1;
    size_t apps = 1;
    bool has_twins = false;  // every other phone is of the sandbox, and each app has both lanes
    uint32_t knocks = 0;
    Duration pace{};  // about as long from one knock to the next
    Duration latency_max{};
    Duration grain{};  // 0: none. What happens, happens at multiples of this: full turns
    Duration answer_max{};
    Duration commit_max{};
    size_t jobs_max = 0;
    size_t connections_max = 0;
    size_t queue_max = 0;
    size_t kernel_max = 0;  // bytes that a socket takes
    uint32_t streams_max = 0;
    uint32_t token_limit = 0;  // knocks a minute; 0: off
    uint32_t account_limit = 0;
    Duration window{};         // in which an account is pushed to once; 0: off
    Duration unseen_window{};  // the same, of pushes that nobody sees
    uint32_t low_share = 0;    // knocks of 100 that ask for such a push
    Duration ack_wait{};
    Duration expiration{};

private:
    Random random_;
    std::array<uint32_t, kFaultCount> weights_{};  // of 1,000
    bool is_calm_ = false;
};

}  // namespace knuckle::sim
