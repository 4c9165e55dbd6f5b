// SPDX-License-Identifier: GPL-3.0-or-later
// One push in our hands: from Dispatcher::admit() until it is settled. And the payload that the
// pushes of one knock share.
//
// Owner: push::Dispatcher.  Thread: its worker's.  Memory: 240 bytes a job and as many a payload. A
// device token of up to kShortTokenMax bytes lies inside, a longer one has memory of its own; so a
// payload of up to kSmallPayloadMax bytes, a larger one has a block of kPayloadMax.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/time.h"
#include "base/timers.h"
#include "base/uuid.h"
#include "push/types.h"

namespace knuckle::push {

// A push without data of the sender's has 208 bytes, for a token of 40 characters.
inline constexpr size_t kSmallPayloadMax = 224;
static_assert(kSmallPayloadMax < kPayloadMax);

struct PayloadBlock {
    std::array<char, kPayloadMax> bytes;
};

struct Payload {
    uint32_t references = 0;
    uint16_t size = 0;
    PayloadBlock* block = nullptr;  // holds the text if it is too large for `small`
    std::array<char, kSmallPayloadMax> small;

    [[nodiscard]] std::string_view text() const {
        return {block != nullptr ? block->bytes.data() : small.data(), size};
    }
};

inline constexpr size_t kShortTokenMax = 32;

// The raw bytes of an APNs device token.
class DeviceToken {
public:
    [[nodiscard]] ByteView view() const {
        return ByteView(long_ != nullptr ? long_->data() : short_.data(), size_);
    }
    // At most kDeviceTokenMax.
    void assign(ByteView bytes) {
        KNUCKLE_ASSERT(bytes.size() <= kDeviceTokenMax);
        size_ = static_cast<uint8_t>(bytes.size());
        if (size_ > kShortTokenMax) {
            if (long_ == nullptr) long_ = std::make_unique<Long>();
            copy_bytes(long_->data(), bytes);
        } else {
            long_.reset();
            copy_bytes(short_.data(), bytes);
        }
    }

private:
    using Long = std::array<uint8_t, kDeviceTokenMax>;
    static_assert(kDeviceTokenMax <= UINT8_MAX);

    std::unique_ptr<Long> long_;
    std::array<uint8_t, kShortTokenMax> short_;
    uint8_t size_ = 0;
};

// Whom to tell when the push is settled; the dispatcher does not look inside.
struct OwnerId {
    uint32_t index = 0;
    uint32_t generation = 0;  // 0: nobody waits any more
};

enum class JobState : uint8_t {
    fresh,      // admitted, not submitted yet
    waiting,    // in its lane's queue, for a stream
    in_flight,  // on a stream
    delayed,    // its timer will put it back into the queue
};

struct Job {
    Link link;  // lane's queue, or the upstream's list of what is in flight
    // The pushes of one knock, while its sender waits; then those for like devices, in
    // engine::PendingJobs.
    Link company;
    Timer timer;  // delayed: when to try again
    OwnerId owner;
    Payload* payload = nullptr;

    Uuid account;
    Uuid device;
    Uuid push;            // apns-id: the same for every attempt
    UnixTime registered;  // of the device, for the rule about 410
    UnixTime accepted;
    UnixTime expires;        // after this the knock is of no use to anybody
    Instant since;           // waiting, in_flight: when that began
    uint64_t serial = 0;     // of the pending record
    uint64_t failed_on = 0;  // the connection that gave the last 5xx; another one is better
    DeviceToken token;

    int32_t stream = 0;  // in_flight: handle for http2::Session::cancel()
    uint32_t probe = 0;  // in_flight: the one that its lane's breaker let through; 0: like others
    uint16_t lane = 0;
    uint16_t attempts = 0;  // that may have reached the provider
    uint16_t refusals = 0;  // attempts that certainly have not
    JobState state = JobState::fresh;
    Trust trust = Trust::proven;  // of the device's token
    Line line = Line::proven;     // waiting: where
    bool has_crossed = false;     // the twin of its lane has refused its token
    bool is_background = false;
    bool is_stored = false;    // a pending record was written: clear it when settled
    bool is_deferred = false;  // because of a limit: delayed, and not tried yet
    bool is_left = false;      // by an earlier process
};
static_assert(sizeof(Job) == 240 && sizeof(Payload) == 240);

using JobId = Id<Job>;

}  // namespace knuckle::push
