// SPDX-License-Identifier: GPL-3.0-or-later
// Which tokens an account has: the rows `owned` and `tally` of store/schema.h, kept true by whoever
// writes tokens. All within the transaction that `rows` stands for.
//
//     OwnedTokens owned(rows);
//     if (*owned.count(account) < tokens_max) owned.add({account, device}, hash);
//     owned.remove({account, device}, hashes)
//     auto hashes = owned.take(account)               whose token rows must go too
//
// Cost: count and add do not depend on how many there are; remove looks through the device's
// tokens once, 32 to a row, however many go. A damaged row counts for nothing and stays
// until its device goes. Owner and thread: the committer's.  Errors: LMDB's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/uuid.h"
#include "store/rows.h"
#include "store/schema.h"

namespace knuckle::store {

class OwnedTokens {
public:
    explicit OwnedTokens(Rows& rows) : rows_(rows) {}

    Result<uint32_t> count(const Uuid& account);
    // False: no room, long after every quota.
    Result<bool> add(const DeviceRef& ref, const LookupHash& token);
    // Those that are there.
    Result<void> remove(const DeviceRef& ref, OwnedHashes tokens);
    // Forgets all tokens of a device, or of an account, and returns what they were.
    Result<std::vector<LookupHash>> take(const DeviceRef& ref);
    Result<std::vector<LookupHash>> take(const Uuid& account);

private:
    // Some of a device's rows, by their place among its keys.
    using Parts = std::map<size_t, std::vector<LookupHash>>;

    Result<std::vector<LookupHash>> read(const RowKey& key);
    Result<void> write(const RowKey& key, OwnedHashes hashes);
    Result<void> fill_gaps(std::span<const RowKey> keys, Parts& parts);
    Result<std::vector<LookupHash>> take_all(const RowKey& front);
    Result<void> set_count(const Uuid& account, uint32_t count);

    Rows& rows_;
};

}  // namespace knuckle::store
