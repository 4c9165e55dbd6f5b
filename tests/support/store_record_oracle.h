// SPDX-License-Identifier: GPL-3.0-or-later
// What must hold for store/schema.h whatever the plain bytes of a record are: what is decoded lies
// within the limits, and encodes to exactly the same bytes again.
//
//     std::string complaint = test::check_store_record(bytes);     empty if all is well
//
// The first byte says which record the rest is. Used by the unit tests and by the fuzz target.
#pragma once

#include <algorithm>
#include <string>

#include "base/bytes.h"
#include "store/schema.h"

namespace knuckle::test {

inline bool is_within_limits(const store::AccountRecord& record) {
    return record.app.size() <= store::kNameMax && record.username.size() <= store::kNameMax &&
           record.email.size() <= store::kNameMax &&
           record.password_hash.size() <= store::kPasswordHashMax &&
           record.auth_token.size() <= store::kTokenTextMax;
}
inline bool is_within_limits(const store::DeviceRecord& record) {
    return record.registration_id.size() <= store::kRegistrationMax &&
           record.name.value_or("").size() <= store::kNameMax &&
           record.device_id.value_or("").size() <= store::kNameMax;
}
inline bool is_within_limits(const store::TokenRecord& record) {
    return record.text.size() <= store::kTokenTextMax &&
           record.name.value_or("").size() <= store::kNameMax;
}
inline bool is_within_limits(const store::PendingRecord& record) {
    return record.app.size() <= store::kNameMax && record.payload.size() <= store::kPayloadMax;
}
inline bool is_within_limits(const store::FeedbackRecord& record) {
    return record.app.size() <= store::kNameMax && record.reason.size() <= store::kReasonMax;
}

inline ByteView encode_again(const store::AccountRecord& record, store::PlainBytes& storage) {
    return store::encode(store::to_account({}, record), storage);
}
inline ByteView encode_again(const store::DeviceRecord& record, store::PlainBytes& storage) {
    return store::encode(store::to_device({}, record), storage);
}
inline ByteView encode_again(const store::TokenRecord& record, store::PlainBytes& storage) {
    return store::encode(store::to_token(record), storage);
}
inline ByteView encode_again(const store::PendingRecord& record, store::PlainBytes& storage) {
    return store::encode(store::to_pending({}, record), storage);
}
inline ByteView encode_again(const store::FeedbackRecord& record, store::PlainBytes& storage) {
    return store::encode(store::to_feedback(1, record), storage);
}

template <typename Record>
std::string check_store_record_as(ByteView plain) {
    Record record;
    if (!store::decode(plain, record)) return "";
    if (!is_within_limits(record)) return "a record beyond its limits";
    store::PlainBytes storage;
    if (!std::ranges::equal(encode_again(record, storage), plain)) {
        return "a record with a second encoding";
    }
    return "";
}

inline std::string check_store_record(ByteView bytes) {
    if (bytes.empty()) return "";
    const ByteView plain = bytes.subspan(1);
    switch (bytes[0] % 5) {
        case 0:
            return check_store_record_as<store::AccountRecord>(plain);
        case 1:
            return check_store_record_as<store::DeviceRecord>(plain);
        case 2:
            return check_store_record_as<store::TokenRecord>(plain);
        case 3:
            return check_store_record_as<store::PendingRecord>(plain);
        default:
            return check_store_record_as<store::FeedbackRecord>(plain);
    }
}

}  // namespace knuckle::test
