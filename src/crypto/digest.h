// SPDX-License-Identifier: GPL-3.0-or-later
// Digests, keyed digests and comparison in constant time, over wolfCrypt.
//
// KeyedHash holds HMAC-SHA-256 with its key already absorbed, so that a short message costs two or
// three compressions and no allocation; the store finds tokens by it.
// Owner: one worker or the committer, not shared between threads.
// Encodings: RFC 4648 (base64url is unpadded, as RFC 7515 wants it). Decoding is strict: no white
// space, and the bits left over at the end are zero, so that a value has one text only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace knuckle::crypto {

using Sha256Digest = std::array<uint8_t, 32>;

[[nodiscard]] Sha256Digest sha256(ByteView message);
[[nodiscard]] Sha256Digest hmac_sha256(ByteView key, ByteView message);

// True if equal; takes the same time wherever they differ. The length is not a secret.
[[nodiscard]] bool equal_secret(ByteView a, ByteView b);

// Overwrites memory that held a secret; never optimised away.
void wipe(MutableBytes secret);

[[nodiscard]] std::string encode_base64url(ByteView bytes);
[[nodiscard]] std::optional<std::string> decode_base64url(std::string_view text);
[[nodiscard]] std::string encode_base64(ByteView bytes);
// Padded standard alphabet; nothing else.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

class KeyedHash {
public:
    explicit KeyedHash(ByteView key);
    KeyedHash(KeyedHash&&) noexcept;
    KeyedHash& operator=(KeyedHash&&) noexcept;
    ~KeyedHash();

    // HMAC-SHA-256 of the parts one after the other; the caller separates them unambiguously.
    [[nodiscard]] Sha256Digest of(std::string_view first,
                                  std::string_view second = {},
                                  std::string_view third = {});

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace knuckle::crypto
