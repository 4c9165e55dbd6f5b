// SPDX-License-Identifier: GPL-3.0-or-later
#include "api/options.h"

#include <cstddef>
#include <span>
#include <string_view>

#include "api/json_text.h"
#include "api/rest.h"

namespace knuckle::api {

namespace {

struct FieldNote {
    std::string_view name;
    std::string_view type;
    bool is_required = false;
    bool is_read_only = false;
    size_t length_max = 0;  // 0: says nothing of it
};

constexpr FieldNote kLogInNotes[] = {
    {.name = "username", .type = "string", .is_required = true, .length_max = kUsernameCharsMax},
    {.name = "password", .type = "string", .is_required = true, .length_max = kPasswordCharsMax},
    {.name = "email", .type = "email", .length_max = kEmailCharsMax},
};
constexpr FieldNote kDeviceNotes[] = {
    {.name = "name", .type = "string", .length_max = kDeviceNameCharsMax},
    {.name = "id", .type = "string", .is_read_only = true},
    {.name = "active", .type = "boolean"},
    {.name = "registration_id",
     .type = "string",
     .is_required = true,
     .length_max = kRegistrationBytesMax},
    {.name = "device_id", .type = "string", .length_max = kDeviceIdBytesMax},
    {.name = "date_created", .type = "datetime", .is_read_only = true},
};
constexpr FieldNote kTokenNotes[] = {
    {.name = "name", .type = "string", .length_max = kTokenNameCharsMax},
    {.name = "token", .type = "string", .is_read_only = true},
    {.name = "apns_device", .type = "field"},
    {.name = "gcm_device", .type = "field"},
    {.name = "date_expires", .type = "datetime", .is_read_only = true},
};
constexpr FieldNote kKnockNotes[] = {
    {.name = "token", .type = "string", .is_required = true, .length_max = kMessageTokenCharsMax},
    {.name = "data", .type = "string", .length_max = kExtraBytesMax},
    {.name = "priority", .type = "string", .length_max = kPriorityCharsMax},
};

struct EndpointNote {
    std::string_view name;
    std::string_view description;
    std::string_view method;  // the one that takes `fields`
    std::span<const FieldNote> fields;
};

EndpointNote note_of(Endpoint endpoint) {
    switch (endpoint) {
        case Endpoint::root:
            return {"Root", "The endpoints of this gateway. POST works as on messages/.", {}, {}};
        case Endpoint::accounts:
            return {"Accounts", "Create an account, or log in to it.", "POST", kLogInNotes};
        case Endpoint::account:
            return {"Account", "One account.", {}, {}};
        case Endpoint::devices:
            return {"Devices", "The devices of the account, of one kind.", "POST", kDeviceNotes};
        case Endpoint::device:
            return {"Device", "One device.", "PUT", kDeviceNotes};
        case Endpoint::tokens:
            return {"Tokens", "The whitelist tokens of the account.", "POST", kTokenNotes};
        case Endpoint::token:
            return {"Token", "One whitelist token.", "PUT", kTokenNotes};
        case Endpoint::messages:
            return {"Messages", "Wake the devices of a token's owner.", "POST", kKnockNotes};
        case Endpoint::pubsub:
            return {"Pubsub", "The XMPP address to publish to.", {}, {}};
    }
    return {};
}

void write(JsonWriter& json, const FieldNote& field) {
    json.key(field.name).begin_object().key("type").string(field.type);
    json.key("required").boolean(field.is_required).key("read_only").boolean(field.is_read_only);
    if (field.length_max > 0) json.key("max_length").number(field.length_max);
    json.end_object();
}

}  // namespace

Reply describe(Endpoint endpoint, Audience audience) {
    constexpr size_t kDescriptionMax = 1'024;  // of any endpoint; append_json() checks
    const EndpointNote note = note_of(endpoint);
    Reply reply;
    append_json(reply.body, kDescriptionMax, [&](JsonWriter& json) {
        json.begin_object()
            .key("name")
            .string(note.name)
            .key("description")
            .string(note.description);
        json.key("renders").begin_array().string("application/json").end_array();
        json.key("parses").begin_array().string("application/json");
        json.string("application/x-www-form-urlencoded").string("multipart/form-data").end_array();
        if (audience == Audience::account && !note.fields.empty()) {
            json.key("actions").begin_object().key(note.method).begin_object();
            for (const FieldNote& field : note.fields) write(json, field);
            json.end_object().end_object();
        }
        json.end_object();
    });
    return reply;
}

}  // namespace knuckle::api
