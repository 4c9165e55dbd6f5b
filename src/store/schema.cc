// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/schema.h"

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"

namespace knuckle::store {

namespace {

constexpr uint8_t kKindBits = 0x0f;
constexpr uint8_t kHasName = 0x10;
constexpr uint8_t kHasDeviceId = 0x20;
constexpr uint8_t kIsActive = 0x40;
constexpr uint8_t kIsDead = 0x80;
constexpr uint8_t kIsBackground = 0x01;

constexpr std::string_view kFormatName("knuckle\0", 8);

template <typename Int>
Int load(ByteView bytes) {
    Int value = 0;
    for (size_t i = sizeof(Int); i-- > 0;) value = static_cast<Int>(value << 8 | bytes[i]);
    return value;
}

template <typename Int>
void save(uint8_t* to, Int value) {
    for (size_t i = 0; i < sizeof(Int); ++i) to[i] = static_cast<uint8_t>(value >> (8 * i));
}

std::optional<DeviceKind> kind_of(uint8_t flags) {
    const auto kind = static_cast<DeviceKind>(flags & kKindBits);
    if (kind != DeviceKind::apns && kind != DeviceKind::gcm) return std::nullopt;
    return kind;
}

// Such text is halved on disk.
bool is_packable(std::string_view text) {
    return !text.empty() && text.size() % 2 == 0 && is_lower_hex(text);
}

// Takes fields from the front. After a field that does not fit every further one is empty, so one
// look at is_complete() at the end is enough.
class FieldReader {
public:
    explicit FieldReader(ByteView plain) : rest_(plain) {}

    uint8_t byte() { return integer<uint8_t>(); }
    uint64_t number() { return integer<uint64_t>(); }
    UnixTime time() { return {static_cast<int64_t>(integer<uint64_t>())}; }
    Uuid uuid() {
        Uuid uuid;
        const ByteView bytes = take(kUuidSize);
        if (!bytes.empty()) std::copy(bytes.begin(), bytes.end(), uuid.bytes.begin());
        return uuid;
    }
    std::string_view text(size_t size_max) {
        const size_t size = count();
        if (size > size_max) spoil();
        return as_text(take(size));
    }
    PackedText packed(size_t size_max) {
        const size_t value = count();
        const PackedText text{take(value / 2), value % 2 == 1};
        const bool is_canonical =
            text.is_hex ? !text.bytes.empty() : !is_packable(as_text(text.bytes));
        if (text.size() > size_max || !is_canonical) spoil();
        return text;
    }
    void spoil() {
        is_sound_ = false;
        rest_ = {};
    }
    [[nodiscard]] bool is_complete() const { return is_sound_ && rest_.empty(); }

private:
    ByteView take(size_t size) {
        if (size > rest_.size()) {
            spoil();
            return {};
        }
        const ByteView bytes = rest_.first(size);
        rest_ = rest_.subspan(size);
        return bytes;
    }
    template <typename Int>
    Int integer() {
        const ByteView bytes = take(sizeof(Int));
        return bytes.empty() ? Int{0} : load<Int>(bytes);
    }
    size_t count() {
        size_t value = 0;
        for (unsigned shift = 0; shift <= 14; shift += 7) {
            const uint8_t next = byte();
            value |= size_t{next & 0x7fU} << shift;
            if ((next & 0x80) != 0) continue;
            if (next == 0 && shift > 0) break;  // could have been shorter
            return value;
        }
        spoil();
        return 0;
    }

    ByteView rest_;
    bool is_sound_ = true;
};

// Appends fields; what breaks its limit spoils the whole, as above.
class FieldWriter {
public:
    explicit FieldWriter(PlainBytes& storage) : storage_(storage) {}

    FieldWriter& byte(uint8_t value) { return integer(value); }
    FieldWriter& number(uint64_t value) { return integer(value); }
    FieldWriter& time(UnixTime time) { return integer(static_cast<uint64_t>(time.us)); }
    FieldWriter& uuid(const Uuid& uuid) {
        copy_bytes(grow(kUuidSize).data(), uuid.view());
        return *this;
    }
    FieldWriter& text(std::string_view text, size_t size_max) {
        if (text.size() > size_max) is_sound_ = false;
        if (!is_sound_) return *this;
        count(text.size());
        copy_bytes(grow(text.size()).data(), as_bytes(text));
        return *this;
    }
    FieldWriter& packed(std::string_view text, size_t size_max) {
        if (text.size() > size_max) is_sound_ = false;
        if (!is_sound_) return *this;
        if (!is_packable(text)) {
            count(2 * text.size());
            copy_bytes(grow(text.size()).data(), as_bytes(text));
            return *this;
        }
        count(text.size() + 1);
        const bool is_hex = decode_hex(text, grow(text.size() / 2));
        KNUCKLE_ASSERT(is_hex);
        return *this;
    }
    [[nodiscard]] ByteView bytes() const {
        return is_sound_ ? ByteView(storage_).first(size_) : ByteView();
    }

private:
    // kPlainMax has room for every record whose texts are within their limits.
    MutableBytes grow(size_t size) {
        KNUCKLE_ASSERT(size <= storage_.size() - size_);
        size_ += size;
        return MutableBytes(storage_).subspan(size_ - size, size);
    }
    template <typename Int>
    FieldWriter& integer(Int value) {
        save(grow(sizeof(Int)).data(), value);
        return *this;
    }
    void count(size_t value) {
        for (; value >= 0x80; value >>= 7) byte(static_cast<uint8_t>(value | 0x80));
        byte(static_cast<uint8_t>(value));
    }

    PlainBytes& storage_;
    size_t size_ = 0;
    bool is_sound_ = true;
};

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

void PackedText::copy_to(char* to) const {
    if (is_hex) {
        encode_hex(bytes, to);
    } else {
        copy_bytes(reinterpret_cast<uint8_t*>(to), bytes);
    }
}

std::string PackedText::text() const {
    return is_hex ? to_hex(bytes) : std::string(as_text(bytes));
}

bool decode(ByteView plain, AccountRecord& record) {
    FieldReader fields(plain);
    record.app = fields.text(kNameMax);
    record.username = fields.text(kNameMax);
    record.email = fields.text(kNameMax);
    record.password_hash = fields.text(kPasswordHashMax);
    record.auth_token = fields.packed(kTokenTextMax);
    record.created = fields.time();
    return fields.is_complete() && is_app_name(record.app);
}

bool decode(ByteView plain, DeviceRecord& record) {
    FieldReader fields(plain);
    const uint8_t flags = fields.byte();
    const auto kind = kind_of(flags);
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
    return fields.is_complete();
}

bool decode(ByteView plain, TokenRecord& record) {
    FieldReader fields(plain);
    record.account = fields.uuid();
    record.device = fields.uuid();
    record.expires = fields.time();
    record.created = fields.time();
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
    return fields.is_complete() && flags <= kIsBackground && is_app_name(record.app);
}

Account to_account(const Uuid& id, const AccountRecord& record) {
    return {.id = id,
            .app = std::string(record.app),
            .username = std::string(record.username),
            .email = std::string(record.email),
            .password_hash = std::string(record.password_hash),
            .auth_token = record.auth_token.text(),
            .created = record.created};
}

Device to_device(const DeviceRef& ref, const DeviceRecord& record) {
    return {.id = ref.device,
            .account = ref.account,
            .kind = record.kind,
            .is_active = record.is_active,
            .is_dead = record.is_dead,
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
            .accepted = record.accepted,
            .expires = record.expires,
            .push = record.push,
            .is_background = record.is_background,
            .payload = std::string(record.payload)};
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
        .bytes();
}

ByteView encode(const Device& device, PlainBytes& storage) {
    const auto flags =
        static_cast<uint8_t>(static_cast<uint8_t>(device.kind) | flag(device.has_name, kHasName) |
                             flag(device.has_device_id, kHasDeviceId) |
                             flag(device.is_active, kIsActive) | flag(device.is_dead, kIsDead));
    FieldWriter fields(storage);
    fields.byte(flags)
        .time(device.created)
        .time(device.registered)
        .packed(device.registration_id, kRegistrationMax);
    if (device.has_name) fields.text(device.name, kNameMax);
    if (device.has_device_id) fields.text(device.device_id, kNameMax);
    return fields.bytes();
}

ByteView encode(const Token& token, PlainBytes& storage) {
    const auto flags =
        static_cast<uint8_t>(static_cast<uint8_t>(token.kind) | flag(token.has_name, kHasName));
    FieldWriter fields(storage);
    fields.uuid(token.account)
        .uuid(token.device)
        .time(token.expires)
        .time(token.created)
        .byte(flags)
        .packed(token.text, kTokenTextMax);
    if (token.has_name) fields.text(token.name, kNameMax);
    return fields.bytes();
}

ByteView encode(const Pending& pending, PlainBytes& storage) {
    if (!is_app_name(pending.app)) return {};
    return FieldWriter(storage)
        .number(pending.serial)
        .time(pending.accepted)
        .time(pending.expires)
        .uuid(pending.push)
        .byte(flag(pending.is_background, kIsBackground))
        .text(pending.app, kNameMax)
        .text(pending.payload, kPayloadMax)
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
    constexpr int64_t kMax = UINT32_MAX;  // the year 2106
    const int64_t rounded_down = std::clamp(to_unix_seconds(expires), int64_t{0}, kMax);
    const bool is_whole = from_unix_seconds(rounded_down) >= expires;
    return encode_count(static_cast<uint32_t>(std::min(rounded_down + (is_whole ? 0 : 1), kMax)));
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

}  // namespace knuckle::store
