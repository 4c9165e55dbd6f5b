// SPDX-License-Identifier: GPL-3.0-or-later
// Reads provider tokens as strictly as the standards allow (RFC 7515, RFC 7518 section 3.4;
// providers.md A.2), so that a gateway which passes here passes at Apple: three parts of unpadded
// base64url; a header with alg ES256 and a kid that is known; claims with the key's own team as iss
// and iat as an integer; a signature of exactly 64 bytes that the public key verifies. Apple itself
// is said to take DER signatures and padding too.
//
//     ProviderTokens tokens;
//     tokens.add({.key_id = "...", .team_id = "...", .pem = p8})     a .p8 file, or its public half
//     const ProviderToken* token = tokens.find(jwt);                 nullptr: InvalidProviderToken
//
// Says nothing about age: that depends on the time, and a token is read once and remembered by its
// text. Thread: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/bytes.h"
#include "base/result.h"

namespace knuckle::mock {

// What an operator downloads from Apple, and the two names that come with it.
struct ApnsKey {
    std::string key_id;
    std::string team_id;
    std::string pem;
};

struct ProviderToken {
    std::string text;
    std::string_view key_id;  // of the key that signed it
    std::string_view team_id;
    int64_t issued_at = 0;  // seconds since 1970
};

class ProviderTokens {
public:
    static constexpr size_t kRememberedMax = 1'024;
    static constexpr size_t kTokenSizeMax = 4'096;

    ProviderTokens();
    ~ProviderTokens();
    ProviderTokens(const ProviderTokens&) = delete;
    ProviderTokens& operator=(const ProviderTokens&) = delete;

    Result<void> add(const ApnsKey& key);
    // Lives as long as this object.
    [[nodiscard]] const ProviderToken* find(std::string_view jwt);

private:
    struct Key;

    [[nodiscard]] const Key* find_key(std::string_view key_id) const;
    [[nodiscard]] std::optional<ProviderToken> read(std::string_view jwt) const;

    std::list<Key> keys_;
    std::list<ProviderToken> tokens_;
    std::unordered_map<std::string_view, const ProviderToken*> by_text_;
};

}  // namespace knuckle::mock
