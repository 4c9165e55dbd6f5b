// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/rows.h"

#include "store/lmdb_env.h"

namespace knuckle::store {

Result<std::optional<ByteView>> Rows::get(const RowKey& key) {
    MDB_val lmdb_key = to_val(key.view());
    MDB_val lmdb_value;
    const int code = mdb_get(txn_, env_->tree, &lmdb_key, &lmdb_value);
    if (code == MDB_NOTFOUND) return std::optional<ByteView>();
    if (code != 0) return storage_error(code);
    return std::optional(to_view(lmdb_value));
}

Result<bool> Rows::has(const RowKey& key) { return KNUCKLE_TRY(get(key)).has_value(); }

Result<void> Rows::put(const RowKey& key, ByteView value) {
    note_change(key);
    MDB_val lmdb_key = to_val(key.view());
    MDB_val lmdb_value = to_val(value);
    const int code = mdb_put(txn_, env_->tree, &lmdb_key, &lmdb_value, 0);
    if (code != 0) return storage_error(code);
    return {};
}

Result<void> Rows::erase(const RowKey& key) {
    note_change(key);
    MDB_val lmdb_key = to_val(key.view());
    const int code = mdb_del(txn_, env_->tree, &lmdb_key, nullptr);
    if (code != 0 && code != MDB_NOTFOUND) return storage_error(code);
    return {};
}

void Rows::note_change(const RowKey& key) {
    if (!RowKey(Table::devices).is_front_of(key.view())) return;
    const auto ref = parse_device_key(key.view());
    if (ref) env_->device_changes.note(ref->account, mdb_txn_id(txn_));
}

Result<std::vector<RowKey>> Rows::list(const RowKey& front, size_t count_max) {
    std::vector<RowKey> keys;
    Cursor cursor = KNUCKLE_TRY(Cursor::open(txn_, env_->tree));
    MDB_val lmdb_key = to_val(front.view());
    MDB_val lmdb_value;
    for (MDB_cursor_op move = MDB_SET_RANGE; keys.size() < count_max; move = MDB_NEXT) {
        const bool is_found = KNUCKLE_TRY(cursor.move(move, lmdb_key, lmdb_value));
        if (!is_found || !front.is_front_of(to_view(lmdb_key))) break;
        // Longer ones are none of ours.
        if (const auto key = RowKey::from(to_view(lmdb_key))) keys.push_back(*key);
    }
    return keys;
}

Result<std::vector<RowView>> Rows::list(const RowKey& front, const RowKey& from, size_t count_max) {
    std::vector<RowView> rows;
    Cursor cursor = KNUCKLE_TRY(Cursor::open(txn_, env_->tree));
    MDB_val lmdb_key = to_val(from.view());
    MDB_val lmdb_value;
    for (MDB_cursor_op move = MDB_SET_RANGE; rows.size() < count_max; move = MDB_NEXT) {
        const bool is_found = KNUCKLE_TRY(cursor.move(move, lmdb_key, lmdb_value));
        if (!is_found || !front.is_front_of(to_view(lmdb_key))) break;
        if (lmdb_key.mv_size <= kKeyMax) rows.push_back({to_view(lmdb_key), to_view(lmdb_value)});
    }
    return rows;
}

Result<void> Rows::erase_all(const RowKey& front) {
    for (const RowKey& key : KNUCKLE_TRY(list(front))) KNUCKLE_TRY(erase(key));
    return {};
}

Result<std::optional<RowKey>> Rows::last(const RowKey& front, const RowKey& bound) {
    Cursor cursor = KNUCKLE_TRY(Cursor::open(txn_, env_->tree));
    MDB_val lmdb_key = to_val(bound.view());
    MDB_val lmdb_value;
    // The first row that is not less than the bound, or behind the end of the tree.
    bool is_found = KNUCKLE_TRY(cursor.move(MDB_SET_RANGE, lmdb_key, lmdb_value));
    const bool is_bound = is_found && as_text(to_view(lmdb_key)) == as_text(bound.view());
    if (!is_bound) {
        const MDB_cursor_op back = is_found ? MDB_PREV : MDB_LAST;
        is_found = KNUCKLE_TRY(cursor.move(back, lmdb_key, lmdb_value));
    }
    if (!is_found || !front.is_front_of(to_view(lmdb_key))) return std::optional<RowKey>();
    return RowKey::from(to_view(lmdb_key));
}

}  // namespace knuckle::store
