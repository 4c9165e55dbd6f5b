// SPDX-License-Identifier: GPL-3.0-or-later
// Slow hashes of account passwords. Takes tens of milliseconds by design: never on an event loop.
//
// New hashes are Argon2id (RFC 9106) in its usual text form, with OWASP's first choice of 19 MiB,
// two passes and one lane:
//     $argon2id$v=19$m=19456,t=2,p=1$<salt>$<digest>            base64 without padding
// Imported accounts carry Django's form of PBKDF2 (RFC 8018, with HMAC-SHA-256), verified too:
//     pbkdf2_sha256$<iterations>$<salt>$<digest>                base64
// A hash text comes from the database, so one that is malformed or absurdly expensive verifies
// nothing and harms nothing. Any thread; a call of Argon2 needs the memory its hash names.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace knuckle::crypto {

// What new hashes cost.
inline constexpr uint32_t kPasswordMemoryKib = 19'456;
inline constexpr uint32_t kPasswordPasses = 2;
inline constexpr uint32_t kPasswordLanes = 1;
inline constexpr size_t kPasswordDigestSize = 32;

// What a stored hash may make us compute.
inline constexpr uint32_t kArgon2MemoryKibMax = 64 * 1024;
inline constexpr uint32_t kArgon2PassesMax = 10;
inline constexpr uint32_t kArgon2LanesMax = 4;
inline constexpr uint32_t kPbkdf2IterationsMax = 2'000'000;  // more than any Django default
static_assert(kPasswordMemoryKib <= kArgon2MemoryKibMax && kPasswordPasses <= kArgon2PassesMax &&
              kPasswordLanes <= kArgon2LanesMax);

inline constexpr size_t kPasswordSizeMax = 4096;

using PasswordSalt = std::array<uint8_t, 16>;

// Errc::invalid for more than kPasswordSizeMax bytes, Errc::system when there is no memory.
[[nodiscard]] Result<std::string> hash_password(std::string_view password,
                                                const PasswordSalt& salt);
[[nodiscard]] bool verify_password(std::string_view password, std::string_view hash);

// True when `hash` is not what hash_password() would make today, so a login should replace it.
[[nodiscard]] bool needs_upgrade(std::string_view hash);

}  // namespace knuckle::crypto
