// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/schema.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace knuckle::store {

namespace {

constexpr uint8_t kKindBits = 0x0f;
constexpr uint8_t kDeviceKindBits = 0x07;
constexpr uint8_t kHasProvenIn = 0x08;
constexpr uint8_t kHasName = 0x10;
constexpr uint8_t kHasDeviceId = 0x20;
constexpr uint8_t kIsActive = 0x40;
constexpr uint8_t kIsDead = 0x80;
constexpr uint8_t kIsBackground = 0x01;
constexpr uint8_t kHasUnseenSerial = 0x02;
constexpr int kFeedbackShift = 4;

constexpr std::string_view kFormatName("knuckle\0", 8);

std::optional<DeviceKind> kind_of(uint8_t flags, uint8_t bits = kKindBits) {
    const auto kind = static_cast<DeviceKind>(flags & bits);
    if (kind != DeviceKind::apns && kind != DeviceKind::gcm) return std::nullopt;
    return kind;
}

std::optional<FeedbackKind> feedback_kind_of(uint8_t flags) {
    const auto kind = static_cast<FeedbackKind>(flags >> kFeedbackShift);
    if (kind != FeedbackKind::dead && kind != FeedbackKind::revived) return std::nullopt;
    return kind;
}

// The hash of a name puts the app and a zero byte before it, so an app's name has none.
bool is_app_name(std::string_view app) { return app.find('\0') == std::string_view::npos; }

uint8_t flag(bool is_set, uint8_t bit) { return is_set ? bit : uint8_t{0}; }

}  // namespace

RowKey& RowKey::add(ByteView part) {
    KNUCKLE_ASSERT(part.size() <= bytes_.size() - size_);
    copy_bytes(bytes_.data() + size_, part);
    size_ += part.size();
    return *this;
}

std::optional<RowKey> RowKey::from(ByteView bytes) {
    if (bytes.size() > kKeyMax) return std::nullopt;
    RowKey key;
    key.add(bytes);
    return key;
}

bool RowKey::is_front_of(ByteView key) const {
    return key.size() >= size_ && std::memcmp(key.data(), bytes_.data(), size_) == 0;
}

RowKey check_key(uint8_t key_id) { return RowKey(Table::check).add({&key_id, 1}); }

RowKey account_key(const Uuid& account) { return RowKey(Table::accounts).add(account.view()); }

RowKey device_key(const DeviceRef& ref) { return devices_of(ref.account).add(ref.device.view()); }

RowKey devices_of(const Uuid& account) { return RowKey(Table::devices).add(account.view()); }

RowKey hashed_key(Table table, const LookupHash& hash) { return RowKey(table).add(hash); }

RowKey tally_key(const Uuid& account) { return RowKey(Table::owned_tokens).add(account.view()); }

RowKey owned_by(const DeviceRef& ref) { return tally_key(ref.account).add(ref.device.view()); }

// Big endian, so that the parts lie in their order.
RowKey owned_key(const DeviceRef& ref, uint16_t part) {
    const std::array<uint8_t, 2> bytes = {static_cast<uint8_t>(part >> 8),
                                          static_cast<uint8_t>(part)};
    return owned_by(ref).add(bytes);
}

RowKey pending_key(const DeviceRef& ref) { return pending_of(ref.account).add(ref.device.view()); }

RowKey pending_of(const Uuid& account) { return RowKey(Table::pending).add(account.view()); }

// Big endian, so that events lie in the order of their numbers.
RowKey feedback_key(uint64_t number) {
    std::array<uint8_t, sizeof number> bytes;
    save(bytes.data(), number);
    std::ranges::reverse(bytes);
    return RowKey(Table::feedback).add(bytes);
}

RowKey latest_feedback_key(const DeviceRef& ref) {
    return latest_feedback_of(ref.account).add(ref.device.view());
}

RowKey latest_feedback_of(const Uuid& account) {
    return RowKey(Table::latest_feedback).add(account.view());
}

std::optional<size_t> sealed_part_of(Table table) {
    switch (table) {
        case Table::format:
        case Table::owned_tokens:
        case Table::latest_feedback:
        case Table::feedback_log:
            return std::nullopt;
        case Table::tokens:
            return kExpirySize;
        case Table::check:
        case Table::accounts:
        case Table::usernames:
        case Table::auth_tokens:
        case Table::devices:
        case Table::pending:
        case Table::feedback:
            return size_t{0};
    }
    return std::nullopt;  // no table of ours
}

std::optional<DeviceRef> parse_device_key(ByteView key) {
    if (key.size() != 1 + 2 * kUuidSize) return std::nullopt;
    DeviceRef ref;
    copy_bytes(ref.account.bytes.data(), key.subspan(1, kUuidSize));
    copy_bytes(ref.device.bytes.data(), key.last(kUuidSize));
    return ref;
}

std::optional<uint16_t> parse_owned_key(ByteView key) {
    if (key.size() != 1 + 2 * kUuidSize + sizeof(uint16_t)) return std::nullopt;
    const ByteView part = key.last(sizeof(uint16_t));
    return static_cast<uint16_t>(part[0] << 8 | part[1]);
}

std::optional<uint64_t> parse_feedback_key(ByteView key) {
    if (key.size() != 1 + sizeof(uint64_t)) return std::nullopt;
    uint64_t number = 0;
    for (const uint8_t byte : key.subspan(1)) number = number << 8 | byte;
    return number;
}

bool decode(ByteView plain, AccountRecord& record) {
    FieldReader fields(plain);
    record.app = fields.text(kNameMax);
    record.username = fields.text(kNameMax);
    record.email = fields.text(kNameMax);
    record.password_hash = fields.text(kPasswordHashMax);
    record.auth_token = fields.packed(kTokenTextMax);
    record.created = fields.time();
    record.seen = fields.time();
    return fields.is_complete() && is_app_name(record.app);
}

bool decode(ByteView plain, DeviceRecord& record) {
    FieldReader fields(plain);
    const uint8_t flags = fields.byte();
    const auto kind = kind_of(flags, kDeviceKindBits);
    if (!kind) return false;
    record.kind = *kind;
    record.is_active = (flags & kIsActive) != 0;
    record.is_dead = (flags & kIsDead) != 0;
    record.created = fields.time();
    record.registered = fields.time();
    record.registration_id = fields.packed(kRegistrationMax);
    record.name.reset();
    record.device_id.reset();
    if ((flags & kHasName) != 0) record.name = fields.text(kNameMax);
    if ((flags & kHasDeviceId) != 0) record.device_id = fields.text(kNameMax);
    record.proven_in = ProvenIn::nowhere;
    if ((flags & kHasProvenIn) != 0) {
        record.proven_in = static_cast<ProvenIn>(fields.byte());
        if (record.proven_in != ProvenIn::production && record.proven_in != ProvenIn::sandbox)
            return false;
    }
    return fields.is_complete();
}

bool decode(ByteView plain, TokenRecord& record) {
    FieldReader fields(plain);
    record.account = fields.uuid();
    record.device = fields.uuid();
    record.expires = fields.seconds();
    record.created = fields.seconds();
    const uint8_t flags = fields.byte();
    const auto kind = kind_of(flags);
    if (!kind || (flags & ~(kKindBits | kHasName)) != 0) return false;
    record.kind = *kind;
    record.text = fields.packed(kTokenTextMax);
    record.name.reset();
    if ((flags & kHasName) != 0) record.name = fields.text(kNameMax);
    return fields.is_complete();
}

bool decode(ByteView plain, PendingRecord& record) {
    FieldReader fields(plain);
    record.serial = fields.number();
    record.accepted = fields.time();
    record.expires = fields.time();
    record.push = fields.uuid();
    const uint8_t flags = fields.byte();
    record.is_background = flags == kIsBackground;
    record.app = fields.text(kNameMax);
    record.payload = fields.text(kPayloadMax);
    record.unseen_serial = flags == kHasUnseenSerial ? fields.number() : 0;
    const bool has_sound_flags = flags == 0 || record.is_background || record.unseen_serial != 0;
    return fields.is_complete() && has_sound_flags && is_app_name(record.app);
}

bool decode(ByteView plain, FeedbackRecord& record) {
    FieldReader fields(plain);
    record.ref.account = fields.uuid();
    record.ref.device = fields.uuid();
    const uint8_t flags = fields.byte();
    const auto device_kind = kind_of(flags);
    const auto kind = feedback_kind_of(flags);
    if (!device_kind || !kind) return false;
    record.device_kind = *device_kind;
    record.kind = *kind;
    record.dead_since = fields.time();
    record.noticed = fields.time();
    record.app = fields.text(kNameMax);
    record.reason = fields.text(kReasonMax);
    return fields.is_complete() && is_app_name(record.app);
}

Account to_account(const Uuid& id, const AccountRecord& record) {
    return {.id = id,
            .app = std::string(record.app),
            .username = std::string(record.username),
            .email = std::string(record.email),
            .password_hash = std::string(record.password_hash),
            .auth_token = record.auth_token.text(),
            .created = record.created,
            .seen = record.seen};
}

Device to_device(const DeviceRef& ref, const DeviceRecord& record) {
    return {.id = ref.device,
            .account = ref.account,
            .kind = record.kind,
            .is_active = record.is_active,
            .is_dead = record.is_dead,
            .proven_in = record.proven_in,
            .registration_id = record.registration_id.text(),
            .name = std::string(record.name.value_or("")),
            .device_id = std::string(record.device_id.value_or("")),
            .has_name = record.name.has_value(),
            .has_device_id = record.device_id.has_value(),
            .created = record.created,
            .registered = record.registered};
}

Token to_token(const TokenRecord& record) {
    return {.text = record.text.text(),
            .account = record.account,
            .device = record.device,
            .kind = record.kind,
            .name = std::string(record.name.value_or("")),
            .has_name = record.name.has_value(),
            .created = record.created,
            .expires = record.expires};
}

Pending to_pending(const DeviceRef& ref, const PendingRecord& record) {
    return {.account = ref.account,
            .device = ref.device,
            .app = std::string(record.app),
            .serial = record.serial,
            .unseen_serial = record.unseen_serial,
            .accepted = record.accepted,
            .expires = record.expires,
            .push = record.push,
            .is_background = record.is_background,
            .payload = std::string(record.payload)};
}

Feedback to_feedback(uint64_t number, const FeedbackRecord& record) {
    return {.number = number,
            .account = record.ref.account,
            .device = record.ref.device,
            .device_kind = record.device_kind,
            .kind = record.kind,
            .app = std::string(record.app),
            .reason = std::string(record.reason),
            .dead_since = record.dead_since,
            .noticed = record.noticed};
}

ByteView encode(const Account& account, PlainBytes& storage) {
    if (!is_app_name(account.app)) return {};
    return FieldWriter(storage)
        .text(account.app, kNameMax)
        .text(account.username, kNameMax)
        .text(account.email, kNameMax)
        .text(account.password_hash, kPasswordHashMax)
        .packed(account.auth_token, kTokenTextMax)
        .time(account.created)
        .time(account.seen)
        .bytes();
}

ByteView encode(const Device& device, PlainBytes& storage) {
    const auto flags =
        static_cast<uint8_t>(static_cast<uint8_t>(device.kind) | flag(device.has_name, kHasName) |
                             flag(device.has_device_id, kHasDeviceId) |
                             flag(device.proven_in != ProvenIn::nowhere, kHasProvenIn) |
                             flag(device.is_active, kIsActive) | flag(device.is_dead, kIsDead));
    FieldWriter fields(storage);
    fields.byte(flags)
        .time(device.created)
        .time(device.registered)
        .packed(device.registration_id, kRegistrationMax);
    if (device.has_name) fields.text(device.name, kNameMax);
    if (device.has_device_id) fields.text(device.device_id, kNameMax);
    if (device.proven_in != ProvenIn::nowhere) fields.byte(static_cast<uint8_t>(device.proven_in));
    return fields.bytes();
}

ByteView encode(const Token& token, PlainBytes& storage) {
    const auto flags =
        static_cast<uint8_t>(static_cast<uint8_t>(token.kind) | flag(token.has_name, kHasName));
    FieldWriter fields(storage);
    fields.uuid(token.account)
        .uuid(token.device)
        .seconds(token.expires)
        .seconds(token.created)
        .byte(flags)
        .packed(token.text, kTokenTextMax);
    if (token.has_name) fields.text(token.name, kNameMax);
    return fields.bytes();
}

ByteView encode(const Pending& pending, PlainBytes& storage) {
    if (!is_app_name(pending.app)) return {};
    const bool has_unseen = pending.unseen_serial != 0;
    if (pending.is_background && has_unseen) return {};
    const auto flags = static_cast<uint8_t>(flag(pending.is_background, kIsBackground) |
                                            flag(has_unseen, kHasUnseenSerial));
    FieldWriter fields(storage);
    fields.number(pending.serial)
        .time(pending.accepted)
        .time(pending.expires)
        .uuid(pending.push)
        .byte(flags)
        .text(pending.app, kNameMax)
        .text(pending.payload, kPayloadMax);
    if (has_unseen) fields.number(pending.unseen_serial);
    return fields.bytes();
}

ByteView encode(const Feedback& feedback, PlainBytes& storage) {
    if (!is_app_name(feedback.app)) return {};
    const auto flags = static_cast<uint8_t>(static_cast<uint8_t>(feedback.device_kind) |
                                            static_cast<uint8_t>(feedback.kind) << kFeedbackShift);
    return FieldWriter(storage)
        .uuid(feedback.account)
        .uuid(feedback.device)
        .byte(flags)
        .time(feedback.dead_since)
        .time(feedback.noticed)
        .text(feedback.app, kNameMax)
        .text(feedback.reason, kReasonMax)
        .bytes();
}

std::array<uint8_t, kFormatSize> encode_format(uint32_t version) {
    std::array<uint8_t, kFormatSize> value;
    copy_bytes(value.data(), as_bytes(kFormatName));
    save(value.data() + kFormatName.size(), version);
    return value;
}

std::optional<uint32_t> decode_format(ByteView value) {
    if (value.size() != kFormatSize) return std::nullopt;
    if (as_text(value.first(kFormatName.size())) != kFormatName) return std::nullopt;
    return load<uint32_t>(value.last(sizeof(uint32_t)));
}

std::array<uint8_t, kExpirySize> encode_expiry(UnixTime expires) {
    return encode_count(static_cast<uint32_t>(to_unix_seconds(second_after(expires))));
}

std::optional<UnixTime> decode_expiry(ByteView value) {
    if (value.size() < kExpirySize) return std::nullopt;
    return from_unix_seconds(load<uint32_t>(value.first(kExpirySize)));
}

std::optional<OwnedHashes> decode_owned(ByteView value) {
    static_assert(sizeof(LookupHash) == 16 && alignof(LookupHash) == 1);
    const size_t count = value.size() / sizeof(LookupHash);
    if (count == 0 || count > kOwnedPerRow || value.size() % sizeof(LookupHash) != 0) {
        return std::nullopt;
    }
    return OwnedHashes(reinterpret_cast<const LookupHash*>(value.data()), count);
}

ByteView encode_owned(OwnedHashes hashes) {
    return {reinterpret_cast<const uint8_t*>(hashes.data()), hashes.size_bytes()};
}

std::array<uint8_t, 4> encode_count(uint32_t count) {
    std::array<uint8_t, 4> value;
    save(value.data(), count);
    return value;
}

std::optional<uint32_t> decode_count(ByteView value) {
    if (value.size() != sizeof(uint32_t)) return std::nullopt;
    return load<uint32_t>(value);
}

std::array<uint8_t, 8> encode_number(uint64_t number) {
    std::array<uint8_t, 8> value;
    save(value.data(), number);
    return value;
}

std::optional<uint64_t> decode_number(ByteView value) {
    if (value.size() != sizeof(uint64_t)) return std::nullopt;
    return load<uint64_t>(value);
}

std::array<uint8_t, kFeedbackLogSize> encode_log(const FeedbackLogRecord& log) {
    std::array<uint8_t, kFeedbackLogSize> value;
    save(value.data(), log.start);
    save(value.data() + sizeof(uint64_t), log.next);
    save(value.data() + 2 * sizeof(uint64_t), log.sent);
    return value;
}

std::optional<FeedbackLogRecord> decode_log(ByteView value) {
    if (value.size() != kFeedbackLogSize) return std::nullopt;
    const FeedbackLogRecord log{load<uint64_t>(value.first(sizeof(uint64_t))),
                                load<uint64_t>(value.subspan(sizeof(uint64_t))),
                                load<uint64_t>(value.last(sizeof(uint64_t)))};
    const bool is_sound = log.start > 0 && log.start <= log.next && log.sent < log.next;
    return is_sound ? std::optional(log) : std::nullopt;
}

}  // namespace knuckle::store
