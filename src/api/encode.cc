// SPDX-License-Identifier: GPL-3.0-or-later
// Results to replies. The order of members is the reference's.
#include <iterator>

#include "api/json_text.h"
#include "api/refusals.h"
#include "api/rest.h"
#include "base/text.h"

namespace knuckle::api {

namespace {

// More than all names, dates, UUIDs and brackets of one object take.
constexpr size_t kFrameMax = 256;

void write_text_or_null(JsonWriter& json, std::string_view text, bool has_text) {
    if (has_text) {
        json.string(text);
    } else {
        json.null();
    }
}

size_t size_max(const store::Device& device) {
    return kFrameMax + json_size_max(device.name) + json_size_max(device.registration_id) +
           json_size_max(device.device_id);
}

void write(JsonWriter& json, const store::Device& device) {
    json.begin_object().key("name");
    write_text_or_null(json, device.name, device.has_name);
    json.key("id").string(device.id.text());
    json.key("active").boolean(device.is_active && !device.is_dead);
    json.key("registration_id").string(device.registration_id).key("device_id");
    write_text_or_null(json, device.device_id, device.has_device_id);
    json.key("date_created").string(format_date(device.created)).end_object();
}

size_t size_max(const store::Token& token) {
    return kFrameMax + json_size_max(token.name) + json_size_max(token.text);
}

// Absent members are left out, not null; a client that finds no parsable expiry asks for tokens for
// ever.
void write_members(JsonWriter& json, const store::Token& token) {
    if (token.has_name) json.key("name").string(token.name);
    json.key("token").string(token.text);
    json.key(token.kind == store::DeviceKind::apns ? "apns_device" : "gcm_device")
        .string(token.device.text());
    json.key("date_expires").string(format_date(token.expires));
}

void write(JsonWriter& json, const store::Token& token) {
    json.begin_object();
    write_members(json, token);
    json.end_object();
}

// Both client SDKs read lists in this wrapper only (chatsecure-push.md 3.3).
template <typename Item, typename IsListed>
Reply encode_list(std::span<const Item> items, const Routes& routes, IsListed is_listed) {
    Reply reply;
    size_t count = 0;
    for (const Item& item : items) count += is_listed(item) ? size_t{1} : 0;
    if (!routes.has_bare_lists) {
        reply.body =
            "{\"count\":" + std::to_string(count) + ",\"next\":null,\"previous\":null,\"results\":";
    }
    reply.body += '[';
    bool needs_comma = false;
    for (const Item& item : items) {
        if (!is_listed(item)) continue;
        if (needs_comma) reply.body += ',';
        needs_comma = true;
        append_json(reply.body, size_max(item), [&item](JsonWriter& json) { write(json, item); });
    }
    reply.body += routes.has_bare_lists ? "]" : "]}";
    return reply;
}

template <typename Item>
Reply encode_one(const Item& item, uint16_t status) {
    Reply reply;
    reply.status = status;
    append_json(reply.body, size_max(item), [&item](JsonWriter& json) { write(json, item); });
    return reply;
}

}  // namespace

void encode_knock(const Knock& knock, std::string& body) {
    const bool has_priority = knock.priority.is_present && !knock.priority.is_null;
    body.clear();
    append_json(body,
                kFrameMax + json_size_max(knock.token) + json_size_max(knock.extra.text) +
                    json_size_max(knock.priority.text),
                [&](JsonWriter& json) {
                    json.begin_object().key("token").string(knock.token).key("data");
                    switch (knock.extra.kind) {
                        case KnockExtra::Kind::null:
                            json.null();
                            break;
                        case KnockExtra::Kind::text:
                            json.string(knock.extra.text);
                            break;
                        case KnockExtra::Kind::object:
                            json.raw(knock.extra.text);
                            break;
                    }
                    json.key("priority");
                    write_text_or_null(json, knock.priority.text, has_priority);
                    json.end_object();
                });
}

// Strings only: the iOS app gives up on an account with any other value in it.
Reply encode_account(const store::Account& account, bool with_auth_token) {
    Reply reply;
    const size_t size = kFrameMax + json_size_max(account.username) + json_size_max(account.email) +
                        json_size_max(account.auth_token);
    append_json(reply.body, size, [&](JsonWriter& json) {
        json.begin_object()
            .key("username")
            .string(account.username)
            .key("email")
            .string(account.email);
        json.key("id").string(account.id.text());
        if (with_auth_token) json.key("token").string(account.auth_token);
        json.end_object();
    });
    return reply;
}

Reply encode_device(const store::Device& device, uint16_t status) {
    return encode_one(device, status);
}

Reply encode_devices(std::span<const store::Device> devices,
                     store::DeviceKind kind,
                     const Routes& routes) {
    return encode_list(
        devices, routes, [kind](const store::Device& device) { return device.kind == kind; });
}

Reply encode_token(const store::Token& token, uint16_t status) { return encode_one(token, status); }

Reply encode_found_token(const store::Token& token) {
    Reply reply;
    append_json(reply.body, 2 * size_max(token), [&token](JsonWriter& json) {
        json.begin_object();
        write_members(json, token);
        json.key("results").begin_array();
        write(json, token);
        json.end_array().end_object();
    });
    return reply;
}

Reply encode_tokens(std::span<const store::Token> tokens, const Routes& routes) {
    return encode_list(tokens, routes, [](const store::Token&) { return true; });
}

// An empty jid would make the iOS app burn a token on a registration that goes nowhere.
Reply encode_pubsub(std::string_view jid) {
    if (jid.empty()) return refusal(404, "This gateway has no XMPP address.");
    Reply reply;
    append_json(reply.body, kFrameMax + json_size_max(jid), [jid](JsonWriter& json) {
        json.begin_object().key("jid").string(jid).end_object();
    });
    return reply;
}

Reply encode_root(std::string_view base_url) {
    constexpr std::string_view kNames[] = {
        "device/apns", "device/gcm", "tokens", "messages", "accounts", "pubsub"};
    Reply reply;
    append_json(
        reply.body, kFrameMax + std::size(kNames) * json_size_max(base_url), [&](JsonWriter& json) {
            json.begin_object();
            for (const std::string_view name : kNames)
                json.key(name).string(std::string(base_url).append(name) + "/");
            json.end_object();
        });
    return reply;
}

}  // namespace knuckle::api
