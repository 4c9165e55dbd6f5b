// SPDX-License-Identifier: GPL-3.0-or-later
// Authenticated encryption of what lies on disk: AES-256-GCM (NIST SP 800-38D).
//
//     Sealer sealer(key);                          key: 32 bytes, from a file outside the database
//     sealer.seal(plain, context, random, sealed)  sealed: plain.size() + kOverhead bytes
//     sealer.open(sealed, context, plain)          false: damaged, or sealed for another context
//
// Sealed bytes are: nonce (12, random) | ciphertext | tag (16). `context` is authenticated, not
// stored: the store passes the table and the key of the row, so a row that is moved does not open.
// Random nonces allow 2^32 seals under one key before the chance of a repeat reaches 2^-32
// (SP 800-38D, 8.3). The key schedule is expanded once; nothing else allocates.
// Owner: one worker or thread, not shared.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "crypto/random.h"

namespace knuckle::crypto {

class Sealer {
public:
    static constexpr size_t kKeySize = 32;
    static constexpr size_t kNonceSize = 12;
    static constexpr size_t kTagSize = 16;
    static constexpr size_t kOverhead = kNonceSize + kTagSize;
    using Key = std::array<uint8_t, kKeySize>;

    explicit Sealer(const Key& key);
    Sealer(Sealer&&) noexcept;
    Sealer& operator=(Sealer&&) noexcept;
    ~Sealer();

    // `sealed` must have exactly plain.size() + kOverhead bytes; it may not overlap `plain`.
    void seal(ByteView plain, ByteView context, SecureRandom& random, MutableBytes sealed);

    // `plain` must have exactly sealed.size() - kOverhead bytes, and may not overlap `sealed`.
    // A `sealed` below kOverhead bytes is refused. After a refusal `plain` holds zeros.
    [[nodiscard]] bool open(ByteView sealed, ByteView context, MutableBytes plain);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace knuckle::crypto
