// SPDX-License-Identifier: GPL-3.0-or-later
#include "crypto/password.h"

#include <optional>
#include <vector>

#include <argon2.h>

#include "base/bytes.h"
#include "base/text.h"
#include "crypto/digest.h"

namespace knuckle::crypto {

namespace {

constexpr std::string_view kArgon2Prefix = "$argon2id$v=19$";
constexpr std::string_view kDjangoPrefix = "pbkdf2_sha256$";

struct Argon2Hash {
    uint32_t memory_kib;
    uint32_t passes;
    uint32_t lanes;
    std::string salt;
    std::string digest;
};

struct DjangoHash {
    uint32_t iterations;
    std::string_view salt;  // hashed as it is written, not decoded
    std::string digest;
};

// Takes the text up to `separator` off the front of `rest`; all of it if there is none.
std::string_view take_field(std::string_view& rest, char separator) {
    const size_t end = rest.find(separator);
    const std::string_view field = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return field;
}

bool take_prefix(std::string_view& rest, std::string_view prefix) {
    if (!rest.starts_with(prefix)) return false;
    rest.remove_prefix(prefix.size());
    return true;
}

bool is_between(size_t value, size_t min, size_t max) { return value >= min && value <= max; }

// A decimal number from 1 to `max` behind `name`, or 0.
uint32_t parse_number(std::string_view field, std::string_view name, uint32_t max) {
    if (!take_prefix(field, name)) return 0;
    const std::optional<uint64_t> value = parse_decimal(field);
    return value && *value <= max ? static_cast<uint32_t>(*value) : 0;
}

// Base64 without padding, as the text form of Argon2 has it; empty if it is malformed.
std::string decode_unpadded(std::string_view text) {
    if (text.ends_with('=')) return {};
    std::string padded(text);
    padded.append((4 - padded.size() % 4) % 4, '=');
    return decode_base64(padded).value_or(std::string());
}

std::string encode_unpadded(ByteView bytes) {
    std::string text = encode_base64(bytes);
    text.erase(text.find_last_not_of('=') + 1);
    return text;
}

//   $argon2id$v=19$m=<KiB>,t=<passes>,p=<lanes>$<salt>$<digest>
std::optional<Argon2Hash> parse_argon2(std::string_view text) {
    if (!take_prefix(text, kArgon2Prefix)) return std::nullopt;
    Argon2Hash hash;
    hash.memory_kib = parse_number(take_field(text, ','), "m=", kArgon2MemoryKibMax);
    hash.passes = parse_number(take_field(text, ','), "t=", kArgon2PassesMax);
    hash.lanes = parse_number(take_field(text, '$'), "p=", kArgon2LanesMax);
    hash.salt = decode_unpadded(take_field(text, '$'));
    hash.digest = decode_unpadded(text);
    const bool is_sane = hash.memory_kib > 0 && hash.passes > 0 && hash.lanes > 0 &&
                         is_between(hash.salt.size(), 8, 64) &&
                         is_between(hash.digest.size(), 16, 64);
    if (!is_sane) return std::nullopt;
    return hash;
}

//   pbkdf2_sha256$<iterations>$<salt>$<digest>
std::optional<DjangoHash> parse_django(std::string_view text) {
    if (!take_prefix(text, kDjangoPrefix)) return std::nullopt;
    DjangoHash hash;
    hash.iterations = parse_number(take_field(text, '$'), "", kPbkdf2IterationsMax);
    hash.salt = take_field(text, '$');
    hash.digest = decode_base64(text).value_or(std::string());
    const bool is_sane = hash.iterations > 0 && is_between(hash.salt.size(), 1, 128) &&
                         hash.digest.size() == sizeof(Sha256Digest);
    if (!is_sane) return std::nullopt;
    return hash;
}

// Fills `digest`; 0, or the library's error.
int run_argon2(std::string_view password, const Argon2Hash& hash, MutableBytes digest) {
    return argon2id_hash_raw(hash.passes,
                             hash.memory_kib,
                             hash.lanes,
                             password.data(),
                             password.size(),
                             hash.salt.data(),
                             hash.salt.size(),
                             digest.data(),
                             digest.size());
}

// RFC 8018 section 5.2 for one block, which is all that Django asks for. On a keyed hash each
// iteration costs two compressions; wc_PBKDF2() absorbs the key anew each time and takes twice
// that.
Sha256Digest run_pbkdf2(std::string_view password, const DjangoHash& hash) {
    constexpr std::string_view kFirstBlock("\0\0\0\1", 4);
    KeyedHash keyed(as_bytes(password));
    Sha256Digest round = keyed.of(hash.salt, kFirstBlock);
    Sha256Digest sum = round;
    for (uint32_t i = 1; i < hash.iterations; ++i) {
        round = keyed.of(as_text(round));
        for (size_t j = 0; j < sum.size(); ++j) sum[j] ^= round[j];
    }
    return sum;
}

}  // namespace

Result<std::string> hash_password(std::string_view password, const PasswordSalt& salt) {
    if (password.size() > kPasswordSizeMax) return fail(Errc::invalid, "the password is too long");
    const Argon2Hash hash{.memory_kib = kPasswordMemoryKib,
                          .passes = kPasswordPasses,
                          .lanes = kPasswordLanes,
                          .salt = std::string(as_text(salt)),
                          .digest = {}};
    std::array<uint8_t, kPasswordDigestSize> digest;
    const int error = run_argon2(password, hash, digest);
    if (error != 0) return fail(Errc::system, "Argon2 cannot hash the password", error);
    DecimalText storage;
    std::string text(kArgon2Prefix);
    text += "m=";
    text += format_decimal(hash.memory_kib, storage);
    text += ",t=";
    text += format_decimal(hash.passes, storage);
    text += ",p=";
    text += format_decimal(hash.lanes, storage);
    text += '$';
    text += encode_unpadded(salt);
    text += '$';
    text += encode_unpadded(digest);
    return text;
}

bool verify_password(std::string_view password, std::string_view hash) {
    if (password.size() > kPasswordSizeMax) return false;
    if (const auto argon2 = parse_argon2(hash)) {
        std::vector<uint8_t> digest(argon2->digest.size());
        return run_argon2(password, *argon2, digest) == 0 &&
               equal_secret(digest, as_bytes(argon2->digest));
    }
    if (const auto django = parse_django(hash)) {
        const Sha256Digest digest = run_pbkdf2(password, *django);
        return equal_secret(digest, as_bytes(django->digest));
    }
    return false;
}

bool needs_upgrade(std::string_view hash) {
    const auto argon2 = parse_argon2(hash);
    return !argon2 || argon2->memory_kib != kPasswordMemoryKib ||
           argon2->passes != kPasswordPasses || argon2->lanes != kPasswordLanes ||
           argon2->salt.size() != sizeof(PasswordSalt) ||
           argon2->digest.size() != kPasswordDigestSize;
}

}  // namespace knuckle::crypto
