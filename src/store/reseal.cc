// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/reseal.h"

#include <utility>

#include "base/log.h"
#include "store/key_file.h"
#include "store/lmdb_env.h"
#include "store/schema.h"

namespace knuckle::store {

namespace {

enum class Kind : uint8_t { other, retiring, damaged };

// Under which key a row is. What lacks a sealed part, or is under the current key, does not concern
// us; check rows belong to their keys.
Kind kind_of(ByteView key, ByteView value, const Keys& keys) {
    const auto table = static_cast<Table>(key[0]);
    const auto begin = sealed_part_of(table);
    if (!begin || table == Table::check) return Kind::other;
    const auto id = value.size() < *begin ? std::nullopt : key_id_of(value.subspan(*begin));
    if (!id || !keys.has_seal(*id)) return Kind::damaged;
    return *id == keys.current.id ? Kind::other : Kind::retiring;
}

}  // namespace

// What a step has met before it writes.
struct Resealer::Visit {
    std::vector<RowKey> retiring;
    uint64_t damaged = 0;
    std::vector<uint8_t> next;  // where the next step begins; empty: there is no more
};

Resealer::Resealer(const Env& env, crypto::SecureRandom& random, std::string key_path)
    : env_(env.state()),
      random_(random),
      vault_(env_.keys),
      key_path_(std::move(key_path)),
      retiring_(env_.keys.retiring_id()) {
    counts_.under_way.set(retiring_ != 0 ? 1 : 0);
}

Result<bool> Resealer::step() {
    if (!is_under_way()) return false;
    if (!std::exchange(is_begun_, true)) begin();
    Transaction transaction = KNUCKLE_TRY(Transaction::begin_write(env_.lmdb.get()));
    Rows rows(transaction.get(), env_);
    Visit met = KNUCKLE_TRY(visit(transaction));
    uint64_t resealed = 0;
    for (const RowKey& key : met.retiring) {
        ++(KNUCKLE_TRY(reseal(rows, key)) ? resealed : met.damaged);
    }
    const bool is_last = met.next.empty();
    if (is_last) KNUCKLE_TRY(forget_retiring_key(rows));
    if (is_last || resealed > 0) KNUCKLE_TRY(transaction.commit());

    next_ = std::move(met.next);
    counts_.resealed.add(resealed);
    counts_.damaged.add(met.damaged);
    if (is_last) end();
    return is_under_way();
}

Result<Resealer::Visit> Resealer::visit(const Transaction& transaction) const {
    Visit met;
    Cursor cursor = KNUCKLE_TRY(Cursor::open(transaction.get(), env_.tree));
    MDB_val lmdb_key = to_val(next_);
    MDB_val lmdb_value;
    MDB_cursor_op move = MDB_SET_RANGE;
    for (size_t visited = 0; KNUCKLE_TRY(cursor.move(move, lmdb_key, lmdb_value)); ++visited) {
        move = MDB_NEXT;
        const ByteView key = to_view(lmdb_key);
        if (visited == kVisitedPerStep || met.retiring.size() == kResealedPerStep) {
            met.next.assign(key.begin(), key.end());
            break;
        }
        const Kind kind = kind_of(key, to_view(lmdb_value), env_.keys);
        const auto row_key = RowKey::from(key);  // longer ones are none of ours
        if (kind == Kind::retiring && row_key) met.retiring.push_back(*row_key);
        if (kind == Kind::damaged) ++met.damaged;
    }
    return met;
}

// The new value has the size of the old one, so that no page splits.
Result<bool> Resealer::reseal(Rows& rows, const RowKey& key) {
    const auto value = KNUCKLE_TRY(rows.get(key));
    const size_t begin = sealed_part_of(static_cast<Table>(key.view()[0])).value_or(0);
    if (!value || value->size() < begin) return false;
    const auto plain = vault_.open(key.view(), value->subspan(begin), plain_);
    if (!plain) return false;
    const ByteView sealed = vault_.seal(key.view(), *plain, random_, sealed_);
    copy_bytes(value_.data(), value->first(begin));
    copy_bytes(value_.data() + begin, sealed);
    KNUCKLE_TRY(rows.put(key, ByteView(value_).first(begin + sealed.size())));
    return true;
}

// From here on the database opens without it. Rows that it does not open are not worth keeping the
// start from succeeding.
Result<void> Resealer::forget_retiring_key(Rows& rows) {
    for (const RowKey& check : KNUCKLE_TRY(rows.list(RowKey(Table::check)))) {
        const auto value = KNUCKLE_TRY(rows.get(check));
        if (value && key_id_of(*value) == retiring_) KNUCKLE_TRY(rows.erase(check));
    }
    return {};
}

void Resealer::begin() const {
    log::notice("key_rotation_began")
        .field("key", env_.keys.current.id)
        .field("retiring", retiring_);
}

void Resealer::end() {
    counts_.under_way.set(0);
    const uint64_t damaged = counts_.damaged.get();
    if (damaged > 0) {
        log::error("key_rotation_incomplete")
            .field("retiring", retiring_)
            .field("damaged", damaged);
        return;
    }
    log::notice("key_rotation_ended")
        .field("key", env_.keys.current.id)
        .field("resealed", counts_.resealed.get());
    if (const auto retired = retire_key(key_path_, env_.keys); !retired) {
        log::warning("retired_key_left").field("key", retiring_).field("error", retired.error());
    }
}

}  // namespace knuckle::store
