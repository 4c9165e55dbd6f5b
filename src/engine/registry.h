// SPDX-License-Identifier: GPL-3.0-or-later
// Everything of the API that is not a knock: accounts, devices, tokens.
//
//     registry.execute(call, origin, now)        answers at once, or later
//     registry.on_committed(committed, now)      its write is on disk, or was refused
//     registry.on_password(checked, now)         the slow hash is done
//
// Writes are answered after their commit, so what a client was told is on disk. Passwords are
// hashed on another thread; a known and an unknown username cost the same there. An account that
// was not used for account_lifetime is gone for its auth token at once; until it is swept, a login
// with its password has it back.
// Owner: engine::Worker.  Thread: its worker's.  Limit: kCallsMax calls waiting, 503 beyond.
#pragma once

#include <cstddef>
#include <string>

#include "api/command.h"
#include "base/pool.h"
#include "base/time.h"
#include "engine/core.h"
#include "store/records.h"

namespace knuckle::engine {

class HttpConns;

inline constexpr size_t kCallsMax = 1'024;

class Registry {
public:
    Registry(Core& core, HttpConns& conns);
    ~Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    void execute(const api::Call& call, Origin origin, Now now);
    void on_committed(const store::Committed& committed, Now now);
    void on_password(const PasswordChecked& checked, Now now);
    [[nodiscard]] bool is_idle() const { return calls_.count() == 0; }

private:
    // A call whose answer waits for the commit thread or the password thread.
    struct Waiting {
        Origin origin;
        api::Reply reply;    // when the write is done
        api::Reply if_full;  // when a quota is reached
        // A login in progress.
        store::Account account;
        std::string password;
        bool is_new = false;       // the account does not exist yet
        bool is_reviving = false;  // the account was idle and would have been swept
    };

    void reply(Origin origin, const api::Reply& reply, Now now);
    void log_in(const api::LogIn& login, size_t app, Origin origin, Now now);
    void start_login(Waiting& waiting, Now now);
    void finish_login(Waiting& waiting, const PasswordChecked& checked, Now now);
    void revive(Waiting& waiting, Now now);
    void note_use(const store::Account& account, Now now);
    [[nodiscard]] bool is_idle(const store::Account& account, Now now) const;
    void create_account(Waiting& waiting, const std::string& hash, Now now);

    void get(const api::GetAccount& command, const store::Account& caller, Origin origin, Now now);
    void remove(const api::DeleteAccount& command,
                const store::Account& caller,
                Origin origin,
                Now now);
    void list(const api::ListDevices& command,
              const store::Account& caller,
              Origin origin,
              Now now);
    void create(const api::CreateDevice& command,
                const store::Account& caller,
                Origin origin,
                Now now);
    void get(const api::GetDevice& command, const store::Account& caller, Origin origin, Now now);
    void update(const api::UpdateDevice& command,
                const store::Account& caller,
                Origin origin,
                Now now);
    void remove(const api::DeleteDevice& command,
                const store::Account& caller,
                Origin origin,
                Now now);
    void list(const api::ListTokens& command, const store::Account& caller, Origin origin, Now now);
    void create(const api::CreateToken& command,
                const store::Account& caller,
                Origin origin,
                Now now);
    void get(const api::GetToken& command, const store::Account& caller, Origin origin, Now now);
    void update(const api::UpdateToken& command,
                const store::Account& caller,
                Origin origin,
                Now now);
    void remove(const api::DeleteToken& command,
                const store::Account& caller,
                Origin origin,
                Now now);

    [[nodiscard]] store::Lookup find_own(const Uuid& id,
                                         store::DeviceKind kind,
                                         const store::Account& caller,
                                         store::Device& device);
    // Hands the change over and answers `reply` when it is on disk.
    void commit(store::Change change, api::Reply reply, Origin origin, Now now);
    Waiting* wait(Origin origin, Now now);
    void end(Waiting& waiting);
    [[nodiscard]] std::string random_token();

    Core& core_;
    HttpConns& conns_;
    Pool<Waiting> calls_;
};

}  // namespace knuckle::engine
