// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/upgrade.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/assert.h"
#include "store/schema.h"

namespace knuckle::store {

namespace {

// How many rows are read at a time.
constexpr size_t kPieceSize = 1'000;

struct Context {
    Rows& rows;
    Vault& vault;
    crypto::SecureRandom& random;
    UnixTime now;
    PlainBytes plain{};
    SealedBytes sealed{};
    std::array<uint8_t, kExpirySize + sizeof(SealedBytes)> value{};
};

// `rewrite` may change the row, but neither add one to the table nor take one away.
Result<void> for_each_key(Context& context,
                          Table table,
                          Result<void> (*rewrite)(Context& context, const RowKey& key)) {
    const RowKey front(table);
    std::vector<RowKey> keys = {front};
    while (!keys.empty()) {
        // One more than a piece has: where the next one begins.
        const RowKey from = keys.back();
        keys.clear();
        for (const RowView& row : KNUCKLE_TRY(context.rows.list(front, from, kPieceSize + 1))) {
            if (const auto key = RowKey::from(row.key)) keys.push_back(*key);
        }
        const size_t count = std::min(keys.size(), kPieceSize);
        for (size_t i = 0; i < count; ++i) KNUCKLE_TRY(rewrite(context, keys[i]));
        if (count == keys.size()) break;
    }
    return {};
}

// The new field is the last one, so a record is its predecessor and a time.
Result<void> add_seen(Context& context, const RowKey& key) {
    PlainBytes& plain = context.plain;
    std::array<uint8_t, sizeof(int64_t)> seen;
    save(seen.data(), static_cast<uint64_t>(context.now.us));
    const auto value = KNUCKLE_TRY(context.rows.get(key));
    const auto before = context.vault.open(key.view(), value.value_or(ByteView()), plain);
    if (!before || before->size() + seen.size() > plain.size()) return {};
    copy_bytes(plain.data() + before->size(), seen);
    const ByteView after = ByteView(plain).first(before->size() + seen.size());
    AccountRecord record;
    if (!decode(after, record)) return {};
    return context.rows.put(key,
                            context.vault.seal(key.view(), after, context.random, context.sealed));
}

Result<void> begin_seen(Context& context) {
    return for_each_key(context, Table::accounts, add_seen);
}

// Nothing has died yet that anybody noted. A version of before would leave feedback behind when it
// erases a device.
Result<void> begin_feedback(Context&) { return {}; }

// No row has an unseen serial yet. A version of before would call those damaged that have.
Result<void> begin_unseen(Context&) { return {}; }

// No device is proven until the provider takes its next push. A version of before would call those
// damaged that are.
Result<void> begin_proven(Context&) { return {}; }

// A record is its predecessor, but for the two times behind its ids. What stands in the clear is in
// whole seconds already.
Result<void> shorten_times(Context& context, const RowKey& key) {
    constexpr size_t kBegin = 2 * kUuidSize;
    constexpr size_t kBeforeEnd = kBegin + 2 * sizeof(int64_t);
    constexpr size_t kAfterEnd = kBegin + 2 * sizeof(uint32_t);
    PlainBytes& plain = context.plain;
    const auto value = KNUCKLE_TRY(context.rows.get(key));
    if (!value || value->size() < kExpirySize) return {};
    const auto before = context.vault.open(key.view(), value->subspan(kExpirySize), plain);
    if (!before || before->size() < kBeforeEnd) return {};
    FieldReader times(before->subspan(kBegin));
    const UnixTime expires = second_after(times.time());
    const UnixTime created = second_before(times.time());
    FieldWriter(MutableBytes(plain).subspan(kBegin)).seconds(expires).seconds(created);
    std::copy(plain.data() + kBeforeEnd, plain.data() + before->size(), plain.data() + kAfterEnd);
    const ByteView after = ByteView(plain).first(before->size() - (kBeforeEnd - kAfterEnd));
    TokenRecord record;
    if (!decode(after, record)) return {};
    const ByteView sealed = context.vault.seal(key.view(), after, context.random, context.sealed);
    copy_bytes(context.value.data(), value->first(kExpirySize));
    copy_bytes(context.value.data() + kExpirySize, sealed);
    return context.rows.put(key, ByteView(context.value).first(kExpirySize + sealed.size()));
}

Result<void> begin_whole_seconds(Context& context) {
    return for_each_key(context, Table::tokens, shorten_times);
}

// Rewrites what `from` has into what `from` + 1 has.
struct Step {
    uint32_t from;
    Result<void> (*apply)(Context& context);
};
// Without a gap up to kSchemaVersion.
constexpr std::array<Step, 5> kSteps = {{{1, begin_seen},
                                         {2, begin_feedback},
                                         {3, begin_unseen},
                                         {4, begin_proven},
                                         {5, begin_whole_seconds}}};
static_assert(kSteps.size() == kSchemaVersion - 1);

}  // namespace

Result<void> upgrade(
    Rows& rows, Vault& vault, crypto::SecureRandom& random, uint32_t version, UnixTime now) {
    Context context{.rows = rows, .vault = vault, .random = random, .now = now};
    for (const Step& step : kSteps) {
        if (step.from != version) continue;
        KNUCKLE_TRY(step.apply(context));
        ++version;
    }
    KNUCKLE_ASSERT(version == kSchemaVersion);
    return {};
}

}  // namespace knuckle::store
