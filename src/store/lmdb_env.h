// SPDX-License-Identifier: GPL-3.0-or-later
// What the files of this folder share of LMDB: the open environment, a transaction that cannot be
// forgotten, a cursor. Not for other folders. Owner and thread: as in store/env.h.
#pragma once

#include <memory>
#include <utility>

#include <lmdb.h>

#include "base/bytes.h"
#include "base/result.h"
#include "store/device_changes.h"
#include "store/env.h"
#include "store/file.h"

namespace knuckle::store {

struct CloseEnv {
    void operator()(MDB_env* env) const { mdb_env_close(env); }
};

struct Env::State {
    Keys keys;
    File lock;  // released last
    std::unique_ptr<MDB_env, CloseEnv> lmdb;
    MDB_dbi tree = 0;
    DeviceChanges device_changes;

    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() { wipe(keys); }
};

// A transaction that aborts unless it was committed.
class Transaction {
public:
    // The whole batch fails with the error of any step, so each says what it was about.
    [[nodiscard]] static Result<Transaction> begin_write(MDB_env* env);
    [[nodiscard]] static Result<Transaction> begin_read(MDB_env* env);

    Transaction(Transaction&& other) noexcept : txn_(std::exchange(other.txn_, nullptr)) {}
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction() { abort(); }

    [[nodiscard]] MDB_txn* get() const { return txn_; }
    // Written and synced: once this has succeeded a crash loses nothing of it.
    Result<void> commit();
    void abort();

private:
    explicit Transaction(MDB_txn* txn) : txn_(txn) {}

    MDB_txn* txn_;
};

// The place of a reader in the tree. No cursor stays open while rows are written or erased: LMDB
// 0.9.31 may leave it on the wrong row.
class Cursor {
public:
    [[nodiscard]] static Result<Cursor> open(MDB_txn* txn, MDB_dbi tree);
    // False: there is no such row.
    Result<bool> move(MDB_cursor_op how, MDB_val& key, MDB_val& value);

private:
    struct Close {
        void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
    };
    explicit Cursor(MDB_cursor* cursor) : cursor_(cursor) {}

    std::unique_ptr<MDB_cursor, Close> cursor_;
};

// The order of the rows, for mdb_set_compare(): that of LMDB itself, so it is no property of the
// file. A look-up compares two dozen keys, which nearly always differ in their first eight octets.
[[nodiscard]] int compare_keys(const MDB_val* left, const MDB_val* right);

// An LMDB code as our error; `code` is not MDB_SUCCESS.
[[nodiscard]] Error storage_error(int code);

inline MDB_val to_val(ByteView bytes) {
    // LMDB only reads what it is given here.
    return {bytes.size(), const_cast<uint8_t*>(bytes.data())};
}
inline ByteView to_view(const MDB_val& value) {
    return {static_cast<const uint8_t*>(value.mv_data), value.mv_size};
}

}  // namespace knuckle::store
