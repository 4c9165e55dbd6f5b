// SPDX-License-Identifier: GPL-3.0-or-later
#include "crypto/seal.h"

#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/wolfcrypt/aes.h>

#include "base/assert.h"
#include "crypto/digest.h"

namespace knuckle::crypto {

namespace {

word32 length_of(ByteView bytes) {
    KNUCKLE_ASSERT(bytes.size() <= UINT32_MAX);
    return static_cast<word32>(bytes.size());
}

}  // namespace

struct Sealer::State {
    Aes aes;

    explicit State(const Key& key) {
        const bool is_ready = wc_AesInit(&aes, nullptr, INVALID_DEVID) == 0 &&
                              wc_AesGcmSetKey(&aes, key.data(), kKeySize) == 0;
        KNUCKLE_ASSERT(is_ready);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        wc_AesFree(&aes);
        wipe({reinterpret_cast<uint8_t*>(&aes), sizeof aes});
    }
};

Sealer::Sealer(const Key& key) : state_(std::make_unique<State>(key)) {}
Sealer::Sealer(Sealer&&) noexcept = default;
Sealer& Sealer::operator=(Sealer&&) noexcept = default;
Sealer::~Sealer() = default;

void Sealer::seal(ByteView plain, ByteView context, SecureRandom& random, MutableBytes sealed) {
    KNUCKLE_ASSERT(sealed.size() == plain.size() + kOverhead);
    const MutableBytes nonce = sealed.first(kNonceSize);
    const MutableBytes cipher = sealed.subspan(kNonceSize, plain.size());
    const MutableBytes tag = sealed.last(kTagSize);
    random.fill(nonce);
    const int error = wc_AesGcmEncrypt(&state_->aes,
                                       cipher.data(),
                                       plain.data(),
                                       length_of(plain),
                                       nonce.data(),
                                       kNonceSize,
                                       tag.data(),
                                       kTagSize,
                                       context.data(),
                                       length_of(context));
    KNUCKLE_ASSERT(error == 0);
}

bool Sealer::open(ByteView sealed, ByteView context, MutableBytes plain) {
    if (sealed.size() < kOverhead) return false;
    KNUCKLE_ASSERT(plain.size() == sealed.size() - kOverhead);
    const ByteView nonce = sealed.first(kNonceSize);
    const ByteView cipher = sealed.subspan(kNonceSize, plain.size());
    const ByteView tag = sealed.last(kTagSize);
    const int error = wc_AesGcmDecrypt(&state_->aes,
                                       plain.data(),
                                       cipher.data(),
                                       length_of(cipher),
                                       nonce.data(),
                                       kNonceSize,
                                       tag.data(),
                                       kTagSize,
                                       context.data(),
                                       length_of(context));
    // The bytes were decrypted before the tag was known to be wrong; nobody may use them.
    if (error != 0) wipe(plain);
    return error == 0;
}

}  // namespace knuckle::crypto
