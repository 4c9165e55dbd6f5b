// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/vault.h"

#include "base/assert.h"

namespace knuckle::store {

Vault::Vault(const Keys& keys)
    : keyed_hash_(keys.lookup), current_{keys.current.id, crypto::Sealer(keys.current.key)} {
    if (keys.retiring) {
        retiring_.emplace(keys.retiring->id, crypto::Sealer(keys.retiring->key));
    }
}

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
    sealed[0] = current_.id;
    current_.sealer.seal(plain, row_key, random, sealed.subspan(1));
    return sealed;
}

std::optional<ByteView> Vault::open(ByteView row_key, ByteView sealed, PlainBytes& storage) {
    const auto id = key_id_of(sealed);
    if (!id || sealed.size() > kPlainMax + kSealOverhead) return std::nullopt;
    crypto::Sealer* sealer = nullptr;
    if (*id == current_.id) {
        sealer = &current_.sealer;
    } else if (retiring_ && *id == retiring_->id) {
        sealer = &retiring_->sealer;
    }
    const MutableBytes plain = MutableBytes(storage).first(sealed.size() - kSealOverhead);
    if (sealer == nullptr || !sealer->open(sealed.subspan(1), row_key, plain)) return std::nullopt;
    return plain;
}

std::optional<uint8_t> key_id_of(ByteView sealed) {
    if (sealed.size() < kSealOverhead) return std::nullopt;
    return sealed[0];
}

}  // namespace knuckle::store
