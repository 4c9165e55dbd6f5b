// SPDX-License-Identifier: GPL-3.0-or-later
#include "crypto/digest.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/wolfcrypt/sha256.h>

#include "base/assert.h"

namespace knuckle::crypto {

namespace {

// It points to nothing, so an assignment branches off a digest that is half done. wc_Sha256Copy()
// would first free what the destination may hold.
static_assert(std::is_trivially_copyable_v<wc_Sha256>);

wc_Sha256 start() {
    wc_Sha256 sha;
    const int error = wc_InitSha256(&sha);
    KNUCKLE_ASSERT(error == 0);
    return sha;
}

void update(wc_Sha256& sha, ByteView bytes) {
    KNUCKLE_ASSERT(bytes.size() <= UINT32_MAX);
    if (bytes.empty()) return;  // its data() may be null, which the library refuses
    const int error = wc_Sha256Update(&sha, bytes.data(), static_cast<word32>(bytes.size()));
    KNUCKLE_ASSERT(error == 0);
}

void finish(wc_Sha256& sha, Sha256Digest& digest) {
    const int error = wc_Sha256Final(&sha, digest.data());
    KNUCKLE_ASSERT(error == 0);
}

// The two alphabets of RFC 4648 differ in their last two digits.
struct Base64 {
    char digit_62;
    char digit_63;
    bool is_padded;

    [[nodiscard]] char digit(uint32_t value) const {
        if (value < 26) return static_cast<char>('A' + value);
        if (value < 52) return static_cast<char>('a' + (value - 26));
        if (value < 62) return static_cast<char>('0' + (value - 52));
        return value == 62 ? digit_62 : digit_63;
    }

    // -1 if it is no digit.
    [[nodiscard]] int value(char c) const {
        if (c >= 'A' && c <= 'Z') return c - 'A';
        if (c >= 'a' && c <= 'z') return c - 'a' + 26;
        if (c >= '0' && c <= '9') return c - '0' + 52;
        if (c == digit_62) return 62;
        return c == digit_63 ? 63 : -1;
    }
};

constexpr Base64 kStandard = {'+', '/', true};
constexpr Base64 kUrlSafe = {'-', '_', false};

std::string encode(ByteView bytes, const Base64& base64) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (size_t at = 0; at < bytes.size(); at += 3) {
        const ByteView group = bytes.subspan(at, std::min<size_t>(3, bytes.size() - at));
        uint32_t bits = uint32_t{group[0]} << 16;
        if (group.size() > 1) bits |= uint32_t{group[1]} << 8;
        if (group.size() > 2) bits |= group[2];
        for (size_t i = 0; i <= group.size(); ++i) {
            text += base64.digit(bits >> (18 - 6 * i) & 63);
        }
        if (base64.is_padded) text.append(3 - group.size(), '=');
    }
    return text;
}

std::optional<std::string> decode(std::string_view text, const Base64& base64) {
    if (base64.is_padded) {
        if (text.size() % 4 != 0) return std::nullopt;
        if (text.ends_with('=')) text.remove_suffix(text.ends_with("==") ? 2 : 1);
    }
    if (text.size() % 4 == 1) return std::nullopt;
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3 + 2);
    uint32_t bits = 0;
    size_t bit_count = 0;
    for (const char c : text) {
        const int value = base64.value(c);
        if (value < 0) return std::nullopt;
        bits = bits << 6 | static_cast<uint32_t>(value);
        bit_count += 6;
        if (bit_count < 8) continue;
        bit_count -= 8;
        bytes += static_cast<char>(bits >> bit_count & 0xff);
    }
    // What is left over must be zero: each value has one text only.
    if ((bits & ((1U << bit_count) - 1)) != 0) return std::nullopt;
    return bytes;
}

}  // namespace

Sha256Digest sha256(ByteView message) {
    wc_Sha256 sha = start();
    Sha256Digest digest;
    update(sha, message);
    finish(sha, digest);
    return digest;
}

Sha256Digest hmac_sha256(ByteView key, ByteView message) {
    return KeyedHash(key).of(as_text(message));
}

bool equal_secret(ByteView a, ByteView b) {
    if (a.size() != b.size()) return false;
    uint8_t difference = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        difference = static_cast<uint8_t>(difference | (a[i] ^ b[i]));
        // The compiler may not know the value, so it cannot leave the loop early.
        __asm__("" : "+r"(difference));
    }
    return difference == 0;
}

void wipe(MutableBytes secret) {
    if (!secret.empty()) ::explicit_bzero(secret.data(), secret.size());
}

std::string encode_base64url(ByteView bytes) { return encode(bytes, kUrlSafe); }
std::optional<std::string> decode_base64url(std::string_view text) {
    return decode(text, kUrlSafe);
}
std::string encode_base64(ByteView bytes) { return encode(bytes, kStandard); }
std::optional<std::string> decode_base64(std::string_view text) { return decode(text, kStandard); }

// HMAC (RFC 2104) is H(key ^ opad | H(key ^ ipad | message)); both keyed blocks are absorbed here.
struct KeyedHash::State {
    wc_Sha256 inner = start();
    wc_Sha256 outer = start();

    explicit State(ByteView key) {
        std::array<uint8_t, WC_SHA256_BLOCK_SIZE> block{};
        if (key.size() > block.size()) {
            copy_bytes(block.data(), sha256(key));
        } else {
            copy_bytes(block.data(), key);
        }
        for (uint8_t& byte : block) byte ^= 0x36;
        update(inner, block);
        for (uint8_t& byte : block) byte ^= 0x36 ^ 0x5c;
        update(outer, block);
        wipe(block);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        wipe({reinterpret_cast<uint8_t*>(&inner), sizeof inner});
        wipe({reinterpret_cast<uint8_t*>(&outer), sizeof outer});
    }
};

KeyedHash::KeyedHash(ByteView key) : state_(std::make_unique<State>(key)) {}
KeyedHash::KeyedHash(KeyedHash&&) noexcept = default;
KeyedHash& KeyedHash::operator=(KeyedHash&&) noexcept = default;
KeyedHash::~KeyedHash() = default;

Sha256Digest KeyedHash::of(std::string_view first,
                           std::string_view second,
                           std::string_view third) {
    Sha256Digest digest;
    wc_Sha256 sha = state_->inner;
    update(sha, as_bytes(first));
    update(sha, as_bytes(second));
    update(sha, as_bytes(third));
    finish(sha, digest);
    sha = state_->outer;
    update(sha, digest);
    finish(sha, digest);
    return digest;
}

}  // namespace knuckle::crypto
