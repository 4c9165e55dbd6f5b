// SPDX-License-Identifier: GPL-3.0-or-later
// What the keys do for the rows: finds the key of a row by a name that is not on disk, and
// seals what the row says. store/schema.h has both as grammar.
//
//     Vault vault(keys);
//     const RowKey key = hashed_key(Table::tokens, vault.hash(Table::tokens, app, text));
//     ByteView value = vault.seal(key.view(), plain, random, storage);
//     auto plain = vault.open(key.view(), value, storage);      empty: damaged, or of another row
//
// It seals under the current key, and opens by the key that the value names: that one, or the
// retiring one.
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
    struct Seal {
        uint8_t id;
        crypto::Sealer sealer;
    };

    crypto::KeyedHash keyed_hash_;
    Seal current_;
    std::optional<Seal> retiring_;
};

// The id of the key that `sealed` says it is under. Empty: it is damaged.
[[nodiscard]] std::optional<uint8_t> key_id_of(ByteView sealed);

}  // namespace knuckle::store
