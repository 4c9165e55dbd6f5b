// SPDX-License-Identifier: GPL-3.0-or-later
// What a client wants, as a value, and what it is told. The protocol is ChatSecure Push v1;
// docs/API.md describes it.
//
// decode() (api/rest.h) turns a request into a Call, engine/ carries it out, the encode functions
// turn the result into a Reply. Views in a Call live as long as the request, and until the next
// decode() on the same Decoder. Texts are trimmed UTF-8, without NUL, within their limits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/uuid.h"
#include "http1/message.h"
#include "push/types.h"
#include "store/records.h"

namespace knuckle::api {

// An answer to an HTTP request. `content_type` is a literal, and empty if there is no body.
// The Allow field of the answer is Call::allow.
struct Reply {
    uint16_t status = 200;
    std::string body;
    std::string_view content_type = "application/json";
    bool asks_for_token =
        false;  // adds "WWW-Authenticate: Token" (never a scheme that opens a dialogue)
    uint32_t retry_after_seconds = 0;  // 0: none
};

// A member that may be absent, null, or text.
struct OptionalText {
    std::string_view text;
    bool is_present = false;
    bool is_null = false;
};

// The free text or object that a sender adds to a knock.
struct KnockExtra {
    enum class Kind : uint8_t { null, text, object };
    Kind kind = Kind::null;
    std::string_view text;  // text: unescaped.  object: one JSON object without white space.
};

// POST messages/, or its old spellings: wake the owner of `token`.
struct Knock {
    std::string_view token;
    KnockExtra extra;
    push::Urgency urgency = push::Urgency::unspecified;
    OptionalText priority;  // for the echo
};

// POST accounts/: creates the account, or logs in to it.
struct LogIn {
    std::string_view username;
    std::string_view password;
    std::string_view email;  // its domain in lower case; empty: none was given
};
struct GetAccount {
    std::string_view username;  // empty: the caller's own
};
struct DeleteAccount {
    std::string_view username;
};

struct DeviceFields {
    OptionalText registration_id;
    OptionalText name;
    OptionalText device_id;
    std::optional<bool> is_active;
};
struct ListDevices {
    store::DeviceKind kind;
};
struct CreateDevice {
    store::DeviceKind kind;
    DeviceFields fields;
};
struct GetDevice {
    store::DeviceKind kind;
    Uuid id;
};
// PUT and PATCH: members that are not sent keep their value.
struct UpdateDevice {
    store::DeviceKind kind;
    Uuid id;
    DeviceFields fields;
};
struct DeleteDevice {
    store::DeviceKind kind;
    Uuid id;
};

// Not both devices. CreateToken and a PUT have one of them.
struct TokenFields {
    std::optional<Uuid> apns_device;
    std::optional<Uuid> gcm_device;
    OptionalText name;
};
struct ListTokens {};
struct CreateToken {
    TokenFields fields;
};
struct GetToken {
    std::string_view token;
};
// Members that are not sent keep their value; a device takes the place of the one before it.
struct UpdateToken {
    std::string_view token;
    TokenFields fields;
};
struct DeleteToken {
    std::string_view token;
};

struct GetPubsub {};
struct GetRoot {};

// Decided while decoding: a mistake of the client's, OPTIONS, an unknown path.
struct Refuse {
    Reply reply;
};

using Command = std::variant<Knock,
                             LogIn,
                             GetAccount,
                             DeleteAccount,
                             ListDevices,
                             CreateDevice,
                             GetDevice,
                             UpdateDevice,
                             DeleteDevice,
                             ListTokens,
                             CreateToken,
                             GetToken,
                             UpdateToken,
                             DeleteToken,
                             GetPubsub,
                             GetRoot,
                             Refuse>;

// Before the engine looks at the command, Refuse included, it answers
//   auth_token_invalid()   if there is an auth_token that names no account of the app,
//   credentials_missing()  if there is none and needs_auth:
// as in the reference, 401 comes before 400, 405 and the 404 of an object. Where a stale
// Authorization must do no harm (chatsecure-push.md 3.3: login, knocks, pubsub) auth_token is empty
// whatever was sent.
struct Call {
    Command command;
    size_t app = 0;               // index into Routes::apps
    std::string_view auth_token;  // from "Authorization: Token ..."; empty: none that matters
    bool needs_auth = false;
    std::string_view allow;  // the answer's Allow field; empty: the path is not of the API
};

}  // namespace knuckle::api
