// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/vault.h"

#include "base/assert.h"

namespace knuckle::store {

Vault::Vault(const Keys& keys) : keyed_hash_(keys.lookup), sealer_(keys.seal) {}

LookupHash Vault::hash(Table table, std::string_view app, std::string_view text) {
    const std::array<char, 2> separator = {'\0', static_cast<char>(table)};
    const crypto::Sha256Digest digest =
        keyed_hash_.of(app, {separator.data(), separator.size()}, text);
    LookupHash hash;
    copy_bytes(hash.data(), ByteView(digest).first(hash.size()));
    return hash;
}

ByteView Vault::seal(ByteView row_key,
                     ByteView plain,
                     crypto::SecureRandom& random,
                     SealedBytes& storage) {
    KNUCKLE_ASSERT(plain.size() <= kPlainMax);
    const MutableBytes sealed = MutableBytes(storage).first(plain.size() + kSealOverhead);
    sealed[0] = kSealKeyId;
    sealer_.seal(plain, row_key, random, sealed.subspan(1));
    return sealed;
}

std::optional<ByteView> Vault::open(ByteView row_key, ByteView sealed, PlainBytes& storage) {
    if (sealed.size() < kSealOverhead || sealed.size() > kPlainMax + kSealOverhead) {
        return std::nullopt;
    }
    if (sealed[0] != kSealKeyId) return std::nullopt;
    const MutableBytes plain = MutableBytes(storage).first(sealed.size() - kSealOverhead);
    if (!sealer_.open(sealed.subspan(1), row_key, plain)) return std::nullopt;
    return plain;
}

}  // namespace knuckle::store
