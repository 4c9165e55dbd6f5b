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

Result<void> OwnedTokens::remove(const DeviceRef& ref, OwnedHashes tokens) {
    std::vector<LookupHash> gone(tokens.begin(), tokens.end());
    std::ranges::sort(gone);
    const auto keys = KNUCKLE_TRY(rows_.list(owned_by(ref)));
    Parts parts;
    size_t count_gone = 0;
    for (size_t place = 0; place < keys.size() && count_gone < gone.size(); ++place) {
        auto hashes = KNUCKLE_TRY(read(keys[place]));
        const size_t count_here = std::erase_if(hashes, [&gone](const LookupHash& hash) {
            return std::ranges::binary_search(gone, hash);
        });
        if (count_here > 0) parts.emplace(place, std::move(hashes));
        count_gone += count_here;
    }
    if (count_gone == 0) return {};
    const uint32_t before = KNUCKLE_TRY(count(ref.account));
    KNUCKLE_TRY(fill_gaps(keys, parts));
    for (const auto& [place, hashes] : parts) KNUCKLE_TRY(write(keys[place], hashes));
    return set_count(ref.account,
                     before - static_cast<uint32_t>(std::min<size_t>(before, count_gone)));
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

// The very last tokens take the places of those that went from `parts`, so that all rows but the
// last stay full. The rows they came from join `parts`.
Result<void> OwnedTokens::fill_gaps(std::span<const RowKey> keys, Parts& parts) {
    size_t last = keys.size() - 1;
    for (auto& [place, hashes] : parts) {
        while (hashes.size() < kOwnedPerRow && place < last) {
            if (!parts.contains(last)) {
                auto tail = KNUCKLE_TRY(read(keys[last]));
                if (!tail.empty()) parts.emplace(last, std::move(tail));
            }
            const auto tail = parts.find(last);
            if (tail == parts.end() || tail->second.empty()) {
                --last;  // damaged, or used up
                continue;
            }
            hashes.push_back(tail->second.back());
            tail->second.pop_back();
        }
    }
    return {};
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
