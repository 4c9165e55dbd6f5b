// SPDX-License-Identifier: GPL-3.0-or-later
// Chance for jitter and tie-breaking, never for secrets (those come from crypto/random.h).
// xoshiro256** by Blackman and Vigna, seeded through splitmix64; the same seed gives the same run.
// Owner: whoever was given it by the supervisor or the simulator.  Thread: its owner's.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "base/assert.h"
#include "base/time.h"

namespace knuckle {

class Random {
public:
    explicit Random(uint64_t seed) {
        for (uint64_t& word : state_) {
            seed += 0x9e3779b97f4a7c15;
            uint64_t z = seed;
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
            z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
            word = z ^ (z >> 31);
        }
    }

    uint64_t next() {
        const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
        const uint64_t t = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = std::rotl(state_[3], 45);
        return result;
    }

    // Uniform in [0, bound); the bias of the modulo is below 2^-32 for the bounds we use.
    uint64_t below(uint64_t bound) {
        KNUCKLE_ASSERT(bound > 0);
        return next() % bound;
    }

    // A span between half and all of `d`: enough to break step with others who failed together.
    Duration jitter(Duration d) {
        if (d.ns < 2) return d;
        const auto half = static_cast<uint64_t>(d.ns) / 2;
        return {static_cast<int64_t>(half + below(half + 1))};
    }

private:
    std::array<uint64_t, 4> state_{};
};

}  // namespace knuckle
