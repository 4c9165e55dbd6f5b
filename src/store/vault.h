// SPDX-License-Identifier: GPL-3.0-or-later
// What the two keys do for the rows: finds the key of a row by a name that is not on disk, and
// seals what the row says. store/schema.h has both as grammar.
//
//     Vault vault(keys);
//     const RowKey key = hashed_key(Table::tokens, vault.hash(Table::tokens, app, text));
//     ByteView value = vault.seal(key.view(), plain, random, storage);
//     auto plain = vault.open(key.view(), value, storage);      empty: damaged, or of another row
//
// Allocates nothing after construction. Owner: one reader or the committer.  Thread: its owner's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "crypto/seal.h"
#include "store/keys.h"
#include "store/schema.h"

namespace knuckle::store {

inline constexpr uint8_t kSealKeyId = 1;
inline constexpr size_t kSealOverhead = 1 + crypto::Sealer::kOverhead;
using SealedBytes = std::array<uint8_t, kPlainMax + kSealOverhead>;

class Vault {
public:
    explicit Vault(const Keys& keys);

    [[nodiscard]] LookupHash hash(Table table, std::string_view app, std::string_view text);

    // `plain` has at most kPlainMax bytes. What is returned lies in `storage`.
    [[nodiscard]] ByteView seal(ByteView row_key,
                                ByteView plain,
                                crypto::SecureRandom& random,
                                SealedBytes& storage);
    [[nodiscard]] std::optional<ByteView> open(ByteView row_key,
                                               ByteView sealed,
                                               PlainBytes& storage);

private:
    crypto::KeyedHash keyed_hash_;
    crypto::Sealer sealer_;
};

}  // namespace knuckle::store
