// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/registry.h"

#include <array>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/text.h"
#include "crypto/digest.h"
#include "engine/http_conn.h"
#include "engine/knock.h"

namespace knuckle::engine {

namespace {

api::Reply store_unavailable() {
    return api::unavailable("The database could not answer.", kRetryAfterSeconds);
}
api::Reply overloaded() {
    return api::unavailable("Too many calls are waiting.", kRetryAfterSeconds);
}

// What a read that did not find its object is answered with.
api::Reply miss(store::Lookup lookup) {
    return lookup == store::Lookup::damaged ? store_unavailable() : api::not_found();
}

void assign(std::string& text, bool& has_text, const api::OptionalText& field) {
    if (!field.is_present) return;
    has_text = !field.is_null;
    text.assign(has_text ? field.text : std::string_view());
}

}  // namespace

Registry::Registry(Core& core, HttpConns& conns) : core_(core), conns_(conns), calls_(kCallsMax) {}

Registry::~Registry() {
    calls_.for_each([this](Waiting& waiting) { end(waiting); });
}

void Registry::execute(const api::Call& call, Origin origin, Now now) {
    store::Account caller;
    if (!call.auth_token.empty()) {
        const std::string_view app = core_.options.apps[call.app].name;
        const store::Lookup lookup =
            core_.reader.snapshot().find_account_by_auth(app, call.auth_token, caller);
        if (lookup == store::Lookup::damaged) return reply(origin, store_unavailable(), now);
        if (lookup == store::Lookup::absent || is_idle(caller, now)) {
            return reply(origin, api::auth_token_invalid(), now);
        }
        note_use(caller, now);
    } else if (call.needs_auth) {
        return reply(origin, api::credentials_missing(), now);
    }
    std::visit(
        [&](const auto& command) {
            using Command = std::decay_t<decltype(command)>;
            if constexpr (std::is_same_v<Command, api::LogIn>) {
                log_in(command, call.app, origin, now);
            } else if constexpr (std::is_same_v<Command, api::Refuse>) {
                reply(origin, command.reply, now);
            } else if constexpr (std::is_same_v<Command, api::GetPubsub>) {
                reply(origin, api::encode_pubsub(core_.options.pubsub_jid), now);
            } else if constexpr (std::is_same_v<Command, api::GetRoot>) {
                reply(origin, api::encode_root(core_.options.base_url), now);
            } else if constexpr (std::is_same_v<Command, api::GetAccount>) {
                get(command, caller, origin, now);
            } else if constexpr (std::is_same_v<Command, api::ListDevices> ||
                                 std::is_same_v<Command, api::ListTokens>) {
                list(command, caller, origin, now);
            } else if constexpr (std::is_same_v<Command, api::CreateDevice> ||
                                 std::is_same_v<Command, api::CreateToken>) {
                create(command, caller, origin, now);
            } else if constexpr (std::is_same_v<Command, api::GetDevice> ||
                                 std::is_same_v<Command, api::GetToken>) {
                get(command, caller, origin, now);
            } else if constexpr (std::is_same_v<Command, api::UpdateDevice> ||
                                 std::is_same_v<Command, api::UpdateToken>) {
                update(command, caller, origin, now);
            } else if constexpr (!std::is_same_v<Command, api::Knock>) {
                remove(command, caller, origin, now);
            }
        },
        call.command);
}

void Registry::reply(Origin origin, const api::Reply& reply, Now now) {
    conns_.answer(origin, reply, now);
}

// ---- accounts: one call creates or logs in ----

void Registry::log_in(const api::LogIn& login, size_t app, Origin origin, Now now) {
    const Duration pause = core_.limits.take_login(app, login.username, now.instant);
    if (pause > Duration{}) return reply(origin, api::throttled(pause), now);
    Waiting* const waiting = wait(origin, now);
    if (waiting == nullptr) return;
    waiting->password = login.password;
    waiting->account.app = core_.options.apps[app].name;
    waiting->account.username = login.username;
    waiting->account.email = login.email;
    start_login(*waiting, now);
}

// Whether the name is known or not, one slow hash follows, so that the time of the answer does not
// tell.
void Registry::start_login(Waiting& waiting, Now now) {
    store::Account known;
    const store::Lookup lookup =
        core_.reader.snapshot().find_account(waiting.account.app, waiting.account.username, known);
    PasswordTask task;
    if (lookup == store::Lookup::damaged) {
        reply(waiting.origin, store_unavailable(), now);
        return end(waiting);
    }
    waiting.is_reviving = false;
    waiting.is_new = lookup == store::Lookup::absent;
    if (waiting.is_new) {
        core_.secrets.fill(task.salt);
    } else {
        waiting.account = std::move(known);
        task.hash = waiting.account.password_hash;
        core_.secrets.fill(task.salt);
    }
    task.ticket = make_ticket(TicketKind::call, calls_.id_of(waiting));
    task.worker = core_.worker;
    task.password = waiting.password;
    if (core_.outbox.submit(std::move(task))) return;
    reply(waiting.origin, overloaded(), now);
    end(waiting);
}

void Registry::on_password(const PasswordChecked& checked, Now now) {
    Waiting* const waiting = calls_.find(id_of<Waiting>(checked.ticket));
    if (waiting == nullptr) return;
    if (waiting->is_new) {
        create_account(*waiting, checked.hash, now);
    } else {
        finish_login(*waiting, checked, now);
    }
}

void Registry::create_account(Waiting& waiting, const std::string& hash, Now now) {
    store::Account& account = waiting.account;
    account.id = core_.secrets.uuid();
    account.password_hash = hash;
    account.auth_token = random_token();
    account.created = account.seen = now.unix;
    waiting.reply = api::encode_account(account, true);
    store::Write write{.ticket = make_ticket(TicketKind::call, calls_.id_of(waiting)),
                       .worker = core_.worker,
                       .change = store::CreateAccount{account}};
    if (!hash.empty() && core_.outbox.submit(std::move(write))) return;
    reply(waiting.origin, overloaded(), now);
    end(waiting);
}

void Registry::finish_login(Waiting& waiting, const PasswordChecked& checked, Now now) {
    if (!checked.is_right) {
        reply(waiting.origin, api::login_refused(), now);
        return end(waiting);
    }
    if (checked.needs_upgrade && !checked.hash.empty()) {
        // Nobody waits for this: if it is dropped, the next login tries again.
        static_cast<void>(core_.outbox.submit(
            {.worker = core_.worker,
             .change = store::SetPasswordHash{waiting.account.id, checked.hash}}));
    }
    if (is_idle(waiting.account, now)) return revive(waiting, now);
    note_use(waiting.account, now);
    reply(waiting.origin, api::encode_account(waiting.account, true), now);
    end(waiting);
}

// Answered only when it is on disk that the account is used, or it might be swept all the same.
void Registry::revive(Waiting& waiting, Now now) {
    waiting.is_reviving = true;
    waiting.reply = api::encode_account(waiting.account, true);
    store::Write write{.ticket = make_ticket(TicketKind::call, calls_.id_of(waiting)),
                       .worker = core_.worker,
                       .change = store::TouchAccount{waiting.account.id, now.unix}};
    if (core_.outbox.submit(std::move(write))) return;
    reply(waiting.origin, overloaded(), now);
    end(waiting);
}

// Nobody waits for this: if it is dropped, the next call tries again.
void Registry::note_use(const store::Account& account, Now now) {
    if (!store::is_worth_noting(account.seen, now.unix)) return;
    static_cast<void>(core_.outbox.submit(
        {.worker = core_.worker, .change = store::TouchAccount{account.id, now.unix}}));
}

bool Registry::is_idle(const store::Account& account, Now now) const {
    return store::is_idle(account.seen, core_.options.account_lifetime, now.unix);
}

// Anything but one's own account is "not found", whether it exists or not.
void Registry::get(const api::GetAccount& command,
                   const store::Account& caller,
                   Origin origin,
                   Now now) {
    const bool is_own = command.username.empty() || command.username == caller.username;
    reply(origin, is_own ? api::encode_account(caller, false) : api::not_found(), now);
}

void Registry::remove(const api::DeleteAccount& command,
                      const store::Account& caller,
                      Origin origin,
                      Now now) {
    if (command.username != caller.username) return reply(origin, api::not_found(), now);
    commit(store::DeleteAccount{caller.id}, api::no_content(), origin, now);
}

// ---- devices ----

store::Lookup Registry::find_own(const Uuid& id,
                                 store::DeviceKind kind,
                                 const store::Account& caller,
                                 store::Device& device) {
    const store::Lookup lookup = core_.reader.snapshot().find_device(caller.id, id, device);
    return lookup == store::Lookup::found && device.kind != kind ? store::Lookup::absent : lookup;
}

void Registry::list(const api::ListDevices& command,
                    const store::Account& caller,
                    Origin origin,
                    Now now) {
    std::vector<store::Device> devices;
    const store::Lookup lookup = core_.reader.snapshot().list_devices(caller.id, devices);
    if (lookup == store::Lookup::damaged) return reply(origin, store_unavailable(), now);
    reply(origin, api::encode_devices(devices, command.kind, core_.options.routes), now);
}

void Registry::create(const api::CreateDevice& command,
                      const store::Account& caller,
                      Origin origin,
                      Now now) {
    store::Device device;
    device.id = core_.secrets.uuid();
    device.account = caller.id;
    device.kind = command.kind;
    device.is_active = command.fields.is_active.value_or(true);
    device.registration_id = command.fields.registration_id.text;
    assign(device.name, device.has_name, command.fields.name);
    assign(device.device_id, device.has_device_id, command.fields.device_id);
    device.created = device.registered = now.unix;
    commit(store::CreateDevice{device, core_.options.devices_max},
           api::encode_device(device, 201),
           origin,
           now);
}

void Registry::get(const api::GetDevice& command,
                   const store::Account& caller,
                   Origin origin,
                   Now now) {
    store::Device device;
    const store::Lookup lookup = find_own(command.id, command.kind, caller, device);
    reply(origin,
          lookup == store::Lookup::found ? api::encode_device(device, 200) : miss(lookup),
          now);
}

void Registry::update(const api::UpdateDevice& command,
                      const store::Account& caller,
                      Origin origin,
                      Now now) {
    store::Device device;
    const store::Lookup lookup = find_own(command.id, command.kind, caller, device);
    if (lookup != store::Lookup::found) return reply(origin, miss(lookup), now);
    const api::DeviceFields& fields = command.fields;
    const bool is_another =
        fields.registration_id.is_present && fields.registration_id.text != device.registration_id;
    if (is_another) device.registration_id = fields.registration_id.text;
    if (is_another || device.is_dead) device.proven_in = store::ProvenIn::nowhere;
    assign(device.name, device.has_name, fields.name);
    assign(device.device_id, device.has_device_id, fields.device_id);
    device.is_active = fields.is_active.value_or(device.is_active);
    // The app vouches for its registration, so whatever the provider said before is about an
    // earlier life.
    device.is_dead = false;
    device.registered = now.unix;
    commit(store::UpdateDevice{device}, api::encode_device(device, 200), origin, now);
}

void Registry::remove(const api::DeleteDevice& command,
                      const store::Account& caller,
                      Origin origin,
                      Now now) {
    store::Device device;
    const store::Lookup lookup = find_own(command.id, command.kind, caller, device);
    if (lookup != store::Lookup::found) return reply(origin, miss(lookup), now);
    commit(store::DeleteDevice{caller.id, command.id}, api::no_content(), origin, now);
}

// ---- tokens ----

void Registry::list(const api::ListTokens&, const store::Account& caller, Origin origin, Now now) {
    std::vector<store::Token> tokens;
    const store::Lookup lookup = core_.reader.snapshot().list_tokens(caller.id, tokens);
    if (lookup == store::Lookup::damaged) return reply(origin, store_unavailable(), now);
    std::erase_if(tokens, [&](const store::Token& token) { return token.expires <= now.unix; });
    reply(origin, api::encode_tokens(tokens, core_.options.routes), now);
}

void Registry::create(const api::CreateToken& command,
                      const store::Account& caller,
                      Origin origin,
                      Now now) {
    const Duration pause = core_.limits.take_token(caller.id, now.instant);
    if (pause > Duration{}) return reply(origin, api::throttled(pause), now);
    store::Token token;
    token.kind = command.fields.apns_device ? store::DeviceKind::apns : store::DeviceKind::gcm;
    token.device = command.fields.apns_device ? *command.fields.apns_device
                                              : command.fields.gcm_device.value_or(Uuid{});
    store::Device device;
    const store::Lookup lookup = find_own(token.device, token.kind, caller, device);
    if (lookup == store::Lookup::damaged) return reply(origin, store_unavailable(), now);
    if (lookup == store::Lookup::absent)
        return reply(origin, api::device_does_not_exist(token.kind, token.device), now);
    token.text = random_token();
    token.account = caller.id;
    assign(token.name, token.has_name, command.fields.name);
    // In whole seconds, which is also what the answer can say (chatsecure-push.md 3.2).
    store::set_lifetime(token, now.unix, core_.options.token_lifetime);
    const api::Reply created = api::encode_token(token, 201);
    commit(store::CreateToken{caller.app, token, core_.options.tokens_max}, created, origin, now);
}

void Registry::get(const api::GetToken& command,
                   const store::Account& caller,
                   Origin origin,
                   Now now) {
    store::Token token;
    const store::Lookup lookup =
        core_.reader.snapshot().find_token(caller.app, command.token, token);
    const bool is_own =
        lookup == store::Lookup::found && token.account == caller.id && token.expires > now.unix;
    reply(origin, is_own ? api::encode_found_token(token) : miss(lookup), now);
}

void Registry::update(const api::UpdateToken& command,
                      const store::Account& caller,
                      Origin origin,
                      Now now) {
    store::Token token;
    const store::Lookup lookup =
        core_.reader.snapshot().find_token(caller.app, command.token, token);
    const bool is_own =
        lookup == store::Lookup::found && token.account == caller.id && token.expires > now.unix;
    if (!is_own) return reply(origin, miss(lookup), now);
    assign(token.name, token.has_name, command.fields.name);
    if (command.fields.apns_device || command.fields.gcm_device) {
        token.kind = command.fields.apns_device ? store::DeviceKind::apns : store::DeviceKind::gcm;
        token.device =
            command.fields.apns_device ? *command.fields.apns_device : *command.fields.gcm_device;
        store::Device device;
        const store::Lookup found = find_own(token.device, token.kind, caller, device);
        if (found == store::Lookup::damaged) return reply(origin, store_unavailable(), now);
        if (found == store::Lookup::absent) {
            return reply(origin, api::device_does_not_exist(token.kind, token.device), now);
        }
    }
    commit(store::UpdateToken{caller.app, token}, api::encode_token(token, 200), origin, now);
}

void Registry::remove(const api::DeleteToken& command,
                      const store::Account& caller,
                      Origin origin,
                      Now now) {
    commit(store::DeleteToken{caller.app, caller.id, std::string(command.token)},
           api::no_content(),
           origin,
           now);
}

// ---- waiting for other threads ----

Registry::Waiting* Registry::wait(Origin origin, Now now) {
    Waiting* const waiting = calls_.take();
    if (waiting == nullptr) {
        reply(origin, overloaded(), now);
        return nullptr;
    }
    waiting->origin = origin;
    return waiting;
}

void Registry::commit(store::Change change, api::Reply done, Origin origin, Now now) {
    Waiting* const waiting = wait(origin, now);
    if (waiting == nullptr) return;
    waiting->reply = std::move(done);
    const bool is_token = std::holds_alternative<store::CreateToken>(change);
    waiting->if_full = api::quota_reached(is_token ? "tokens" : "devices");
    store::Write write{.ticket = make_ticket(TicketKind::call, calls_.id_of(*waiting)),
                       .worker = core_.worker,
                       .change = std::move(change)};
    if (core_.outbox.submit(std::move(write))) return;
    reply(origin, overloaded(), now);
    end(*waiting);
}

void Registry::on_committed(const store::Committed& committed, Now now) {
    Waiting* const waiting = calls_.find(id_of<Waiting>(committed.ticket));
    if (waiting == nullptr) return;
    switch (committed.status) {
        case store::WriteStatus::done:
            reply(waiting->origin, waiting->reply, now);
            break;
        case store::WriteStatus::exists:
            // Somebody else registered the name in the meantime: now it is a login.
            return start_login(*waiting, now);
        case store::WriteStatus::not_found:
            // Swept just before it was revived: the name is free, and becomes a new account.
            if (waiting->is_reviving) return start_login(*waiting, now);
            reply(waiting->origin, api::not_found(), now);
            break;
        case store::WriteStatus::over_quota:
            reply(waiting->origin, waiting->if_full, now);
            break;
        case store::WriteStatus::failed:
            reply(waiting->origin,
                  api::unavailable("The database is read-only at the moment.", kRetryAfterSeconds),
                  now);
            break;
    }
    end(*waiting);
}

void Registry::end(Waiting& waiting) {
    crypto::wipe({reinterpret_cast<uint8_t*>(waiting.password.data()), waiting.password.size()});
    calls_.give_back(waiting);
}

std::string Registry::random_token() {
    std::array<uint8_t, 20> bytes{};
    core_.secrets.fill(bytes);
    return to_hex(bytes);
}

}  // namespace knuckle::engine
