// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/upgrade.h"

#include <array>

#include "base/assert.h"
#include "store/schema.h"

namespace knuckle::store {

namespace {

struct Context {
    Rows& rows;
    Vault& vault;
    crypto::SecureRandom& random;
    UnixTime now;
};

// The new field is the last one, so a record is its predecessor and a time.
Result<void> add_seen(Context& context) {
    const auto keys = KNUCKLE_TRY(context.rows.list(RowKey(Table::accounts)));
    PlainBytes plain;
    SealedBytes sealed;
    std::array<uint8_t, sizeof(int64_t)> seen;
    save(seen.data(), static_cast<uint64_t>(context.now.us));
    for (const RowKey& key : keys) {
        const auto value = KNUCKLE_TRY(context.rows.get(key));
        const auto before = context.vault.open(key.view(), value.value_or(ByteView()), plain);
        if (!before || before->size() + seen.size() > plain.size()) continue;
        copy_bytes(plain.data() + before->size(), seen);
        const ByteView after = ByteView(plain).first(before->size() + seen.size());
        AccountRecord record;
        if (!decode(after, record)) continue;
        KNUCKLE_TRY(
            context.rows.put(key, context.vault.seal(key.view(), after, context.random, sealed)));
    }
    return {};
}

// Nothing has died yet that anybody noted. A version of before would leave feedback behind when it
// erases a device.
Result<void> begin_feedback(Context&) { return {}; }

// No row has an unseen serial yet. A version of before would call those damaged that have.
Result<void> begin_unseen(Context&) { return {}; }

// No device is proven until the provider takes its next push. A version of before would call those
// damaged that are.
Result<void> begin_proven(Context&) { return {}; }

// Rewrites what `from` has into what `from` + 1 has.
struct Step {
    uint32_t from;
    Result<void> (*apply)(Context& context);
};
// Without a gap up to kSchemaVersion.
constexpr std::array<Step, 4> kSteps = {
    {{1, add_seen}, {2, begin_feedback}, {3, begin_unseen}, {4, begin_proven}}};
static_assert(kSteps.size() == kSchemaVersion - 1);

}  // namespace

Result<void> upgrade(
    Rows& rows, Vault& vault, crypto::SecureRandom& random, uint32_t version, UnixTime now) {
    Context context{rows, vault, random, now};
    for (const Step& step : kSteps) {
        if (step.from != version) continue;
        KNUCKLE_TRY(step.apply(context));
        ++version;
    }
    KNUCKLE_ASSERT(version == kSchemaVersion);
    return {};
}

}  // namespace knuckle::store
