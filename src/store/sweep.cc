// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/sweep.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/log.h"
#include "store/lmdb_env.h"
#include "store/rows.h"
#include "store/schema.h"
#include "store/vault.h"

namespace knuckle::store {

namespace {

// An event from further ahead was noticed by a clock that was wrong.
constexpr Duration kClockErrorMax = hours(24);

struct Progress {
    size_t tokens = 0;
    size_t accounts = 0;
    size_t feedback = 0;
    size_t damaged = 0;

    void add(const Progress& other) {
        tokens += other.tokens;
        accounts += other.accounts;
        feedback += other.feedback;
        damaged += other.damaged;
    }
};

std::optional<LookupHash> token_hash(ByteView key) {
    LookupHash hash;
    if (key.size() != 1 + hash.size()) return std::nullopt;
    copy_bytes(hash.data(), key.subspan(1));
    return hash;
}

std::optional<Uuid> account_id(ByteView key) {
    Uuid id;
    if (key.size() != 1 + id.bytes.size()) return std::nullopt;
    copy_bytes(id.bytes.data(), key.subspan(1));
    return id;
}

// How many tokens of the account are left to erase; empty if one of them lives.
Result<std::optional<size_t>> count_dead_tokens(Rows& rows, const Uuid& account, UnixTime now) {
    size_t count = 0;
    for (const RowKey& key : KNUCKLE_TRY(rows.list(tally_key(account)))) {
        if (!parse_owned_key(key.view())) continue;
        const auto value = KNUCKLE_TRY(rows.get(key));
        const OwnedHashes hashes = decode_owned(value.value_or(ByteView())).value_or(OwnedHashes());
        for (const LookupHash& hash : hashes) {
            const auto token = KNUCKLE_TRY(rows.get(hashed_key(Table::tokens, hash)));
            const auto expires = decode_expiry(token.value_or(ByteView()));
            if (expires && *expires > now) return std::optional<size_t>();
            ++count;
        }
    }
    return std::optional(count);
}

}  // namespace

struct Sweep::State {
    State(const Env& env, Committer& target, Duration lifetime)
        : env_state(env.state()),
          committer(target),
          account_lifetime(lifetime),
          vault(env.state().keys) {}

    void begin(Now now);
    void enter(Table next_table);
    void advance(const std::optional<RowKey>& after);
    Result<Progress> sweep_tokens(UnixTime now);
    Result<Progress> sweep_accounts(UnixTime now);
    Result<Progress> sweep_feedback(UnixTime now);
    Result<Progress> sweep_table(UnixTime now);
    // Of the events from `next` on, those that lie together and are old.
    struct OldFeedback {
        size_t count = 0;
        uint64_t last = 0;                 // the number of the last one
        std::optional<RowKey> go_on_from;  // they may go on there: all that could be said is theirs
    };
    Result<OldFeedback> find_old_feedback(UnixTime now);
    Result<std::vector<Write>> find_idle(UnixTime now,
                                         Progress& progress,
                                         std::optional<RowKey>& after);
    void finish(Now now);

    Env::State& env_state;
    Committer& committer;
    const Duration account_lifetime;
    Vault vault;
    PlainBytes plain;
    SweepCounts counts;

    // The round:
    bool is_running = false;
    Instant begun;
    Table table = Table::tokens;
    RowKey next{Table::tokens};  // where the next step begins
    bool is_table_done = false;
    Progress total;
};

void Sweep::State::begin(Now now) {
    is_running = true;
    begun = now.instant;
    total = {};
    enter(Table::tokens);
}

void Sweep::State::enter(Table next_table) {
    table = next_table;
    next = RowKey(table);
    is_table_done = false;
}

// Only when the step has succeeded. `after` is the first row that it did not look at, if any.
void Sweep::State::advance(const std::optional<RowKey>& after) {
    is_table_done = !after;
    if (after) next = *after;
}

Result<Progress> Sweep::State::sweep_tokens(UnixTime now) {
    Progress progress;
    std::vector<LookupHash> expired;
    std::optional<RowKey> after;
    {
        const Transaction txn = KNUCKLE_TRY(Transaction::begin_read(env_state.lmdb.get()));
        Rows rows(txn.get(), env_state);
        size_t looked_at = 0;
        for (const RowView& row :
             KNUCKLE_TRY(rows.list(RowKey(table), next, kSweepTokensMax + 1))) {
            if (looked_at++ == kSweepTokensMax || expired.size() == kSweepErasedMax) {
                after = RowKey::from(row.key);
                break;
            }
            const auto hash = token_hash(row.key);
            const auto expires = decode_expiry(row.value);
            if (!hash || !expires) {
                ++progress.damaged;
            } else if (*expires <= now) {
                expired.push_back(*hash);
            }
        }
    }
    if (!expired.empty()) {
        const Expired result = KNUCKLE_TRY(committer.expire(expired, now));
        progress.tokens = result.erased;
        progress.damaged += result.damaged;
    }
    advance(after);
    return progress;
}

Result<std::vector<Write>> Sweep::State::find_idle(UnixTime now,
                                                   Progress& progress,
                                                   std::optional<RowKey>& after) {
    const Transaction txn = KNUCKLE_TRY(Transaction::begin_read(env_state.lmdb.get()));
    Rows rows(txn.get(), env_state);
    std::vector<Write> idle;
    size_t looked_at = 0;
    size_t to_erase = 0;
    for (const RowView& row : KNUCKLE_TRY(rows.list(RowKey(table), next, kSweepAccountsMax + 1))) {
        if (looked_at++ == kSweepAccountsMax || to_erase >= kSweepErasedMax) {
            after = RowKey::from(row.key);
            break;
        }
        const auto id = account_id(row.key);
        const auto bytes = vault.open(row.key, row.value, plain);
        AccountRecord record;
        if (!id || !bytes || !decode(*bytes, record)) {
            ++progress.damaged;
            continue;
        }
        if (!is_idle(record.seen, account_lifetime, now)) continue;
        const auto dead_tokens = KNUCKLE_TRY(count_dead_tokens(rows, *id, now));
        if (!dead_tokens) continue;
        idle.push_back({.change = DeleteAccount{*id}});
        to_erase += 1 + *dead_tokens;
    }
    return idle;
}

Result<Progress> Sweep::State::sweep_accounts(UnixTime now) {
    Progress progress;
    std::optional<RowKey> after;
    const std::vector<Write> idle = KNUCKLE_TRY(find_idle(now, progress, after));
    if (!idle.empty()) {
        std::vector<WriteStatus> statuses(idle.size());
        KNUCKLE_TRY(committer.apply(idle, statuses));
        progress.accounts = static_cast<size_t>(std::ranges::count(statuses, WriteStatus::done));
    }
    advance(after);
    return progress;
}

Result<Sweep::State::OldFeedback> Sweep::State::find_old_feedback(UnixTime now) {
    const Transaction txn = KNUCKLE_TRY(Transaction::begin_read(env_state.lmdb.get()));
    Rows rows(txn.get(), env_state);
    OldFeedback found;
    size_t looked_at = 0;
    const auto events = KNUCKLE_TRY(rows.list(RowKey(table), next, kFeedbackTrimMax));
    for (const RowView& row : events) {
        ++looked_at;
        const auto number = parse_feedback_key(row.key);
        const auto bytes = vault.open(row.key, row.value, plain);
        FeedbackRecord record;
        // One that is damaged, or from a time when the clock was wrong, is as old as the next one.
        if (!number || !bytes || !decode(*bytes, record)) continue;
        if (record.noticed > now + kClockErrorMax) continue;
        if (record.noticed + kFeedbackLifetime > now) return found;
        found.count = looked_at;
        found.last = *number;
    }
    if (looked_at == kFeedbackTrimMax) found.go_on_from = RowKey::from(events.back().key);
    return found;
}

// What is trimmed is the front of the log, so the next step looks at that again.
Result<Progress> Sweep::State::sweep_feedback(UnixTime now) {
    Progress progress;
    const OldFeedback old = KNUCKLE_TRY(find_old_feedback(now));
    if (old.count == 0) {
        advance(old.go_on_from);
        return progress;
    }
    const Write trim{.change = TrimFeedback{old.last}};
    WriteStatus status = WriteStatus::failed;
    KNUCKLE_TRY(committer.apply({&trim, 1}, {&status, 1}));
    const bool was_at_front = std::ranges::equal(next.view(), RowKey(table).view());
    progress.feedback = was_at_front ? old.count : kFeedbackTrimMax;
    enter(table);
    return progress;
}

Result<Progress> Sweep::State::sweep_table(UnixTime now) {
    if (table == Table::tokens) return sweep_tokens(now);
    return table == Table::accounts ? sweep_accounts(now) : sweep_feedback(now);
}

void Sweep::State::finish(Now now) {
    is_running = false;
    counts.damaged.set(total.damaged);
    if (total.tokens + total.accounts + total.feedback == 0) return;
    log::info("store_swept")
        .field("tokens", total.tokens)
        .field("accounts", total.accounts)
        .field("feedback", total.feedback)
        .field("seconds", static_cast<uint64_t>(to_seconds(now.instant - begun)));
}

Sweep::Sweep(const Env& env, Committer& committer, Duration account_lifetime)
    : state_(std::make_unique<State>(env, committer, account_lifetime)) {}
Sweep::~Sweep() = default;

Result<bool> Sweep::step(Now now) {
    State& state = *state_;
    if (!state.is_running) state.begin(now);
    const Progress progress = KNUCKLE_TRY(state.sweep_table(now.unix));
    state.total.add(progress);
    state.counts.tokens.add(progress.tokens);
    state.counts.accounts.add(progress.accounts);
    state.counts.feedback.add(progress.feedback);
    if (!state.is_table_done) return true;
    if (state.table == Table::feedback) {
        state.finish(now);
        return false;
    }
    state.enter(state.table == Table::tokens ? Table::accounts : Table::feedback);
    return true;
}

const SweepCounts& Sweep::counts() const { return state_->counts; }

}  // namespace knuckle::store
