// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/committer.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "store/feedback_log.h"
#include "store/lmdb_env.h"
#include "store/owned_tokens.h"
#include "store/pending_row.h"
#include "store/rows.h"
#include "store/schema.h"
#include "store/vault.h"

namespace knuckle::store {

namespace {

// How a row was met. An LMDB error is none of these: it fails the batch.
enum class Row : uint8_t { sound, absent, damaged };

WriteStatus refusal(Row row) {
    return row == Row::absent ? WriteStatus::not_found : WriteStatus::failed;
}

}  // namespace

struct Committer::State {
    State(const Env& env, crypto::SecureRandom& source, const PendingLimits& limits)
        : env_state(env.state()), random(source), vault(env.state().keys), ledger(limits) {}

    template <typename Record>
    Result<Row> read(const RowKey& key, Record& record, size_t clear_size = 0);
    Result<void> put_sealed(const RowKey& key, ByteView plain);
    RowKey token_key(std::string_view app, std::string_view text, LookupHash& hash);
    Result<void> put_token(const RowKey& key, ByteView plain, UnixTime expires);
    Result<void> erase_tokens(std::span<const LookupHash> tokens);
    Result<Expired> expire(std::span<const LookupHash> tokens, UnixTime now);
    Result<void> count_pending();
    PendingLedger::Row note_of(const RowKey& key, ByteView value);
    Result<WriteStatus> put_pending(const RowKey& key, const Pending& pending);
    Result<void> erase_pending(const RowKey& key);

    // One function per kind of write.
    Result<WriteStatus> apply(const CreateAccount& change);
    Result<WriteStatus> apply(const SetPasswordHash& change);
    Result<WriteStatus> apply(const SetAuthToken& change);
    Result<WriteStatus> apply(const TouchAccount& change);
    Result<WriteStatus> apply(const DeleteAccount& change);
    Result<WriteStatus> apply(const CreateDevice& change);
    Result<WriteStatus> apply(const UpdateDevice& change);
    Result<WriteStatus> apply(const DeleteDevice& change);
    Result<WriteStatus> apply(const MarkDeviceDead& change);
    Result<WriteStatus> apply(const MarkDeviceProven& change);
    Result<WriteStatus> apply(const CreateToken& change);
    Result<WriteStatus> apply(const UpdateToken& change);
    Result<WriteStatus> apply(const DeleteToken& change);
    Result<WriteStatus> apply(const PutPending& change);
    Result<WriteStatus> apply(const ClearPending& change);
    Result<WriteStatus> apply(const NoteFeedbackSent& change);
    Result<WriteStatus> apply(const TrimFeedback& change);
    // done: the account is there, and of this app.
    Result<WriteStatus> check_owner(const Uuid& account, std::string_view app);
    Result<void> report(Feedback&& event);
    Result<void> apply_all(std::span<const Write> writes, std::span<WriteStatus> statuses);

    Env::State& env_state;
    Rows rows;  // of the batch being applied
    OwnedTokens owned{rows};
    crypto::SecureRandom& random;
    Vault vault;
    FeedbackLog feedback{rows, vault, random};
    PendingLedger ledger;
    bool has_counted = false;  // the ledger knows what was there before us
    PlainBytes read_plain;     // what the record read last points into
    PlainBytes write_plain;
    SealedBytes sealed;
    std::array<uint8_t, kExpirySize + sizeof(SealedBytes)> token_value;
};

Result<void> Committer::State::put_sealed(const RowKey& key, ByteView plain) {
    return rows.put(key, vault.seal(key.view(), plain, random, sealed));
}

template <typename Record>
Result<Row> Committer::State::read(const RowKey& key, Record& record, size_t clear_size) {
    const auto value = KNUCKLE_TRY(rows.get(key));
    if (!value) return Row::absent;
    if (value->size() < clear_size) return Row::damaged;
    const auto plain = vault.open(key.view(), value->subspan(clear_size), read_plain);
    return plain && decode(*plain, record) ? Row::sound : Row::damaged;
}

RowKey Committer::State::token_key(std::string_view app, std::string_view text, LookupHash& hash) {
    hash = vault.hash(Table::tokens, app, text);
    return hashed_key(Table::tokens, hash);
}

Result<void> Committer::State::put_token(const RowKey& key, ByteView plain, UnixTime expires) {
    const auto expiry = encode_expiry(expires);
    const ByteView secret = vault.seal(key.view(), plain, random, sealed);
    copy_bytes(token_value.data(), expiry);
    copy_bytes(token_value.data() + expiry.size(), secret);
    return rows.put(key, ByteView(token_value).first(expiry.size() + secret.size()));
}

Result<void> Committer::State::erase_tokens(std::span<const LookupHash> tokens) {
    for (const LookupHash& hash : tokens) KNUCKLE_TRY(rows.erase(hashed_key(Table::tokens, hash)));
    return {};
}

Result<WriteStatus> Committer::State::apply(const CreateAccount& change) {
    const Account& account = change.account;
    const ByteView plain = encode(account, write_plain);
    if (plain.empty()) return WriteStatus::failed;
    const RowKey by_id = account_key(account.id);
    const RowKey by_name =
        hashed_key(Table::usernames, vault.hash(Table::usernames, account.app, account.username));
    const RowKey by_auth = hashed_key(
        Table::auth_tokens, vault.hash(Table::auth_tokens, account.app, account.auth_token));
    if (KNUCKLE_TRY(rows.has(by_name)) || KNUCKLE_TRY(rows.has(by_auth)) ||
        KNUCKLE_TRY(rows.has(by_id))) {
        return WriteStatus::exists;
    }
    KNUCKLE_TRY(put_sealed(by_id, plain));
    KNUCKLE_TRY(put_sealed(by_name, account.id.view()));
    KNUCKLE_TRY(put_sealed(by_auth, account.id.view()));
    return WriteStatus::done;
}

Result<WriteStatus> Committer::State::apply(const SetPasswordHash& change) {
    const RowKey key = account_key(change.account);
    AccountRecord record;
    const Row row = KNUCKLE_TRY(read(key, record));
    if (row != Row::sound) return refusal(row);
    Account account = to_account(change.account, record);
    account.password_hash = change.password_hash;
    const ByteView plain = encode(account, write_plain);
    if (plain.empty()) return WriteStatus::failed;
    KNUCKLE_TRY(put_sealed(key, plain));
    return WriteStatus::done;
}

Result<WriteStatus> Committer::State::apply(const SetAuthToken& change) {
    const RowKey key = account_key(change.account);
    AccountRecord record;
    const Row row = KNUCKLE_TRY(read(key, record));
    if (row != Row::sound) return refusal(row);
    const std::string old_token = record.auth_token.text();
    const auto by_auth = [&](std::string_view auth_token) {
        return hashed_key(Table::auth_tokens,
                          vault.hash(Table::auth_tokens, record.app, auth_token));
    };
    if (KNUCKLE_TRY(rows.has(by_auth(change.auth_token)))) return WriteStatus::exists;
    if (!change.app.empty() && record.app != change.app) return WriteStatus::not_found;
    Account account = to_account(change.account, record);
    account.auth_token = change.auth_token;
    const ByteView plain = encode(account, write_plain);
    if (plain.empty()) return WriteStatus::failed;
    KNUCKLE_TRY(put_sealed(key, plain));
    KNUCKLE_TRY(rows.erase(by_auth(old_token)));
    KNUCKLE_TRY(put_sealed(by_auth(change.auth_token), change.account.view()));
    return WriteStatus::done;
}

Result<WriteStatus> Committer::State::apply(const TouchAccount& change) {
    const RowKey key = account_key(change.account);
    AccountRecord record;
    const Row row = KNUCKLE_TRY(read(key, record));
    if (row != Row::sound) return refusal(row);
    if (!is_worth_noting(record.seen, change.seen)) return WriteStatus::done;
    record.seen = change.seen;
    KNUCKLE_TRY(put_sealed(key, encode(to_account(change.account, record), write_plain)));
    return WriteStatus::done;
}

Result<WriteStatus> Committer::State::apply(const DeleteAccount& change) {
    const RowKey key = account_key(change.account);
    AccountRecord record;
    const Row row = KNUCKLE_TRY(read(key, record));
    if (row != Row::sound) return refusal(row);
    const std::string auth_token = record.auth_token.text();
    KNUCKLE_TRY(rows.erase(
        hashed_key(Table::usernames, vault.hash(Table::usernames, record.app, record.username))));
    KNUCKLE_TRY(rows.erase(
        hashed_key(Table::auth_tokens, vault.hash(Table::auth_tokens, record.app, auth_token))));
    const auto tokens = KNUCKLE_TRY(owned.take(change.account));
    KNUCKLE_TRY(erase_tokens(tokens));
    KNUCKLE_TRY(rows.erase_all(devices_of(change.account)));
    for (const RowKey& pending : KNUCKLE_TRY(rows.list(pending_of(change.account))))
        KNUCKLE_TRY(erase_pending(pending));
    KNUCKLE_TRY(feedback.forget(change.account));
    KNUCKLE_TRY(rows.erase(key));
    return WriteStatus::done;
}

Result<WriteStatus> Committer::State::check_owner(const Uuid& account, std::string_view app) {
    AccountRecord record;
    const Row row = KNUCKLE_TRY(read(account_key(account), record));
    if (row != Row::sound) return refusal(row);
    return record.app == app ? WriteStatus::done : WriteStatus::not_found;
}

Result<WriteStatus> Committer::State::apply(const CreateDevice& change) {
    const Device& device = change.device;
    const ByteView plain = encode(device, write_plain);
    if (plain.empty()) return WriteStatus::failed;
    if (!KNUCKLE_TRY(rows.has(account_key(device.account)))) return WriteStatus::not_found;
    const RowKey key = device_key({device.account, device.id});
    if (KNUCKLE_TRY(rows.has(key))) return WriteStatus::exists;
    if (!change.app.empty()) {
        const WriteStatus owner = KNUCKLE_TRY(check_owner(device.account, change.app));
        if (owner != WriteStatus::done) return owner;
    }
    const size_t count_max = std::min<size_t>(change.devices_max, kDevicesPerAccountMax);
    const auto others = KNUCKLE_TRY(rows.list(devices_of(device.account), count_max));
    if (others.size() == count_max) return WriteStatus::over_quota;
    KNUCKLE_TRY(put_sealed(key, plain));
    return WriteStatus::done;
}

Result<WriteStatus> Committer::State::apply(const UpdateDevice& change) {
    const ByteView plain = encode(change.device, write_plain);
    if (plain.empty()) return WriteStatus::failed;
    const Device& device = change.device;
    const RowKey key = device_key({device.account, device.id});
    DeviceRecord record;
    const Row row = KNUCKLE_TRY(read(key, record));
    if (row == Row::absent) return WriteStatus::not_found;
    const bool is_revived = row == Row::sound && record.is_dead && !device.is_dead;
    KNUCKLE_TRY(put_sealed(key, plain));
    if (!is_revived) return WriteStatus::done;
    KNUCKLE_TRY(report({.account = device.account,
                        .device = device.id,
                        .device_kind = device.kind,
                        .kind = FeedbackKind::revived,
                        .noticed = device.registered}));
    return WriteStatus::done;
}

Result<WriteStatus> Committer::State::apply(const DeleteDevice& change) {
    const DeviceRef ref{change.account, change.device};
    const RowKey key = device_key(ref);
    if (!KNUCKLE_TRY(rows.has(key))) return WriteStatus::not_found;
    const auto tokens = KNUCKLE_TRY(owned.take(ref));
    KNUCKLE_TRY(erase_tokens(tokens));
    KNUCKLE_TRY(erase_pending(pending_key(ref)));
    KNUCKLE_TRY(feedback.forget(ref));
    KNUCKLE_TRY(rows.erase(key));
    return WriteStatus::done;
}

Result<WriteStatus> Committer::State::apply(const MarkDeviceDead& change) {
    const DeviceRef ref{change.account, change.device};
    const RowKey key = device_key(ref);
    DeviceRecord record;
    const Row row = KNUCKLE_TRY(read(key, record));
    if (row != Row::sound) return refusal(row);
    if (record.registered > change.registered || record.is_dead) return WriteStatus::done;
    record.is_dead = true;
    const DeviceKind kind = record.kind;
    KNUCKLE_TRY(put_sealed(key, encode(to_device(ref, record), write_plain)));
    KNUCKLE_TRY(report({.account = ref.account,
                        .device = ref.device,
                        .device_kind = kind,
                        .kind = FeedbackKind::dead,
                        .reason = change.reason.substr(0, kReasonMax),
                        .dead_since = change.dead_since,
                        .noticed = change.noticed}));
    return WriteStatus::done;
}

Result<WriteStatus> Committer::State::apply(const MarkDeviceProven& change) {
    const DeviceRef ref{change.account, change.device};
    const RowKey key = device_key(ref);
    DeviceRecord record;
    const Row row = KNUCKLE_TRY(read(key, record));
    if (row != Row::sound) return refusal(row);
    if (record.registered != change.registered || record.proven_in == change.proven_in)
        return WriteStatus::done;
    record.proven_in = change.proven_in;
    KNUCKLE_TRY(put_sealed(key, encode(to_device(ref, record), write_plain)));
    return WriteStatus::done;
}

// An account that cannot be read does not keep its device from dying: it dies unreported.
Result<void> Committer::State::report(Feedback&& event) {
    AccountRecord account;
    const Row row = KNUCKLE_TRY(read(account_key(event.account), account));
    if (row != Row::sound) return {};
    event.app = account.app;
    static_cast<void>(KNUCKLE_TRY(feedback.append(event)));
    return {};
}

Result<WriteStatus> Committer::State::apply(const NoteFeedbackSent& change) {
    KNUCKLE_TRY(feedback.note_sent(change.number));
    return WriteStatus::done;
}

Result<WriteStatus> Committer::State::apply(const TrimFeedback& change) {
    KNUCKLE_TRY(feedback.trim(change.number));
    return WriteStatus::done;
}

Result<WriteStatus> Committer::State::apply(const CreateToken& change) {
    const Token& token = change.token;
    const ByteView plain = encode(token, write_plain);
    if (plain.empty()) return WriteStatus::failed;
    const DeviceRef ref{token.account, token.device};
    if (!KNUCKLE_TRY(rows.has(device_key(ref)))) return WriteStatus::not_found;
    const WriteStatus owner = KNUCKLE_TRY(check_owner(token.account, change.app));
    if (owner != WriteStatus::done) return owner;
    LookupHash hash;
    const RowKey key = token_key(change.app, token.text, hash);
    if (KNUCKLE_TRY(rows.has(key))) return WriteStatus::exists;
    const size_t count_max = std::min<size_t>(change.tokens_max, kTokensPerAccountMax);
    if (KNUCKLE_TRY(owned.count(token.account)) >= count_max) return WriteStatus::over_quota;
    if (!KNUCKLE_TRY(owned.add(ref, hash))) return WriteStatus::over_quota;
    KNUCKLE_TRY(put_token(key, plain, token.expires));
    return WriteStatus::done;
}

Result<WriteStatus> Committer::State::apply(const UpdateToken& change) {
    const Token& token = change.token;
    const ByteView plain = encode(token, write_plain);
    if (plain.empty()) return WriteStatus::failed;
    LookupHash hash;
    const RowKey key = token_key(change.app, token.text, hash);
    TokenRecord record;
    const Row row = KNUCKLE_TRY(read(key, record, kExpirySize));
    if (row != Row::sound) return refusal(row);
    if (record.account != token.account) return WriteStatus::not_found;
    const DeviceRef ref{token.account, token.device};
    if (!KNUCKLE_TRY(rows.has(device_key(ref)))) return WriteStatus::not_found;
    if (record.device != token.device) {
        if (!KNUCKLE_TRY(owned.add(ref, hash))) return WriteStatus::over_quota;
        KNUCKLE_TRY(owned.remove({token.account, record.device}, {&hash, 1}));
    }
    KNUCKLE_TRY(put_token(key, plain, token.expires));
    return WriteStatus::done;
}

Result<WriteStatus> Committer::State::apply(const DeleteToken& change) {
    LookupHash hash;
    const RowKey key = token_key(change.app, change.text, hash);
    TokenRecord record;
    const Row row = KNUCKLE_TRY(read(key, record, kExpirySize));
    if (row != Row::sound) return refusal(row);
    if (record.account != change.account) return WriteStatus::not_found;
    KNUCKLE_TRY(owned.remove({record.account, record.device}, {&hash, 1}));
    KNUCKLE_TRY(rows.erase(key));
    return WriteStatus::done;
}

Result<WriteStatus> Committer::State::apply(const PutPending& change) {
    const DeviceRef ref{change.pending.account, change.pending.device};
    if (encode(change.pending, write_plain).empty()) return WriteStatus::failed;
    if (!KNUCKLE_TRY(rows.has(device_key(ref)))) return WriteStatus::not_found;
    const RowKey key = pending_key(ref);
    PendingRecord record;
    const Row row = KNUCKLE_TRY(read(key, record));
    if (row != Row::sound) return put_pending(key, change.pending);
    const Pending before = to_pending(ref, record);
    const Pending after = row_after(before, change);
    return after == before ? WriteStatus::done : put_pending(key, after);
}

Result<WriteStatus> Committer::State::put_pending(const RowKey& key, const Pending& pending) {
    const auto old_value = KNUCKLE_TRY(rows.get(key));
    const PendingLedger::Row old = old_value ? note_of(key, *old_value) : PendingLedger::Row();
    const ByteView plain = encode(pending, write_plain);
    const ByteView value = vault.seal(key.view(), plain, random, sealed);
    const PendingLedger::Row note{key.view().size() + value.size(), pending.accepted};
    if (!ledger.has_room(note, old)) return WriteStatus::over_quota;
    KNUCKLE_TRY(erase_pending(key));
    ledger.put(note);
    KNUCKLE_TRY(rows.put(key, value));
    return WriteStatus::done;
}

// What the ledger knows of a row.
PendingLedger::Row Committer::State::note_of(const RowKey& key, ByteView value) {
    PendingLedger::Row note{.size = key.view().size() + value.size()};
    PendingRecord record;
    const auto plain = vault.open(key.view(), value, read_plain);
    if (plain && decode(*plain, record)) note.accepted = record.accepted;
    return note;
}

Result<void> Committer::State::erase_pending(const RowKey& key) {
    const auto value = KNUCKLE_TRY(rows.get(key));
    if (!value) return {};
    ledger.erase(note_of(key, *value));
    return rows.erase(key);
}

// Once; whatever it was that came before us, and however it ended.
Result<void> Committer::State::count_pending() {
    constexpr size_t kRowsAtOnce = 1'000;
    ledger.forget();  // what was counted by an attempt that failed
    Transaction transaction = KNUCKLE_TRY(Transaction::begin_read(env_state.lmdb.get()));
    rows = Rows(transaction.get(), env_state);
    const RowKey front(Table::pending);
    for (RowKey from = front;;) {
        const auto found = KNUCKLE_TRY(rows.list(front, from, kRowsAtOnce));
        for (const RowView& row : found) {
            const auto key = RowKey::from(row.key);
            if (key) ledger.put(note_of(*key, row.value));
        }
        if (found.size() < kRowsAtOnce) break;
        const auto last = RowKey::from(found.back().key);
        if (!last) break;
        constexpr uint8_t kNext = 0;
        from = *last;
        from.add({&kNext, 1});
    }
    ledger.keep();
    has_counted = true;
    return {};
}

Result<WriteStatus> Committer::State::apply(const ClearPending& change) {
    const DeviceRef ref{change.account, change.device};
    const RowKey key = pending_key(ref);
    PendingRecord record;
    const Row row = KNUCKLE_TRY(read(key, record));
    if (row == Row::sound) {
        const Pending before = to_pending(ref, record);
        const std::optional<Pending> after = row_after(before, change);
        if (after == before) return WriteStatus::done;
        if (after) {
            static_cast<void>(KNUCKLE_TRY(put_pending(key, *after)));  // no larger than before
            return WriteStatus::done;
        }
    }
    KNUCKLE_TRY(erase_pending(key));
    return WriteStatus::done;
}

Result<void> Committer::State::apply_all(std::span<const Write> writes,
                                         std::span<WriteStatus> statuses) {
    if (!has_counted) KNUCKLE_TRY(count_pending());
    Transaction transaction = KNUCKLE_TRY(Transaction::begin_write(env_state.lmdb.get()));
    rows = Rows(transaction.get(), env_state);
    for (size_t i = 0; i < writes.size(); ++i) {
        statuses[i] = KNUCKLE_TRY(
            std::visit([this](const auto& change) { return apply(change); }, writes[i].change));
    }
    return transaction.commit();
}

Result<Expired> Committer::State::expire(std::span<const LookupHash> tokens, UnixTime now) {
    Transaction transaction = KNUCKLE_TRY(Transaction::begin_write(env_state.lmdb.get()));
    rows = Rows(transaction.get(), env_state);
    Expired expired;
    // By device, whose list is then looked through once for all of them.
    std::map<std::pair<Uuid, Uuid>, std::vector<LookupHash>> by_device;
    for (const LookupHash& hash : tokens) {
        const RowKey key = hashed_key(Table::tokens, hash);
        TokenRecord record;
        const Row row = KNUCKLE_TRY(read(key, record, kExpirySize));
        if (row == Row::absent) continue;
        if (row == Row::damaged || record.expires > now) {
            ++expired.damaged;
            continue;
        }
        by_device[{record.account, record.device}].push_back(hash);
        KNUCKLE_TRY(rows.erase(key));
        ++expired.erased;
    }
    for (const auto& [device, hashes] : by_device) {
        KNUCKLE_TRY(owned.remove({device.first, device.second}, hashes));
    }
    if (expired.erased > 0) KNUCKLE_TRY(transaction.commit());
    return expired;
}

Committer::Committer(const Env& env, crypto::SecureRandom& random, const PendingLimits& limits)
    : state_(std::make_unique<State>(env, random, limits)) {
    // If this fails, so will the first batch, which tries it again.
    static_cast<void>(state_->count_pending());
}
Committer::~Committer() = default;

Result<void> Committer::apply(std::span<const Write> writes, std::span<WriteStatus> statuses) {
    KNUCKLE_ASSERT(writes.size() == statuses.size());
    KNUCKLE_ASSERT(writes.size() <= kBatchWritesMax);
    auto result = state_->apply_all(writes, statuses);
    if (result) {
        state_->ledger.keep();
    } else {
        state_->ledger.forget();
        std::ranges::fill(statuses, WriteStatus::failed);
    }
    return result;
}

const PendingCounts& Committer::pending_counts() const { return state_->ledger.counts(); }

Result<Expired> Committer::expire(std::span<const LookupHash> tokens, UnixTime now) {
    return state_->expire(tokens, now);
}

Result<void> Committer::probe() {
    Env::State& env = state_->env_state;
    Transaction transaction = KNUCKLE_TRY(Transaction::begin_write(env.lmdb.get()));
    Rows rows(transaction.get(), env);
    KNUCKLE_TRY(rows.put(RowKey(Table::format), encode_format(kSchemaVersion)));
    return transaction.commit();
}

}  // namespace knuckle::store
