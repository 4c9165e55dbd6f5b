// SPDX-License-Identifier: GPL-3.0-or-later
// How rows lie on disk: their keys, their records, and the way there and back. Pure functions.
//
// The database is one LMDB tree. Named databases would cost every snapshot a second search, in the
// tree of their names. The first byte of a key is its table, so a table is a range of the tree.
//
//   row       := key                                   value
//   format    := 'F'                                   "knuckle" 00 version(u32)
//   check     := 'C' [key-id]                          sealed( hash of '' and "check" )
//   account   := 'A' account(uuid)                     sealed( account record )
//   username  := 'N' hash(app, username)               sealed( account(uuid) )
//   auth      := 'K' hash(app, auth token)             sealed( account(uuid) )
//   device    := 'D' account(uuid) device(uuid)        sealed( device record )
//   token     := 'T' hash(app, token)                  expires(u32) sealed( token record )
//   tally     := 'O' account(uuid)                     count(u32) of its tokens, at least 1
//   owned     := 'O' account(uuid) device(uuid) part   hash* of the tokens made for the device:
//                                                      32 in each part, the rest in the last
//   pending   := 'P' account(uuid) device(uuid)        sealed( pending record )
//
//   feedback  := 'E' number                            sealed( feedback record )
//   latest    := 'L' account(uuid) device(uuid)        number(u64) of the device's one event
//   log       := 'S'                                   start(u64) next(u64) sent(u64)
//
//   number    := u64, big endian: events are numbered 1, 2, 3, ...
//   part      := u16, big endian: a device's parts are 0, 1, 2, ...
//   hash(app, text) := the first 16 bytes of HMAC-SHA-256(lookup key, app 00 table text)
//   sealed(plain)   := key-id nonce(12) ciphertext tag(16)          AES-256-GCM, its context is the
//                      row's key
//   key-id          := u8, not 0: under which seal key of the key file it is
//
// There is a check row for each seal key that rows may be under: it is written before the first of
// them, when a database is opened with a new key in front, and goes after the last, when all has
// been re-sealed. Opening wants each of them to open. So a key file from before a rotation, or one
// from which the old key was taken too early, is refused at the start, instead of a part of the
// rows being damaged. (A database that was made before keys could be changed has its first check
// row without key-id in the row's key.)
//
//   account record  := app(text) username(text) email(text) password-hash(text) auth-token(packed)
//                      created(time) seen(time)
//   device record   := flags(u8) created(time) registered(time) registration-id(packed)
//                      [name(text)] [device-id(text)] [proven-in(u8), not 0]
//                      flags: kind in bits 0-2; 0x08 has proven-in, 0x10 has name, 0x20 has device
//                      id, 0x40 active, 0x80 dead
//   token record    := account(uuid) device(uuid) expires(seconds) created(seconds) flags(u8)
//                      token(packed) [name(text)]
//                      flags: kind in bits 0-3; 0x10 has name
//   pending record  := serial(u64) accepted(time) expires(time) push(uuid) flags(u8) app(text)
//                      payload(text) [unseen-serial(u64)]
//                      flags: 0x01 background, 0x02 has unseen serial
//   feedback record := account(uuid) device(uuid) flags(u8) dead-since(time) noticed(time)
//                      app(text) reason(text)
//                      flags: kind of device in bits 0-3, of event in bits 4-7
//
//   text    := size(count) bytes
//   packed  := count bytes     count is 2 * size, plus 1 if the bytes stand for lower-case
//                              hexadecimal digits, two each; such text is always written that way
//   count   := LEB128, in as few bytes as possible
//   time    := microseconds since 1970, i64
//   seconds := whole seconds since 1970, u32
//   u32, u64, i64: little endian.  uuid: 16 bytes.
//
// In the clear are: how many rows there are; which of them belong to one account or device, named
// by its random id; when a token expires, to the second and never early, so that a sweep needs no
// key. A record has exactly one encoding; whatever else authenticates is refused by decode().
// Version 6 is this; what earlier ones lacked is in store/upgrade.h.
// Limits: those of store/records.h.  Thread: any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/time.h"
#include "base/uuid.h"
#include "store/fields.h"
#include "store/records.h"

namespace knuckle::store {

inline constexpr uint32_t kSchemaVersion = 6;

enum class Table : uint8_t {
    format = 'F',
    check = 'C',
    accounts = 'A',
    usernames = 'N',
    auth_tokens = 'K',
    devices = 'D',
    tokens = 'T',
    owned_tokens = 'O',
    pending = 'P',
    feedback = 'E',
    latest_feedback = 'L',
    feedback_log = 'S',
};

using LookupHash = std::array<uint8_t, 16>;

inline constexpr size_t kKeyMax = 1 + 2 * kUuidSize + sizeof(uint16_t);
// A key, or the front of one: what all rows of an account begin with.
class RowKey {
public:
    explicit RowKey(Table table) { bytes_[size_++] = static_cast<uint8_t>(table); }

    RowKey& add(ByteView part);
    // Empty if `bytes` are too long for a key.
    [[nodiscard]] static std::optional<RowKey> from(ByteView bytes);

    [[nodiscard]] ByteView view() const { return ByteView(bytes_).first(size_); }
    [[nodiscard]] bool is_front_of(ByteView key) const;

private:
    RowKey() = default;

    std::array<uint8_t, kKeyMax> bytes_;
    size_t size_ = 0;
};

struct DeviceRef {
    Uuid account;
    Uuid device;
};

[[nodiscard]] RowKey check_key(uint8_t key_id);
[[nodiscard]] RowKey account_key(const Uuid& account);
[[nodiscard]] RowKey device_key(const DeviceRef& ref);
[[nodiscard]] RowKey devices_of(const Uuid& account);
[[nodiscard]] RowKey hashed_key(Table table, const LookupHash& hash);
[[nodiscard]] RowKey tally_key(const Uuid& account);
[[nodiscard]] RowKey owned_by(const DeviceRef& ref);
[[nodiscard]] RowKey owned_key(const DeviceRef& ref, uint16_t part);
[[nodiscard]] RowKey pending_key(const DeviceRef& ref);
[[nodiscard]] RowKey pending_of(const Uuid& account);
[[nodiscard]] RowKey feedback_key(uint64_t number);
[[nodiscard]] RowKey latest_feedback_key(const DeviceRef& ref);
[[nodiscard]] RowKey latest_feedback_of(const Uuid& account);

// Where the sealed part of a row's value begins. Empty: nothing of it is sealed.
[[nodiscard]] std::optional<size_t> sealed_part_of(Table table);

// Whose row it is: of a key in devices, pending or latest_feedback.
[[nodiscard]] std::optional<DeviceRef> parse_device_key(ByteView key);
// Which part a key in owned_tokens stands for; empty for a tally.
[[nodiscard]] std::optional<uint16_t> parse_owned_key(ByteView key);
// Of a key in feedback.
[[nodiscard]] std::optional<uint64_t> parse_feedback_key(ByteView key);

// Records as views of their plain bytes.
struct AccountRecord {
    std::string_view app;
    std::string_view username;
    std::string_view email;
    std::string_view password_hash;
    PackedText auth_token;
    UnixTime created;
    UnixTime seen;
};
struct DeviceRecord {
    DeviceKind kind = DeviceKind::apns;
    bool is_active = false;
    bool is_dead = false;
    ProvenIn proven_in = ProvenIn::nowhere;
    UnixTime created;
    UnixTime registered;
    PackedText registration_id;
    std::optional<std::string_view> name;
    std::optional<std::string_view> device_id;
};
struct TokenRecord {
    Uuid account;
    Uuid device;
    DeviceKind kind = DeviceKind::apns;
    UnixTime created;
    UnixTime expires;
    PackedText text;
    std::optional<std::string_view> name;
};
struct PendingRecord {
    uint64_t serial = 0;
    uint64_t unseen_serial = 0;
    UnixTime accepted;
    UnixTime expires;
    Uuid push;
    bool is_background = false;
    std::string_view app;
    std::string_view payload;
};
struct FeedbackRecord {
    DeviceRef ref;
    DeviceKind device_kind = DeviceKind::apns;
    FeedbackKind kind = FeedbackKind::dead;
    UnixTime dead_since;
    UnixTime noticed;
    std::string_view app;
    std::string_view reason;
};

// False unless `plain` is exactly one record within the limits.
[[nodiscard]] bool decode(ByteView plain, AccountRecord& record);
[[nodiscard]] bool decode(ByteView plain, DeviceRecord& record);
[[nodiscard]] bool decode(ByteView plain, TokenRecord& record);
[[nodiscard]] bool decode(ByteView plain, PendingRecord& record);
[[nodiscard]] bool decode(ByteView plain, FeedbackRecord& record);

[[nodiscard]] Account to_account(const Uuid& id, const AccountRecord& record);
[[nodiscard]] Device to_device(const DeviceRef& ref, const DeviceRecord& record);
[[nodiscard]] Token to_token(const TokenRecord& record);
[[nodiscard]] Pending to_pending(const DeviceRef& ref, const PendingRecord& record);
[[nodiscard]] Feedback to_feedback(uint64_t number, const FeedbackRecord& record);

// More than the largest record: its texts, and 128 bytes for the rest.
inline constexpr size_t kPlainMax = 128 + kNameMax + kPayloadMax;
static_assert(kPlainMax >= 128 + 3 * kNameMax + kPasswordHashMax + kTokenTextMax);
static_assert(kPlainMax >= 128 + 2 * kNameMax + kRegistrationMax);
using PlainBytes = std::array<uint8_t, kPlainMax>;

// The record's bytes, which lie in `storage`; empty if a field breaks its limit. Those of a token's
// times are in store/records.h: another time is not rounded here, so that what is written is what
// is read.
[[nodiscard]] ByteView encode(const Account& account, PlainBytes& storage);
[[nodiscard]] ByteView encode(const Device& device, PlainBytes& storage);
[[nodiscard]] ByteView encode(const Token& token, PlainBytes& storage);
[[nodiscard]] ByteView encode(const Pending& pending, PlainBytes& storage);
[[nodiscard]] ByteView encode(const Feedback& feedback, PlainBytes& storage);

// The value of the row `format`.
inline constexpr size_t kFormatSize = 12;
[[nodiscard]] std::array<uint8_t, kFormatSize> encode_format(uint32_t version);
[[nodiscard]] std::optional<uint32_t> decode_format(ByteView value);

// What stands before the sealed part of a token's value.
inline constexpr size_t kExpirySize = 4;
[[nodiscard]] std::array<uint8_t, kExpirySize> encode_expiry(UnixTime expires);
// Empty if `value` is too short to be a token's.
[[nodiscard]] std::optional<UnixTime> decode_expiry(ByteView value);

// One row for many tokens: a row for each would take three times the room.
inline constexpr size_t kOwnedPerRow = 32;
inline constexpr size_t kOwnedPartsMax = UINT16_MAX;
static_assert(kOwnedPerRow * kOwnedPartsMax >= kTokensPerAccountMax);
using OwnedHashes = std::span<const LookupHash>;
[[nodiscard]] std::optional<OwnedHashes> decode_owned(ByteView value);
[[nodiscard]] ByteView encode_owned(OwnedHashes hashes);

[[nodiscard]] std::array<uint8_t, 4> encode_count(uint32_t count);
[[nodiscard]] std::optional<uint32_t> decode_count(ByteView value);
[[nodiscard]] std::array<uint8_t, 8> encode_number(uint64_t number);
[[nodiscard]] std::optional<uint64_t> decode_number(ByteView value);

// The log of feedback as a whole.
struct FeedbackLogRecord {
    uint64_t start = 1;  // earlier events have been trimmed
    uint64_t next = 1;   // the number of the next event
    uint64_t sent = 0;   // the last event that the webhook took

    bool operator==(const FeedbackLogRecord&) const = default;
};
inline constexpr size_t kFeedbackLogSize = 3 * sizeof(uint64_t);
[[nodiscard]] std::array<uint8_t, kFeedbackLogSize> encode_log(const FeedbackLogRecord& log);
[[nodiscard]] std::optional<FeedbackLogRecord> decode_log(ByteView value);

}  // namespace knuckle::store
