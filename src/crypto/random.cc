// SPDX-License-Identifier: GPL-3.0-or-later
#include "crypto/random.h"

#include <algorithm>
#include <cerrno>
#include <sys/random.h>

#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/wolfcrypt/chacha.h>

#include "base/assert.h"
#include "crypto/digest.h"

namespace knuckle::crypto {

Result<void> os_random(MutableBytes bytes) {
    while (!bytes.empty()) {
        const ssize_t size = ::getrandom(bytes.data(), bytes.size(), 0);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return fail(Errc::system, "the kernel gives no random bytes", errno);
        bytes = bytes.subspan(static_cast<size_t>(size));
    }
    return {};
}

SecureRandom::SecureRandom(const Seed& seed) : key_(seed) {}

SecureRandom::~SecureRandom() {
    wipe(key_);
    wipe(ready_);
}

void SecureRandom::fill(MutableBytes bytes) {
    while (!bytes.empty()) {
        if (used_ == ready_.size()) refill();
        const size_t size = std::min(bytes.size(), ready_.size() - used_);
        const MutableBytes fresh = MutableBytes(ready_).subspan(used_, size);
        copy_bytes(bytes.data(), fresh);
        wipe(fresh);
        used_ += size;
        bytes = bytes.subspan(size);
    }
}

Uuid SecureRandom::uuid() {
    std::array<uint8_t, 16> random;
    fill(random);
    return Uuid::from_random(random);
}

// One run of the cipher under the present key, nonce 0 and counter 0: its first 32 bytes become the
// next key, the rest is output. A key is used for one run only, so the fixed nonce never repeats.
void SecureRandom::refill() {
    constexpr std::array<uint8_t, CHACHA_IV_BYTES> kNonce{};
    std::array<uint8_t, sizeof(key_) + sizeof(ready_)> stream{};
    ChaCha cipher;
    const bool is_done =
        wc_Chacha_SetKey(&cipher, key_.data(), static_cast<word32>(key_.size())) == 0 &&
        wc_Chacha_SetIV(&cipher, kNonce.data(), 0) == 0 &&
        wc_Chacha_Process(&cipher, stream.data(), stream.data(), sizeof stream) == 0;
    KNUCKLE_ASSERT(is_done);
    copy_bytes(key_.data(), ByteView(stream).first(key_.size()));
    copy_bytes(ready_.data(), ByteView(stream).subspan(key_.size()));
    used_ = 0;
    wipe(stream);
    wipe({reinterpret_cast<uint8_t*>(&cipher), sizeof cipher});
}

}  // namespace knuckle::crypto
