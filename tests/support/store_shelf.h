// SPDX-License-Identifier: GPL-3.0-or-later
// A store of a test's own: a directory under TMPDIR that goes with it, keys, one reader and one
// committer, and the people, phones and tokens of the tests' sentences.
//
//     Shelf shelf;
//     const Account anna = shelf.has(an_account("anna"));
//     shelf.write(DeleteAccount{anna.id}) == WriteStatus::done
//     shelf.reopen();
//
// Names decide ids and secrets, so equal sentences give equal stores.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "store/committer.h"
#include "store/env.h"
#include "store/lmdb_env.h"
#include "store/rows.h"
#include "store/snapshot.h"
#include "tests/support/pending_list.h"

namespace knuckle::store {

class TempDirectory {
public:
    TempDirectory() {
        std::string name = std::filesystem::temp_directory_path() / "knuckle-store-XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    TempDirectory(const TempDirectory&) = delete;
    TempDirectory& operator=(const TempDirectory&) = delete;
    ~TempDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string operator/(const std::string& name) const {
        return path_ + "/" + name;
    }

private:
    std::string path_;
};

// The value of what must not fail. By value, so that it outlives the result it came in.
template <typename T>
T must(Result<T> result) {
    if (!result) FAIL(result.error().what);
    return std::move(*result);
}

inline std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_file(const std::string& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline SealKey a_seal_key(uint8_t id, uint8_t number) {
    SealKey key;
    key.id = id;
    key.key.fill(number);
    return key;
}

inline Keys some_keys(uint8_t number = 1) {
    Keys keys;
    keys.current = a_seal_key(1, number);
    keys.lookup.fill(static_cast<uint8_t>(number + 100));
    return keys;
}

inline Uuid id_of(const std::string& name) {
    const auto digest = crypto::sha256(as_bytes(name));
    std::array<uint8_t, 16> bytes;
    std::copy_n(digest.begin(), bytes.size(), bytes.begin());
    return Uuid::from_random(bytes);
}

// 40 lower-case hex digits.
inline std::string secret_of(const std::string& name) {
    return to_hex(ByteView(crypto::sha256(as_bytes("secret of " + name))).first(20));
}

// 64 lower-case hex digits, as Apple gives them out.
inline std::string registration_of(const std::string& name) {
    return to_hex(crypto::sha256(as_bytes("registration of " + name)));
}

constexpr UnixTime kNoon = {1'795'953'600'123'456};

inline Account an_account(const std::string& name, const std::string& app = "chat") {
    Account account;
    account.id = id_of(app + " " + name);
    account.app = app;
    account.username = name;
    account.email = name + "@example.org";
    account.password_hash =
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$" + secret_of("password " + name);
    account.auth_token = secret_of(app + " " + name);
    account.created = kNoon;
    account.seen = kNoon;
    return account;
}

inline Device a_device(const Account& account, const std::string& name) {
    Device device;
    device.id = id_of(to_hex(account.id.view()) + " " + name);
    device.account = account.id;
    device.registration_id = registration_of(name);
    device.name = name;
    device.has_name = true;
    device.created = kNoon;
    device.registered = kNoon;
    return device;
}

inline Token a_token(const Device& device, const std::string& name) {
    Token token;
    token.text = secret_of("token " + name);
    token.account = device.account;
    token.device = device.id;
    token.kind = device.kind;
    token.name = name;
    token.has_name = true;
    set_lifetime(token, kNoon, hours(30 * 24));
    return token;
}

inline Pending a_pending(const Device& device, uint64_t serial) {
    Pending pending;
    pending.account = device.account;
    pending.device = device.id;
    pending.app = "chat";
    pending.serial = serial;
    pending.accepted = kNoon + seconds(static_cast<int64_t>(serial % 86'400));
    pending.expires = pending.accepted + hours(1);
    pending.push = id_of("push " + std::to_string(serial));
    pending.payload = "{\"aps\":{\"content-available\":" + std::to_string(serial) + "}}";
    return pending;
}

// What a provider says of a device that was pushed to.
inline MarkDeviceDead a_death(const Device& device, UnixTime noticed = kNoon) {
    return {.account = device.account,
            .device = device.id,
            .registered = device.registered,
            .reason = "Unregistered",
            .dead_since = noticed + seconds(-10),
            .noticed = noticed};
}

class Shelf {
public:
    // Small enough to fill quickly, large enough for most.
    static constexpr size_t kMapSize = size_t{64} << 20;

    explicit Shelf(size_t map_size = kMapSize) : map_size_(map_size) { open(); }

    // What it is opened with from the next time on.
    Keys keys = some_keys();
    PendingLimits pending_limits;

    void open() { open(map_size_); }
    void open(size_t map_size) {
        map_size_ = map_size;
        auto env = Env::open(
            {.directory = directory_.path(), .keys = keys, .now = kNoon, .map_size = map_size_});
        if (!env) FAIL(env.error().what);
        env_.emplace(std::move(*env));
        committer_ = std::make_unique<Committer>(*env_, random_, pending_limits);
        reader_ = std::make_unique<Reader>(*env_);
    }
    void close() {
        reader_.reset();
        committer_.reset();
        env_.reset();
    }
    void reopen() {
        close();
        open();
    }

    WriteStatus write(Change change) {
        const Write write{.ticket = 0, .worker = 0, .change = std::move(change)};
        WriteStatus status = WriteStatus::failed;
        const auto result = committer_->apply({&write, 1}, {&status, 1});
        if (!result) error_ = result.error();
        return status;
    }
    // However many, in commits as large as they may be, and all must be done.
    void write_many(std::vector<Change> changes) {
        for (auto from = changes.begin(); from != changes.end();) {
            const auto count = std::min<ptrdiff_t>(kBatchWritesMax, changes.end() - from);
            for (const WriteStatus status :
                 write_all({std::move_iterator(from), std::move_iterator(from + count)}))
                REQUIRE(status == WriteStatus::done);
            from += count;
        }
    }
    // All in one commit.
    std::vector<WriteStatus> write_all(std::vector<Change> changes) {
        std::vector<Write> writes;
        for (Change& change : changes) writes.push_back({0, 0, std::move(change)});
        std::vector<WriteStatus> statuses(writes.size(), WriteStatus::failed);
        const auto result = committer_->apply(writes, statuses);
        if (!result) error_ = result.error();
        return statuses;
    }

    const Account has(const Account& account) {
        REQUIRE(write(CreateAccount{account}) == WriteStatus::done);
        return account;
    }
    const Device has(const Device& device) {
        REQUIRE(write(CreateDevice{device, 100}) == WriteStatus::done);
        return device;
    }
    const Token has(const Token& token, const std::string& app = "chat") {
        REQUIRE(write(CreateToken{app, token, 1'000}) == WriteStatus::done);
        return token;
    }
    const Pending has(const Pending& pending) {
        REQUIRE(write(PutPending{pending}) == WriteStatus::done);
        return pending;
    }

    [[nodiscard]] Snapshot snapshot() { return reader_->snapshot(); }
    [[nodiscard]] Reader& reader() { return *reader_; }
    [[nodiscard]] Committer& committer() { return *committer_; }
    [[nodiscard]] Env& env() { return *env_; }
    [[nodiscard]] crypto::SecureRandom& random() { return random_; }
    [[nodiscard]] const TempDirectory& directory() const { return directory_; }
    // Of the last batch that failed.
    [[nodiscard]] Error error() const { return error_; }

    // Behind the store's back: a transaction, and a change of rows that is committed.
    [[nodiscard]] Transaction begin_read() {
        return must(Transaction::begin_read(env_->state().lmdb.get()));
    }
    [[nodiscard]] Transaction begin_write() {
        return must(Transaction::begin_write(env_->state().lmdb.get()));
    }
    template <typename Change>
    void tamper(Change change) {
        Transaction txn = begin_write();
        Rows rows(txn.get(), env_->state());
        change(rows);
        REQUIRE(txn.commit());
    }

    // What the store says, as values.
    [[nodiscard]] std::optional<Account> account(const std::string& name,
                                                 const std::string& app = "chat") {
        Account account;
        const Lookup lookup = snapshot().find_account(app, name, account);
        REQUIRE(lookup != Lookup::damaged);
        return lookup == Lookup::found ? std::optional(account) : std::nullopt;
    }
    [[nodiscard]] std::vector<Device> devices_of(const Account& account) {
        std::vector<Device> devices;
        REQUIRE(snapshot().list_devices(account.id, devices) != Lookup::damaged);
        return devices;
    }
    // By their names, sorted.
    [[nodiscard]] std::vector<std::string> tokens_of(const Account& account) {
        std::vector<Token> tokens;
        REQUIRE(snapshot().list_tokens(account.id, tokens) != Lookup::damaged);
        std::vector<std::string> names;
        for (const Token& token : tokens) names.push_back(token.name);
        std::sort(names.begin(), names.end());
        return names;
    }
    [[nodiscard]] Lookup look_up(const Token& token, const std::string& app = "chat") {
        TokenOwner owner;
        return snapshot().find_token(app, token.text, owner);
    }
    // The registration ids a knock for this account would go to.
    [[nodiscard]] std::vector<std::string> targets_of(const Account& account) {
        std::vector<std::string> ids;
        Snapshot now = snapshot();
        const Lookup lookup = now.for_each_target(account.id, [&ids](const Target& target) {
            ids.emplace_back(target.registration_id());
        });
        REQUIRE(lookup != Lookup::damaged);
        return ids;
    }
    [[nodiscard]] std::vector<Pending> pending() {
        std::vector<Pending> pending;
        REQUIRE(list_pending(snapshot(), pending) != Lookup::damaged);
        return pending;
    }
    // All that the log of feedback holds.
    [[nodiscard]] std::vector<Feedback> feedback() {
        FeedbackPage page;
        REQUIRE(snapshot().read_feedback(0, 1'000, page) != Lookup::damaged);
        return page.events;
    }

private:
    size_t map_size_;
    TempDirectory directory_;
    crypto::SecureRandom random_{crypto::SecureRandom::Seed{7}};
    std::optional<Env> env_;
    std::unique_ptr<Committer> committer_;
    std::unique_ptr<Reader> reader_;
    Error error_;
};

}  // namespace knuckle::store
