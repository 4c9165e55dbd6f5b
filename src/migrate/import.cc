// SPDX-License-Identifier: GPL-3.0-or-later
#include "migrate/import.h"

#include <algorithm>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/text.h"

namespace knuckle::migrate {

namespace {

using store::WriteStatus;

// What the rows of a table refer to.
std::span<const Source> needs_of(Source source) {
    static constexpr Source kAccounts[] = {Source::accounts};
    static constexpr Source kAll[] = {Source::accounts, Source::apns_devices, Source::gcm_devices};
    switch (source) {
        case Source::accounts:
            return {};
        case Source::auth_tokens:
        case Source::apns_devices:
        case Source::gcm_devices:
            return kAccounts;
        case Source::tokens:
            return kAll;
    }
    return {};
}

constexpr Error kInserts =
    fail(Errc::invalid,
         "has its rows as INSERT statements; make it anew with pg_dump as it comes, without "
         "--inserts");
constexpr Error kForeign =
    fail(Errc::invalid,
         "is no dump of the reference's database: it has no table accounts_pushuser; make one with "
         "pg_dump");

constexpr Error kChanged =
    fail(Errc::invalid, "has changed while it was read; import it again when it is complete");

// A row refers to one that may refer to a third: in a file that stays as it is, each pass but the
// last takes at least one of the three steps.
constexpr uint32_t kPassesMax = 3;

}  // namespace

Import::Import(const store::Env& env,
               store::Committer& committer,
               crypto::SecureRandom& random,
               const ImportOptions& options)
    : committer_(committer), reader_(env), random_(random), options_(options) {
    writes_.reserve(store::kBatchWritesMax);
    origins_.reserve(store::kBatchWritesMax);
}

void Import::begin_pass() {
    dump_.restart();
    layout_.reset();
}

// A table that the first pass has not met is not there.
bool Import::is_settled(Source source) const {
    return state_of(source) == State::taken || (state_of(source) == State::unseen && passes_ > 0);
}

bool Import::is_ready(Source source) const {
    return state_of(source) != State::taken &&
           std::ranges::all_of(needs_of(source), [this](Source need) { return is_settled(need); });
}

Result<void> Import::feed(ByteView bytes) {
    dump_.feed(bytes);
    for (;;) {
        switch (KNUCKLE_TRY(dump_.next())) {
            case PgDump::Item::need_more:
                return {};
            case PgDump::Item::table:
                KNUCKLE_TRY(begin_table());
                break;
            case PgDump::Item::row:
                if (layout_) KNUCKLE_TRY(take_row(*layout_));
                break;
            case PgDump::Item::bad_row:
                if (layout_) ledger_.note(layout_->source(), Fate::unreadable, dump_.line());
                break;
            case PgDump::Item::end_of_table:
                end_table();
                break;
            case PgDump::Item::insert:
                if (source_of(dump_.table())) return kInserts;
                break;
        }
    }
}

Result<void> Import::begin_table() {
    layout_.reset();
    const auto source = source_of(dump_.table());
    if (source && state_of(*source) == State::unseen)
        states_[static_cast<size_t>(*source)] = State::seen;
    if (source && is_ready(*source)) {
        layout_ = KNUCKLE_TRY(Layout::of(*source, dump_.columns()));
    } else {
        dump_.skip_table();
    }
    return {};
}

void Import::end_table() {
    if (layout_) states_[static_cast<size_t>(layout_->source())] = State::taken;
    layout_.reset();
}

Result<void> Import::take_row(const Layout& layout) {
    store::Change change;
    const Fate fate = to_change(Row(layout, dump_.fields()), change);
    if (fate != Fate::imported) {
        ledger_.note(layout.source(), fate, dump_.line());
        return {};
    }
    writes_.push_back({.change = std::move(change)});
    origins_.push_back({layout.source(), dump_.line()});
    return writes_.size() == store::kBatchWritesMax ? flush() : Result<void>();
}

// Every account has an auth token. Until its own comes, from another table, it is one that nobody
// knows; who never had one keeps that, and is told it at the next login.
Fate Import::to_change(const Row& row, store::Change& change) {
    switch (row.source()) {
        case Source::accounts: {
            store::CreateAccount create;
            const Fate fate = decode(row, options_.terms, create.account);
            std::array<uint8_t, 20> bytes{};
            random_.fill(bytes);
            create.account.auth_token = to_hex(bytes);
            change = std::move(create);
            return fate;
        }
        case Source::auth_tokens: {
            AuthToken token;
            const Fate fate = decode(row, options_.terms, token);
            change = store::SetAuthToken{token.account, std::move(token.text), options_.terms.app};
            return fate;
        }
        case Source::apns_devices:
        case Source::gcm_devices: {
            store::CreateDevice create{
                .device = {}, .devices_max = options_.devices_max, .app = options_.terms.app};
            const Fate fate = decode(row, options_.terms, create.device);
            change = std::move(create);
            return fate;
        }
        case Source::tokens: {
            store::CreateToken create{
                .app = options_.terms.app, .token = {}, .tokens_max = options_.tokens_max};
            const Fate fate = decode(row, options_.terms, create.token);
            change = std::move(create);
            return fate;
        }
    }
    return Fate::bad_value;
}

Result<void> Import::flush() {
    statuses_.resize(writes_.size());
    KNUCKLE_TRY(committer_.apply(writes_, statuses_));
    for (size_t i = 0; i < writes_.size(); ++i) {
        const auto [source, line] = origins_[i];
        ledger_.note(source, judge(statuses_[i], writes_[i], source), line);
    }
    writes_.clear();
    origins_.clear();
    return {};
}

Fate Import::judge(WriteStatus status, const store::Write& write, Source source) {
    switch (status) {
        case WriteStatus::done:
            return Fate::imported;
        case WriteStatus::exists:
            return is_there(write.change) ? Fate::already_there : Fate::taken;
        case WriteStatus::not_found:
            return source == Source::tokens ? Fate::no_device : Fate::no_account;
        case WriteStatus::over_quota:
            return Fate::over_quota;
        case WriteStatus::failed:
            return Fate::refused;
    }
    return Fate::refused;
}

// Is what is there already the same account, device or token of this app, or another one in its
// place?
bool Import::is_there(const store::Change& change) {
    store::Snapshot snapshot = reader_.snapshot();
    const std::string& app = options_.terms.app;
    store::Account account;
    if (const auto* const create = std::get_if<store::CreateAccount>(&change)) {
        const auto lookup = snapshot.find_account(app, create->account.username, account);
        return lookup == store::Lookup::found && account.id == create->account.id;
    }
    if (const auto* const set = std::get_if<store::SetAuthToken>(&change)) {
        const auto lookup = snapshot.find_account_by_auth(app, set->auth_token, account);
        return lookup == store::Lookup::found && account.id == set->account;
    }
    if (const auto* const create = std::get_if<store::CreateToken>(&change)) {
        store::TokenOwner owner;
        const auto lookup = snapshot.find_token(app, create->token.text, owner);
        return lookup == store::Lookup::found && owner.account == create->token.account;
    }
    // A device has its place by account and id, and the account may have come with another app.
    const auto* const create = std::get_if<store::CreateDevice>(&change);
    return create != nullptr &&
           snapshot.find_account(create->device.account, account) == store::Lookup::found &&
           account.app == app;
}

Result<bool> Import::end_pass() {
    KNUCKLE_TRY(flush());
    KNUCKLE_TRY(dump_.finish());
    if (state_of(Source::accounts) == State::unseen) return kForeign;
    ++passes_;
    const bool has_more = std::ranges::find(states_, State::seen) != states_.end();
    if (has_more && passes_ == kPassesMax) return kChanged;
    return has_more;
}

}  // namespace knuckle::migrate
