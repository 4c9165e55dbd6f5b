// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/lmdb_env.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace knuckle::store {

namespace {

// As a number that is compared like the octets.
uint64_t first_eight(const MDB_val& key) {
    uint64_t octets = 0;
    std::memcpy(&octets, key.mv_data, sizeof octets);
    static_assert(std::endian::native == std::endian::little);
    return __builtin_bswap64(octets);
}

}  // namespace

Result<Transaction> Transaction::begin_write(MDB_env* env) {
    MDB_txn* txn = nullptr;
    if (const int code = mdb_txn_begin(env, nullptr, 0, &txn)) return storage_error(code);
    return Transaction(txn);
}

Result<Transaction> Transaction::begin_read(MDB_env* env) {
    MDB_txn* txn = nullptr;
    if (const int code = mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn)) return storage_error(code);
    return Transaction(txn);
}

// The environment is opened with MDB_NOMETASYNC and synced here a second time, which costs the same
// as LMDB's own synchronous write of the meta page. But if that write fails, LMDB declares the
// environment broken and lets nobody read any more (MDB_PANIC), and knocks must go on. Between the
// two, readers may see what is not yet sure to survive a power cut; nobody has been answered then.
Result<void> Transaction::commit() {
    MDB_env* const env = mdb_txn_env(txn_);
    if (const int code = mdb_txn_commit(std::exchange(txn_, nullptr))) return storage_error(code);
    if (const int code = mdb_env_sync(env, 1)) return storage_error(code);
    return {};
}

void Transaction::abort() {
    if (txn_ != nullptr) mdb_txn_abort(std::exchange(txn_, nullptr));
}

Result<Cursor> Cursor::open(MDB_txn* txn, MDB_dbi tree) {
    MDB_cursor* cursor = nullptr;
    if (const int code = mdb_cursor_open(txn, tree, &cursor)) return storage_error(code);
    return Cursor(cursor);
}

Result<bool> Cursor::move(MDB_cursor_op how, MDB_val& key, MDB_val& value) {
    const int code = mdb_cursor_get(cursor_.get(), &key, &value, how);
    if (code != 0 && code != MDB_NOTFOUND) return storage_error(code);
    return code == 0;
}

int compare_keys(const MDB_val* left, const MDB_val* right) {
    const size_t shared = std::min(left->mv_size, right->mv_size);
    if (shared >= sizeof(uint64_t)) {
        const uint64_t left_front = first_eight(*left);
        const uint64_t right_front = first_eight(*right);
        if (left_front != right_front) return left_front < right_front ? -1 : 1;
    }
    const int order = std::memcmp(left->mv_data, right->mv_data, shared);
    if (order != 0 || left->mv_size == right->mv_size) return order;
    return left->mv_size < right->mv_size ? -1 : 1;
}

Error storage_error(int code) {
    switch (code) {
        case MDB_MAP_FULL:
            return fail(Errc::storage, "the database has reached its largest size", code);
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
            return fail(Errc::storage, "no room for the database on its disk", code);
        case EIO:
            return fail(Errc::storage, "the disk of the database reports an I/O error", code);
        case EROFS:
            return fail(Errc::storage, "the disk of the database is read-only", code);
        case MDB_PANIC:
            return fail(Errc::storage, "the database failed and needs a restart of Knuckle", code);
        case MDB_READERS_FULL:
            return fail(Errc::storage, "too many readers of the database", code);
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
        case MDB_INVALID:
            return fail(Errc::storage, "the database is damaged; restore it from a backup", code);
        default:
            return fail(Errc::storage, "the database cannot be read or written", code);
    }
}

}  // namespace knuckle::store
