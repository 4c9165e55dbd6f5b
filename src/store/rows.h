// SPDX-License-Identifier: GPL-3.0-or-later
// Rows of the tree within one transaction, which reads or writes. An error is LMDB's, and the
// transaction is then good for nothing but an abort. All writing goes through here, as
// tests/tidy_test.cc sees to, and so it is here that a change of a device is noted for the readers,
// before it can be committed (store/device_changes.h).
// A value that was found stays where it is only until the next write, or the transaction's end.
// Owner and thread: the transaction's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <lmdb.h>

#include "base/bytes.h"
#include "base/result.h"
#include "store/env.h"
#include "store/schema.h"

namespace knuckle::store {

struct RowView {
    ByteView key;
    ByteView value;
};

class Rows {
public:
    Rows() = default;
    Rows(MDB_txn* txn, Env::State& env) : txn_(txn), env_(&env) {}

    Result<std::optional<ByteView>> get(const RowKey& key);
    Result<bool> has(const RowKey& key);
    Result<void> put(const RowKey& key, ByteView value);
    // Nothing, if there is no such row.
    Result<void> erase(const RowKey& key);

    // The keys that begin with `front`, in their order, at most `count_max` of them.
    Result<std::vector<RowKey>> list(const RowKey& front, size_t count_max = SIZE_MAX);
    // The same with their values, from `from` on.
    Result<std::vector<RowView>> list(const RowKey& front, const RowKey& from, size_t count_max);
    Result<void> erase_all(const RowKey& front);
    // The last key that begins with `front` and is not greater than `bound`.
    Result<std::optional<RowKey>> last(const RowKey& front, const RowKey& bound);

private:
    void note_change(const RowKey& key);

    MDB_txn* txn_ = nullptr;
    Env::State* env_ = nullptr;
};

}  // namespace knuckle::store
