// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/snapshot.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "base/assert.h"
#include "store/lmdb_env.h"
#include "store/recent_targets.h"
#include "store/schema.h"
#include "store/vault.h"

namespace knuckle::store {

namespace {

// Stands for a registration id while one account is visited. Not keyed: whoever makes two of their
// own registrations collide keeps a push from themselves.
uint64_t fingerprint(const DeviceRecord& record) {
    const PackedText& id = record.registration_id;
    const size_t hash = std::hash<std::string_view>()(as_text(id.bytes));
    return hash ^ static_cast<uint64_t>(record.kind) << 8 ^ uint64_t { id.is_hex };
}

}  // namespace

struct Reader::State {
    explicit State(const Env& env)
        : tree(env.state().tree), vault(env.state().keys), recent(env.state().device_changes) {
        // A reader that cannot begin finds everything damaged, and tries again with each snapshot.
        lmdb = env.state().lmdb.get();
        begin();
        if (is_open) mdb_txn_reset(txn);
        is_open = false;
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        if (cursor != nullptr) mdb_cursor_close(cursor);
        if (txn != nullptr) mdb_txn_abort(txn);
    }

    void begin();
    void end();

    Lookup spoiled() {
        ++damaged_count;
        return Lookup::damaged;
    }
    Lookup get(const RowKey& key, ByteView& value);
    // Moves the cursor to the first row whose key is not less, or to the next one. False: there is
    // none that begins with `front`; `status` becomes damaged if LMDB failed.
    bool seek(const RowKey& front, MDB_cursor_op move, Lookup& status) {
        return seek(front, front, move, status);
    }
    // The same, not less than `from`.
    bool seek(const RowKey& front, const RowKey& from, MDB_cursor_op move, Lookup& status);

    template <typename Record>
    Lookup open(ByteView key, ByteView sealed, Record& record) {
        const auto bytes = vault.open(key, sealed, plain);
        return bytes && decode(*bytes, record) ? Lookup::found : spoiled();
    }
    // Of a row that is sealed as a whole.
    template <typename Record>
    Lookup find(const RowKey& key, Record& record) {
        ByteView value;
        const Lookup status = get(key, value);
        return status == Lookup::found ? open(key.view(), value, record) : status;
    }
    // The row where the cursor stands, of a device or of its pending knock.
    template <typename Record>
    Lookup open_row(DeviceRef& ref, Record& record) {
        const auto parsed = parse_device_key(row_key);
        if (!parsed) return spoiled();
        ref = *parsed;
        return open(row_key, row_value, record);
    }
    Lookup open_token(const RowKey& key, TokenRecord& record);
    Lookup find_reference(const RowKey& key, Uuid& account);

    MDB_env* lmdb = nullptr;
    MDB_dbi tree;
    MDB_txn* txn = nullptr;  // kept, and its slot with it; renewed for each snapshot
    MDB_cursor* cursor = nullptr;
    bool is_open = false;       // the transaction is active
    bool has_snapshot = false;  // somebody holds one
    bool is_cursor_fresh = false;
    ByteView row_key;  // where the cursor stands
    ByteView row_value;
    Vault vault;
    uint64_t damaged_count = 0;
    PlainBytes plain;
    Target target;
    RecentTargets recent;
    std::array<uint64_t, kDevicesPerAccountMax> visited;
};

void Reader::State::begin() {
    const int code =
        txn == nullptr ? mdb_txn_begin(lmdb, nullptr, MDB_RDONLY, &txn) : mdb_txn_renew(txn);
    is_open = code == 0;
    is_cursor_fresh = false;
}

void Reader::State::end() {
    if (is_open) mdb_txn_reset(txn);
    is_open = false;
}

Lookup Reader::State::get(const RowKey& key, ByteView& value) {
    if (!is_open) return spoiled();
    MDB_val lmdb_key = to_val(key.view());
    MDB_val lmdb_value;
    const int code = mdb_get(txn, tree, &lmdb_key, &lmdb_value);
    if (code == MDB_NOTFOUND) return Lookup::absent;
    if (code != 0) return spoiled();
    value = to_view(lmdb_value);
    return Lookup::found;
}

bool Reader::State::seek(const RowKey& front,
                         const RowKey& from,
                         MDB_cursor_op move,
                         Lookup& status) {
    int code = is_open ? 0 : EINVAL;
    if (code == 0 && !is_cursor_fresh) {
        code =
            cursor == nullptr ? mdb_cursor_open(txn, tree, &cursor) : mdb_cursor_renew(txn, cursor);
        is_cursor_fresh = code == 0;
    }
    MDB_val key = to_val(from.view());
    MDB_val value;
    if (code == 0) code = mdb_cursor_get(cursor, &key, &value, move);
    if (code != 0) {
        if (code != MDB_NOTFOUND) status = spoiled();
        return false;
    }
    row_key = to_view(key);
    row_value = to_view(value);
    return front.is_front_of(row_key);
}

Lookup Reader::State::open_token(const RowKey& key, TokenRecord& record) {
    ByteView value;
    const Lookup status = get(key, value);
    if (status != Lookup::found) return status;
    if (value.size() < kExpirySize) return spoiled();
    return open(key.view(), value.subspan(kExpirySize), record);
}

// A row that only says which account is meant.
Lookup Reader::State::find_reference(const RowKey& key, Uuid& account) {
    ByteView value;
    const Lookup status = get(key, value);
    if (status != Lookup::found) return status;
    const auto bytes = vault.open(key.view(), value, plain);
    if (!bytes || bytes->size() != kUuidSize) return spoiled();
    copy_bytes(account.bytes.data(), *bytes);
    return Lookup::found;
}

Reader::Reader(const Env& env) : state_(std::make_unique<State>(env)) {}
Reader::~Reader() { KNUCKLE_ASSERT(!state_->has_snapshot); }

Snapshot Reader::snapshot() { return Snapshot(*state_); }

uint64_t Reader::damaged_count() const { return state_->damaged_count; }

Snapshot::Snapshot(Reader::State& state) : state_(&state) {
    KNUCKLE_ASSERT(!state.has_snapshot);
    state.has_snapshot = true;
    state.begin();
}

Snapshot::Snapshot(Snapshot&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}

Snapshot::~Snapshot() {
    if (state_ == nullptr) return;
    state_->end();
    state_->has_snapshot = false;
}

Lookup Snapshot::find_token(std::string_view app, std::string_view text, TokenOwner& owner) {
    if (text.size() > kTokenTextMax) return Lookup::absent;
    const RowKey key = hashed_key(Table::tokens, state_->vault.hash(Table::tokens, app, text));
    TokenRecord record;
    const Lookup status = state_->open_token(key, record);
    if (status != Lookup::found) return status;
    state_->recent.prefetch_tags(record.account);
    owner = {record.account, record.device, record.expires};
    return status;
}

void Snapshot::prefetch_targets(const Uuid& account) const {
    state_->recent.prefetch_slot(account);
}

const Target* Snapshot::next_target(TargetScan& scan) {
    Reader::State& state = *state_;
    // Without a snapshot nobody can say that what is remembered is so still.
    if (!scan.is_begun && state.is_open && state.recent.find(scan.account, state.target)) {
        scan.is_begun = scan.is_recalled = true;
        scan.status = Lookup::found;
        return &state.target;
    }
    if (scan.is_recalled) return nullptr;
    const Target* const target = search_target(scan);
    if (target != nullptr) {
        scan.last = target->device;
        return target;
    }
    // If LMDB broke the search off there may be more than this one.
    if (scan.visited == 1 && scan.status == Lookup::found) {
        KNUCKLE_ASSERT(state.target.device == scan.last);  // visits do not visit others
        state.recent.keep(scan.account, mdb_txn_id(state.txn), state.target);
    }
    return nullptr;
}

const Target* Snapshot::search_target(TargetScan& scan) {
    Reader::State& state = *state_;
    const RowKey front = devices_of(scan.account);
    while (scan.visited < state.visited.size()) {
        const MDB_cursor_op move = scan.is_begun ? MDB_NEXT : MDB_SET_RANGE;
        scan.is_begun = true;
        if (!state.seek(front, move, scan.status)) return nullptr;
        DeviceRecord record;
        DeviceRef ref;
        const Lookup opened = state.open_row(ref, record);
        if (scan.status != Lookup::found) scan.status = opened;
        if (opened != Lookup::found || !record.is_active || record.is_dead) continue;

        const uint64_t id = fingerprint(record);
        const auto end = state.visited.begin() + static_cast<ptrdiff_t>(scan.visited);
        if (std::find(state.visited.begin(), end, id) != end) continue;
        state.visited[scan.visited++] = id;

        Target& target = state.target;
        target.device = ref.device;
        target.kind = record.kind;
        target.proven_in = record.proven_in;
        target.registered = record.registered;
        target.registration_size = static_cast<uint16_t>(record.registration_id.size());
        record.registration_id.copy_to(target.registration);
        return &target;
    }
    return nullptr;
}

Lookup Snapshot::find_account(std::string_view app, std::string_view username, Account& account) {
    if (username.size() > kNameMax) return Lookup::absent;
    Uuid id;
    const LookupHash hash = state_->vault.hash(Table::usernames, app, username);
    const Lookup status = state_->find_reference(hashed_key(Table::usernames, hash), id);
    if (status != Lookup::found) return status;
    // The name is there, so an account that is not is damage.
    const Lookup found = find_account(id, account);
    return found == Lookup::absent ? state_->spoiled() : found;
}

Lookup Snapshot::find_account(const Uuid& id, Account& account) {
    AccountRecord record;
    const Lookup status = state_->find(account_key(id), record);
    if (status == Lookup::found) account = to_account(id, record);
    return status;
}

Lookup Snapshot::find_account_by_auth(std::string_view app,
                                      std::string_view auth_token,
                                      Account& account) {
    if (auth_token.size() > kTokenTextMax) return Lookup::absent;
    Uuid id;
    const LookupHash hash = state_->vault.hash(Table::auth_tokens, app, auth_token);
    const Lookup status = state_->find_reference(hashed_key(Table::auth_tokens, hash), id);
    if (status != Lookup::found) return status;
    const Lookup found = find_account(id, account);
    return found == Lookup::absent ? state_->spoiled() : found;
}

Lookup Snapshot::find_device(const Uuid& account, const Uuid& id, Device& device) {
    const DeviceRef ref{account, id};
    DeviceRecord record;
    const Lookup status = state_->find(device_key(ref), record);
    if (status == Lookup::found) device = to_device(ref, record);
    return status;
}

Lookup Snapshot::list_devices(const Uuid& account, std::vector<Device>& devices) {
    devices.clear();
    const RowKey front = devices_of(account);
    Lookup status = Lookup::absent;
    MDB_cursor_op move = MDB_SET_RANGE;
    while (state_->seek(front, std::exchange(move, MDB_NEXT), status)) {
        DeviceRecord record;
        DeviceRef ref;
        const Lookup opened = state_->open_row(ref, record);
        if (opened == Lookup::found) devices.push_back(to_device(ref, record));
        if (status != Lookup::damaged) status = opened;
    }
    return status;
}

Lookup Snapshot::find_token(std::string_view app, std::string_view text, Token& token) {
    if (text.size() > kTokenTextMax) return Lookup::absent;
    const RowKey key = hashed_key(Table::tokens, state_->vault.hash(Table::tokens, app, text));
    TokenRecord record;
    const Lookup status = state_->open_token(key, record);
    if (status == Lookup::found) token = to_token(record);
    return status;
}

Lookup Snapshot::list_tokens(const Uuid& account, std::vector<Token>& tokens) {
    tokens.clear();
    const RowKey front = tally_key(account);
    Lookup status = Lookup::absent;
    MDB_cursor_op move = MDB_SET_RANGE;
    while (state_->seek(front, std::exchange(move, MDB_NEXT), status)) {
        if (state_->row_key.size() == front.view().size()) continue;  // the tally
        const auto hashes = decode_owned(state_->row_value);
        if (!hashes) status = state_->spoiled();
        for (const LookupHash& hash : hashes.value_or(OwnedHashes())) {
            TokenRecord record;
            Lookup opened = state_->open_token(hashed_key(Table::tokens, hash), record);
            if (opened == Lookup::absent) opened = state_->spoiled();
            if (opened == Lookup::found) tokens.push_back(to_token(record));
            if (status != Lookup::damaged) status = opened;
        }
    }
    return status;
}

bool Snapshot::next_pending(PendingScan& scan) {
    const RowKey front(Table::pending);
    for (;;) {
        const MDB_cursor_op move = scan.is_begun ? MDB_NEXT : MDB_SET_RANGE;
        scan.is_begun = true;
        if (!state_->seek(front, move, scan.status)) return false;
        PendingRecord record;
        DeviceRef ref;
        const Lookup opened = state_->open_row(ref, record);
        if (scan.status != Lookup::damaged) scan.status = opened;
        if (opened != Lookup::found) continue;
        scan.row = {.account = ref.account,
                    .device = ref.device,
                    .app = record.app,
                    .serial = record.serial,
                    .unseen_serial = record.unseen_serial,
                    .accepted = record.accepted,
                    .expires = record.expires};
        return true;
    }
}

Lookup Snapshot::find_pending(const Uuid& account, const Uuid& device, Pending& pending) {
    const DeviceRef ref{account, device};
    PendingRecord record;
    const Lookup status = state_->find(pending_key(ref), record);
    if (status == Lookup::found) pending = to_pending(ref, record);
    return status;
}

Lookup Snapshot::read_feedback(uint64_t after, size_t count_max, FeedbackPage& page) {
    page = {};
    page.next = after;
    ByteView value;
    Lookup status = state_->get(RowKey(Table::feedback_log), value);
    if (status != Lookup::found) return status;
    const auto log = decode_log(value);
    if (!log) return state_->spoiled();
    page.last = log->next - 1;
    page.sent = log->sent;
    page.is_trimmed = after < log->start - 1;
    status = Lookup::absent;
    if (after >= page.last) return status;

    const RowKey front(Table::feedback);
    const RowKey from = feedback_key(after + 1);
    MDB_cursor_op move = MDB_SET_RANGE;
    while (state_->seek(front, from, std::exchange(move, MDB_NEXT), status)) {
        page.has_more = page.events.size() == count_max;
        if (page.has_more) return status;
        const auto number = parse_feedback_key(state_->row_key);
        if (!number) {
            status = state_->spoiled();
            continue;
        }
        page.next = *number;
        FeedbackRecord record;
        const Lookup opened = state_->open(state_->row_key, state_->row_value, record);
        if (opened == Lookup::found) page.events.push_back(to_feedback(*number, record));
        if (status != Lookup::damaged) status = opened;
    }
    // The newest may have gone with their devices.
    if (status != Lookup::damaged) page.next = page.last;
    return status;
}

}  // namespace knuckle::store
