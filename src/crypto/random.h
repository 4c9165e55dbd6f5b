// SPDX-License-Identifier: GPL-3.0-or-later
// Secrets out of thin air: a ChaCha20 generator with fast key erasure, seeded once.
//
// The supervisor seeds each worker's generator from the kernel (os_random); the simulator seeds it
// from its seed, so that even secrets repeat there. Each run of the cipher begins with the key of
// the next one and what is handed out is wiped, so a later compromise reveals nothing drawn before.
// The stream does not depend on the sizes asked for.
// Owner: one worker or thread, not shared.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "base/uuid.h"

namespace knuckle::crypto {

// Fills `bytes` from getrandom(2).
Result<void> os_random(MutableBytes bytes);

class SecureRandom {
public:
    using Seed = std::array<uint8_t, 32>;

    explicit SecureRandom(const Seed& seed);
    ~SecureRandom();
    SecureRandom(const SecureRandom&) = delete;
    SecureRandom& operator=(const SecureRandom&) = delete;

    void fill(MutableBytes bytes);
    [[nodiscard]] Uuid uuid();

private:
    void refill();

    Seed key_;
    // Output made ahead, handed out from the front and wiped as it goes.
    std::array<uint8_t, 512> ready_{};
    size_t used_ = sizeof(ready_);
};

}  // namespace knuckle::crypto
