// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/owned_tokens.h"

#include <algorithm>
#include <optional>

namespace knuckle::store {

Result<uint32_t> OwnedTokens::count(const Uuid& account) {
    const RowKey key = tally_key(account);
    const auto value = KNUCKLE_TRY(rows_.get(key));
    if (!value) return uint32_t{0};
    if (const auto count = decode_count(*value)) return *count;
    // Damaged; the rows know.
    size_t sum = 0;
    for (const RowKey& row : KNUCKLE_TRY(rows_.list(key))) sum += KNUCKLE_TRY(read(row)).size();
    return static_cast<uint32_t>(sum);
}

Result<bool> OwnedTokens::add(const DeviceRef& ref, const LookupHash& token) {
    const uint32_t before = KNUCKLE_TRY(count(ref.account));
    uint16_t part = 0;
    std::vector<LookupHash> hashes;
    const auto last = KNUCKLE_TRY(rows_.last(owned_by(ref), owned_key(ref, kOwnedPartsMax)));
    if (const auto last_part = last ? parse_owned_key(last->view()) : std::nullopt) {
        part = *last_part;
        hashes = KNUCKLE_TRY(read(*last));
        if (hashes.empty() || hashes.size() == kOwnedPerRow) {  // empty: damaged
            if (part == kOwnedPartsMax) return false;
            ++part;
            hashes.clear();
        }
    }
    hashes.push_back(token);
    KNUCKLE_TRY(write(owned_key(ref, part), hashes));
    KNUCKLE_TRY(set_count(ref.account, before + 1));
    return true;
}

Result<void> OwnedTokens::remove(const DeviceRef& ref, const LookupHash& token) {
    const auto keys = KNUCKLE_TRY(rows_.list(owned_by(ref)));
    for (const RowKey& key : keys) {
        auto hashes = KNUCKLE_TRY(read(key));
        const auto found = std::ranges::find(hashes, token);
        if (found == hashes.end()) continue;
        const uint32_t before = KNUCKLE_TRY(count(ref.account));
        // The very last one takes its place, so that all parts but the last stay full.
        const RowKey& last_key = keys.back();
        auto last = KNUCKLE_TRY(read(last_key));
        if (&key == &last_key || last.empty()) {
            *found = hashes.back();
            hashes.pop_back();
        } else {
            *found = last.back();
            last.pop_back();
            KNUCKLE_TRY(write(last_key, last));
        }
        KNUCKLE_TRY(write(key, hashes));
        return set_count(ref.account, before - std::min(before, 1U));
    }
    return {};
}

Result<std::vector<LookupHash>> OwnedTokens::take(const DeviceRef& ref) {
    const uint32_t before = KNUCKLE_TRY(count(ref.account));
    auto tokens = KNUCKLE_TRY(take_all(owned_by(ref)));
    const auto gone = static_cast<uint32_t>(std::min<size_t>(before, tokens.size()));
    if (gone > 0) KNUCKLE_TRY(set_count(ref.account, before - gone));
    return tokens;
}

Result<std::vector<LookupHash>> OwnedTokens::take(const Uuid& account) {
    return take_all(tally_key(account));
}

// Empty if the row is absent, damaged, or the tally.
Result<std::vector<LookupHash>> OwnedTokens::read(const RowKey& key) {
    std::vector<LookupHash> hashes;
    const auto value = KNUCKLE_TRY(rows_.get(key));
    if (!value || !parse_owned_key(key.view())) return hashes;
    if (const auto owned = decode_owned(*value)) hashes.assign(owned->begin(), owned->end());
    return hashes;
}

Result<void> OwnedTokens::write(const RowKey& key, OwnedHashes hashes) {
    if (hashes.empty()) return rows_.erase(key);
    return rows_.put(key, encode_owned(hashes));
}

Result<std::vector<LookupHash>> OwnedTokens::take_all(const RowKey& front) {
    std::vector<LookupHash> tokens;
    for (const RowKey& key : KNUCKLE_TRY(rows_.list(front))) {
        const auto hashes = KNUCKLE_TRY(read(key));
        tokens.insert(tokens.end(), hashes.begin(), hashes.end());
        KNUCKLE_TRY(rows_.erase(key));
    }
    return tokens;
}

Result<void> OwnedTokens::set_count(const Uuid& account, uint32_t count) {
    const RowKey key = tally_key(account);
    if (count == 0) return rows_.erase(key);
    return rows_.put(key, encode_count(count));
}

}  // namespace knuckle::store
