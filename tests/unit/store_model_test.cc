// SPDX-License-Identifier: GPL-3.0-or-later
// The store against a model of it in a few maps: thousands of random writes from a fixed seed, some
// refused, in batches of every size, a day apart, with a sweep and a reopening now and then. Status
// by status and row by row they must agree.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/random.h"
#include "store/pending_row.h"
#include "store/sweep.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

constexpr uint32_t kDevicesMax = 4;
constexpr uint32_t kTokensMax = 50;
// Of accounts; tokens live longer here, some of them.
constexpr Duration kLifetime = hours(24 * 15);

class Model {
public:
    WriteStatus apply(const CreateAccount& change) {
        for (const auto& [id, account] : accounts) {
            const bool is_taken = account.app == change.account.app &&
                                  (account.username == change.account.username ||
                                   account.auth_token == change.account.auth_token);
            if (is_taken || id == change.account.id) return WriteStatus::exists;
        }
        accounts[change.account.id] = change.account;
        return WriteStatus::done;
    }
    WriteStatus apply(const SetPasswordHash& change) {
        const auto account = accounts.find(change.account);
        if (account == accounts.end()) return WriteStatus::not_found;
        account->second.password_hash = change.password_hash;
        return WriteStatus::done;
    }
    WriteStatus apply(const SetAuthToken& change) {
        const auto account = accounts.find(change.account);
        if (account == accounts.end()) return WriteStatus::not_found;
        for (const auto& [id, other] : accounts) {
            if (other.app == account->second.app && other.auth_token == change.auth_token)
                return WriteStatus::exists;
        }
        account->second.auth_token = change.auth_token;
        return WriteStatus::done;
    }
    WriteStatus apply(const TouchAccount& change) {
        const auto account = accounts.find(change.account);
        if (account == accounts.end()) return WriteStatus::not_found;
        if (account->second.seen + kSeenGrain <= change.seen) account->second.seen = change.seen;
        return WriteStatus::done;
    }
    WriteStatus apply(const DeleteAccount& change) {
        if (accounts.erase(change.account) == 0) return WriteStatus::not_found;
        std::erase_if(devices, [&](const auto& row) { return row.first.first == change.account; });
        std::erase_if(tokens,
                      [&](const auto& row) { return row.second.account == change.account; });
        std::erase_if(pending, [&](const auto& row) { return row.first.first == change.account; });
        std::erase_if(feedback,
                      [&](const Event& event) { return event.account == change.account; });
        return WriteStatus::done;
    }
    WriteStatus apply(const CreateDevice& change) {
        const Device& device = change.device;
        if (!accounts.contains(device.account)) return WriteStatus::not_found;
        if (devices.contains({device.account, device.id})) return WriteStatus::exists;
        const auto count = std::ranges::count_if(
            devices, [&](const auto& row) { return row.first.first == device.account; });
        if (count >= change.devices_max) return WriteStatus::over_quota;
        devices[{device.account, device.id}] = device;
        return WriteStatus::done;
    }
    WriteStatus apply(const UpdateDevice& change) {
        const auto device = devices.find({change.device.account, change.device.id});
        if (device == devices.end()) return WriteStatus::not_found;
        if (device->second.is_dead && !change.device.is_dead) {
            note(device->second, FeedbackKind::revived, change.device.registered);
        }
        device->second = change.device;
        return WriteStatus::done;
    }
    WriteStatus apply(const DeleteDevice& change) {
        if (devices.erase({change.account, change.device}) == 0) return WriteStatus::not_found;
        std::erase_if(tokens, [&](const auto& row) {
            return row.second.account == change.account && row.second.device == change.device;
        });
        pending.erase({change.account, change.device});
        forget_feedback(change.account, change.device);
        return WriteStatus::done;
    }
    WriteStatus apply(const MarkDeviceDead& change) {
        const auto device = devices.find({change.account, change.device});
        if (device == devices.end()) return WriteStatus::not_found;
        if (device->second.registered > change.registered) return WriteStatus::done;
        if (!device->second.is_dead) note(device->second, FeedbackKind::dead, change.noticed);
        device->second.is_dead = true;
        return WriteStatus::done;
    }
    WriteStatus apply(const MarkDeviceProven& change) {
        const auto device = devices.find({change.account, change.device});
        if (device == devices.end()) return WriteStatus::not_found;
        if (device->second.registered == change.registered)
            device->second.proven_in = change.proven_in;
        return WriteStatus::done;
    }
    WriteStatus apply(const NoteFeedbackSent& change) {
        feedback_sent = std::max(feedback_sent, std::min(change.number, feedback_count));
        return WriteStatus::done;
    }
    WriteStatus apply(const TrimFeedback& change) {
        std::erase_if(feedback, [&](const Event& event) { return event.number <= change.number; });
        return WriteStatus::done;
    }
    WriteStatus apply(const CreateToken& change) {
        const Token& token = change.token;
        if (!devices.contains({token.account, token.device})) return WriteStatus::not_found;
        if (accounts.at(token.account).app != change.app) return WriteStatus::not_found;
        if (tokens.contains({change.app, token.text})) return WriteStatus::exists;
        const auto count = std::ranges::count_if(
            tokens, [&](const auto& row) { return row.second.account == token.account; });
        if (count >= change.tokens_max) return WriteStatus::over_quota;
        tokens[{change.app, token.text}] = token;
        return WriteStatus::done;
    }
    WriteStatus apply(const UpdateToken& change) {
        const auto token = tokens.find({change.app, change.token.text});
        if (token == tokens.end() || token->second.account != change.token.account ||
            !devices.contains({change.token.account, change.token.device})) {
            return WriteStatus::not_found;
        }
        token->second = change.token;
        return WriteStatus::done;
    }
    WriteStatus apply(const DeleteToken& change) {
        const auto token = tokens.find({change.app, change.text});
        if (token == tokens.end() || token->second.account != change.account) {
            return WriteStatus::not_found;
        }
        tokens.erase(token);
        return WriteStatus::done;
    }
    // The rule has its own test (store_pending_row_test.cc); here it is about the rows around it.
    WriteStatus apply(const PutPending& change) {
        const auto key = std::pair(change.pending.account, change.pending.device);
        if (!devices.contains(key)) return WriteStatus::not_found;
        const auto row = pending.find(key);
        pending[key] = row == pending.end() ? change.pending : row_after(row->second, change);
        return WriteStatus::done;
    }
    WriteStatus apply(const ClearPending& change) {
        const auto row = pending.find({change.account, change.device});
        if (row == pending.end()) return WriteStatus::done;
        const auto after = row_after(row->second, change);
        if (after) row->second = *after;
        if (!after) pending.erase(row);
        return WriteStatus::done;
    }

    void sweep(UnixTime now) {
        std::erase_if(tokens, [&](const auto& row) { return row.second.expires <= now; });
        std::vector<Uuid> idle;
        for (const auto& [id, account] : accounts) {
            const bool has_token = std::ranges::any_of(
                tokens, [&](const auto& row) { return row.second.account == id; });
            if (account.seen + hours(24) + kLifetime <= now && !has_token) idle.push_back(id);
        }
        for (const Uuid& id : idle) apply(DeleteAccount{id});
        gone += idle.size();
        const auto is_young = [&](const Event& event) {
            return event.noticed + kFeedbackLifetime > now;
        };
        feedback.erase(feedback.begin(), std::ranges::find_if(feedback, is_young));
    }

    // The last that is known of each device, oldest first.
    struct Event {
        uint64_t number;
        Uuid account;
        Uuid device;
        FeedbackKind kind;
        UnixTime noticed;

        bool operator==(const Event&) const = default;
    };
    void note(const Device& device, FeedbackKind kind, UnixTime noticed) {
        forget_feedback(device.account, device.id);
        feedback.push_back({++feedback_count, device.account, device.id, kind, noticed});
    }
    void forget_feedback(const Uuid& account, const Uuid& device) {
        std::erase_if(feedback, [&](const Event& event) {
            return event.account == account && event.device == device;
        });
    }

    size_t gone = 0;  // accounts that were swept
    std::map<Uuid, Account> accounts;
    std::map<std::pair<Uuid, Uuid>, Device> devices;
    std::map<std::pair<std::string, std::string>, Token> tokens;
    std::map<std::pair<Uuid, Uuid>, Pending> pending;
    std::vector<Event> feedback;
    uint64_t feedback_count = 0;
    uint64_t feedback_sent = 0;
};

// Draws changes about few names, so that they meet.
class Chance {
public:
    explicit Chance(uint64_t seed) : random_(seed) {}

    [[nodiscard]] uint64_t below(uint64_t bound) { return random_.below(bound); }
    [[nodiscard]] UnixTime now() const { return now_; }
    void sleep() { now_ = now_ + hours(24); }

    Change change() {
        const Account account = this->account();
        const Device device = this->device(account);
        switch (below(20)) {
            case 0:
            case 1:
                return CreateAccount{account};
            case 2:
                if (below(2) == 0) return TouchAccount{account.id, account.seen};
                if (below(2) == 0) return SetAuthToken{account.id, this->account().auth_token};
                return SetPasswordHash{account.id, "hash " + std::to_string(below(1'000))};
            case 3:
                if (below(4) == 0) return DeleteAccount{account.id};
                [[fallthrough]];
            case 4:
            case 5:
                return CreateDevice{device, kDevicesMax};
            case 6:
                return UpdateDevice{device};
            case 7:
                if (below(2) == 0) return DeleteDevice{account.id, device.id};
                [[fallthrough]];
            case 8:
                return MarkDeviceDead{.account = account.id,
                                      .device = device.id,
                                      .registered = time(),
                                      .reason = "Unregistered",
                                      .noticed = now_};
            case 9:
            case 10:
                return UpdateToken{app(), token(device)};
            case 11:
                return DeleteToken{app(), account.id, text()};
            case 12:
                return MarkDeviceProven{
                    account.id, device.id, device.registered, ProvenIn::sandbox};
            case 13:
                return PutPending{pending(device)};
            case 14:
                if (below(4) == 0) return NoteFeedbackSent{below(1'000)};
                if (below(100) == 0) return TrimFeedback{below(1'000)};
                return ClearPending{account.id, device.id, below(100), below(2) == 0};
            default:
                return CreateToken{app(), token(device), kTokensMax};
        }
    }

private:
    std::string app() { return below(2) == 0 ? "chat" : "zom"; }
    UnixTime time() { return {static_cast<int64_t>(below(1'000'000'000))}; }
    std::string text() { return secret_of("token " + std::to_string(below(400))); }
    Account account() {
        Account account = an_account("person " + std::to_string(below(6)), app());
        // The same name under another id or the other way round now and then.
        if (below(10) == 0) account.id = id_of("id " + std::to_string(below(3)));
        account.created = time();
        account.seen = now_ + seconds(static_cast<int64_t>(below(80'000)));
        return account;
    }
    Device device(const Account& account) {
        Device device = a_device(account, "device " + std::to_string(below(6)));
        device.kind = below(4) == 0 ? DeviceKind::gcm : DeviceKind::apns;
        device.is_active = below(5) != 0;
        device.has_device_id = below(2) == 0;
        if (device.has_device_id) device.device_id = std::string(below(40), 'i');
        if (below(3) == 0) device.registration_id = std::string(below(kRegistrationMax), 'R');
        device.registered = below(3) == 0 ? now_ : time();
        return device;
    }
    Token token(const Device& device) {
        Token token = a_token(device, "");
        token.text = text();
        token.name = std::string(below(200), 'n');
        token.created = second_before(time());
        token.expires = now_ + seconds(static_cast<int64_t>(below(20 * 86'400)));
        return token;
    }
    Pending pending(const Device& device) {
        Pending pending = a_pending(device, below(100));
        pending.accepted = time();
        pending.payload = std::string(below(kPayloadMax), 'p');
        pending.is_background = below(2) == 0;
        return pending;
    }

    Random random_;
    UnixTime now_ = from_unix_seconds(to_unix_seconds(kNoon));
};

auto text_of(const Token& token) { return token.text; }

void agree(Shelf& shelf, const Model& model) {
    std::map<Uuid, std::vector<Device>> devices;
    std::map<Uuid, std::map<std::string, Token>> tokens;
    for (const auto& [key, device] : model.devices) devices[key.first].push_back(device);
    for (const auto& [key, token] : model.tokens) tokens[token.account][token.text] = token;
    for (const auto& [id, account] : model.accounts) {
        Snapshot snapshot = shelf.snapshot();
        Account found;
        REQUIRE(snapshot.find_account(account.app, account.username, found) == Lookup::found);
        REQUIRE(found == account);
        REQUIRE(snapshot.find_account_by_auth(account.app, account.auth_token, found) ==
                Lookup::found);
        REQUIRE(found == account);
        std::vector<Device> found_devices;
        const Lookup has_devices = snapshot.list_devices(id, found_devices);
        REQUIRE(has_devices == (devices[id].empty() ? Lookup::absent : Lookup::found));
        REQUIRE(found_devices == devices[id]);
        std::vector<Token> found_tokens;
        REQUIRE(snapshot.list_tokens(id, found_tokens) != Lookup::damaged);
        std::map<std::string, std::vector<Token>> by_text;
        for (const Token& token : found_tokens) by_text[text_of(token)].push_back(token);
        for (const auto& [key, token] : model.tokens) {
            if (token.account == id) REQUIRE(std::erase(by_text[token.text], token) == 1);
        }
        for (const auto& [text, rest] : by_text) REQUIRE(rest.empty());

        std::set<std::pair<DeviceKind, std::string>> expected;
        for (const Device& device : devices[id]) {
            if (device.is_active && !device.is_dead)
                expected.emplace(device.kind, device.registration_id);
        }
        std::multiset<std::pair<DeviceKind, std::string>> targets;
        static_cast<void>(snapshot.for_each_target(id, [&targets](const Target& target) {
            targets.emplace(target.kind, target.registration_id());
        }));
        REQUIRE(std::ranges::equal(targets, expected));
    }
    for (const auto& [key, token] : model.tokens) {
        Token found;
        REQUIRE(shelf.snapshot().find_token(key.first, key.second, found) == Lookup::found);
        REQUIRE(found == token);
    }
    std::map<std::pair<Uuid, Uuid>, Pending> pending;
    for (const Pending& row : shelf.pending()) pending[{row.account, row.device}] = row;
    REQUIRE(pending == model.pending);
    FeedbackPage page;
    REQUIRE(shelf.snapshot().read_feedback(0, 1'000, page) != Lookup::damaged);
    std::vector<Model::Event> feedback;
    for (const Feedback& event : page.events) {
        feedback.push_back({event.number, event.account, event.device, event.kind, event.noticed});
    }
    REQUIRE(feedback == model.feedback);
    REQUIRE(page.last == model.feedback_count);
    REQUIRE(page.sent == model.feedback_sent);
    REQUIRE(shelf.reader().damaged_count() == 0);
}

void sweep(Shelf& shelf, UnixTime now) {
    Sweep sweep(shelf.env(), shelf.committer(), kLifetime);
    while (must(sweep.step({.instant = {}, .unix = now}))) {
    }
}

void live_through(uint64_t seed, int batches) {
    Shelf shelf;
    Model model;
    Chance chance(seed);
    std::map<WriteStatus, size_t> seen;
    for (int batch = 0; batch < batches; ++batch) {
        INFO("seed " << seed << ", batch " << batch);
        std::vector<Change> changes;
        const uint64_t count = chance.below(10) == 0 ? 200 : 1 + chance.below(20);
        for (uint64_t i = 0; i < count; ++i) changes.push_back(chance.change());
        const auto statuses = shelf.write_all(changes);
        for (size_t i = 0; i < changes.size(); ++i) {
            INFO("write " << i << " of kind " << changes[i].index());
            const WriteStatus expected = std::visit(
                [&model](const auto& change) { return model.apply(change); }, changes[i]);
            REQUIRE(statuses[i] == expected);
            ++seen[expected];
        }
        chance.sleep();
        if (batch % 5 == 0) {
            sweep(shelf, chance.now());
            model.sweep(chance.now());
        }
        if (batch % 25 == 0) agree(shelf, model);
        if (batch % 100 == 99) shelf.reopen();  // which checks every page, too
    }
    agree(shelf, model);
    CHECK(seen[WriteStatus::done] > 1'000);
    CHECK(seen[WriteStatus::exists] > 100);
    CHECK(seen[WriteStatus::not_found] > 100);
    CHECK(seen[WriteStatus::over_quota] > 50);
    CHECK(model.gone > 10);

    // And once all accounts have gone, nothing is left of them.
    std::vector<Change> changes;
    for (const auto& [id, account] : model.accounts) changes.push_back(DeleteAccount{id});
    shelf.write_all(changes);
    for (const auto& [key, token] : model.tokens)
        REQUIRE(shelf.look_up(token, key.first) == Lookup::absent);
    CHECK(shelf.pending().empty());
    FeedbackPage page;
    CHECK(shelf.snapshot().read_feedback(0, 1'000, page) == Lookup::absent);
    const Transaction txn = shelf.begin_read();
    CHECK(must(Rows(txn.get(), shelf.env().state()).list(RowKey(Table::latest_feedback))).empty());
    CHECK(model.feedback_count > 30);
}

}  // namespace

TEST_CASE("The store agrees with a model of it through thousands of writes", "[store][model]") {
    live_through(1, 300);
    live_through(2, 300);
}
