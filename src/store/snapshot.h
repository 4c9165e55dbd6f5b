// SPDX-License-Identifier: GPL-3.0-or-later
// Reading: a Reader per worker, a Snapshot per callback.
//
//     Reader reader(env);
//     {
//         Snapshot snapshot = reader.snapshot();            mdb_txn_renew, some ns; its end resets
//         if (snapshot.find_token(app, text, owner) == Lookup::found) ...
//     }
//
// What is found is copied out: no view of the map outlives a call, so LMDB can always reuse its
// pages. A snapshot sees every write whose Committed was delivered before it was taken. `damaged`
// means that the row is there but does not open or decode, or that LMDB failed: answer 503, never
// "not found", because clients forget what is not found. A list that is `damaged` still holds every
// row that is sound. find_token and for_each_target are the path of a knock: they allocate nothing.
// The target of accounts that have one is remembered (store/recent_targets.h).
// Owner: engine::Worker.  Thread: its worker's.  Limit: one snapshot of a reader at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "base/uuid.h"
#include "store/env.h"
#include "store/records.h"

namespace knuckle::store {

enum class Lookup : uint8_t { found, absent, damaged };

// What a knock needs of a token.
struct TokenOwner {
    Uuid account;
    Uuid device;
    UnixTime expires;
};

// What a push needs of a device; reused from knock to knock.
struct Target {
    Uuid device;
    DeviceKind kind = DeviceKind::apns;
    ProvenIn proven_in = ProvenIn::nowhere;
    UnixTime registered;
    uint16_t registration_size = 0;
    char registration[kRegistrationMax];

    [[nodiscard]] std::string_view registration_id() const {
        return {registration, registration_size};
    }
};

// A piece of the log of feedback.
struct FeedbackPage {
    std::vector<Feedback> events;  // by their numbers
    uint64_t next = 0;             // go on behind this one
    bool has_more = false;
    bool is_trimmed = false;  // events behind `after` are gone, for their age or their number
    uint64_t last = 0;        // the newest event of all
    uint64_t sent = 0;        // the last one that the webhook took
};

// What tells of a pending knock whose it is and how old. `app` is valid during the visit.
struct PendingRow {
    Uuid account;
    Uuid device;
    std::string_view app;
    uint64_t serial = 0;
    uint64_t unseen_serial = 0;
    UnixTime accepted;
    UnixTime expires;

    // Of all knocks that it stands for.
    [[nodiscard]] uint64_t last_serial() const { return std::max(serial, unseen_serial); }
};

class Snapshot;

class Reader {
public:
    explicit Reader(const Env& env);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    [[nodiscard]] Snapshot snapshot();

    // Rows met that do not open or decode, and lookups that LMDB failed.
    [[nodiscard]] uint64_t damaged_count() const;

    struct State;

private:
    std::unique_ptr<State> state_;
};

class Snapshot {
public:
    ~Snapshot();
    Snapshot(Snapshot&&) noexcept;
    Snapshot& operator=(Snapshot&&) = delete;

    // An expired token is found too: what that means is the caller's to say.
    [[nodiscard]] Lookup find_token(std::string_view app, std::string_view text, TokenOwner& owner);

    // Asks memory for what for_each_target() will read of an account that find_token() has just
    // found: for callers that have other work to do before and behind it.
    void prefetch_targets(const Uuid& account) const;

    // Calls visit(const Target&) for each active, living device of the account whose registration
    // id has not been visited yet: the same phone is often registered under several rows. absent:
    // the account has no device. damaged: no device of it is sound. `visit` may look rows up by
    // name or id, but not list or visit others.
    template <typename Visit>
    [[nodiscard]] Lookup for_each_target(const Uuid& account, Visit visit) {
        TargetScan scan{.account = account};
        while (const Target* target = next_target(scan)) visit(*target);
        return scan.status;
    }

    [[nodiscard]] Lookup find_account(std::string_view app,
                                      std::string_view username,
                                      Account& account);
    [[nodiscard]] Lookup find_account(const Uuid& id, Account& account);
    // By the auth token that authenticates its owner.
    [[nodiscard]] Lookup find_account_by_auth(std::string_view app,
                                              std::string_view auth_token,
                                              Account& account);

    [[nodiscard]] Lookup find_device(const Uuid& account, const Uuid& id, Device& device);
    // By device id. absent: there is none.
    [[nodiscard]] Lookup list_devices(const Uuid& account, std::vector<Device>& devices);

    [[nodiscard]] Lookup find_token(std::string_view app, std::string_view text, Token& token);
    // In no order. absent: there is none.
    [[nodiscard]] Lookup list_tokens(const Uuid& account, std::vector<Token>& tokens);

    // Calls visit(const PendingRow&) for each pending knock, in no order; for the start of the
    // process. absent: there is none. damaged: and so some were left out. `visit` may not look
    // anything up.
    template <typename Visit>
    [[nodiscard]] Lookup for_each_pending(Visit visit) {
        PendingScan scan;
        while (next_pending(scan)) visit(scan.row);
        return scan.status;
    }
    [[nodiscard]] Lookup find_pending(const Uuid& account, const Uuid& device, Pending& pending);

    // The events behind number `after`, at most `count_max` of them. absent: there is none.
    // damaged: some were left out, or LMDB failed and the page ends before.
    [[nodiscard]] Lookup read_feedback(uint64_t after, size_t count_max, FeedbackPage& page);

private:
    friend class Reader;
    struct TargetScan {
        Uuid account;
        Lookup status = Lookup::absent;  // found once a device of the account was seen
        size_t visited = 0;              // how many registration ids the reader remembers
        bool is_begun = false;
        bool is_recalled = false;  // from memory, and so it is the only one
        Uuid last{};               // device that was visited
    };

    struct PendingScan {
        PendingRow row;
        Lookup status = Lookup::absent;
        bool is_begun = false;
    };

    explicit Snapshot(Reader::State& state);
    [[nodiscard]] bool next_pending(PendingScan& scan);
    [[nodiscard]] const Target* next_target(TargetScan& scan);
    [[nodiscard]] const Target* search_target(TargetScan& scan);

    Reader::State* state_;
};

}  // namespace knuckle::store
