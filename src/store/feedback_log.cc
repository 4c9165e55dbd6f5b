// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/feedback_log.h"

#include <algorithm>
#include <optional>

#include "store/write.h"

namespace knuckle::store {

Result<bool> FeedbackLog::append(const Feedback& event) {
    const ByteView plain = encode(event, plain_);
    if (plain.empty()) return false;
    FeedbackLogRecord log = KNUCKLE_TRY(read());
    const uint64_t number = log.next++;
    const RowKey key = feedback_key(number);
    const ByteView value = vault_.seal(key.view(), plain, random_, sealed_);
    const RowKey latest = latest_feedback_key({event.account, event.device});
    KNUCKLE_TRY(forget_latest(latest));
    KNUCKLE_TRY(rows_.put(key, value));
    KNUCKLE_TRY(rows_.put(latest, encode_number(number)));
    if (number > kFeedbackEventsMax) {
        const uint64_t oldest = number - kFeedbackEventsMax;
        KNUCKLE_TRY(erase(oldest));
        log.start = std::max(log.start, oldest + 1);
    }
    KNUCKLE_TRY(write(log));
    return true;
}

Result<void> FeedbackLog::forget(const DeviceRef& ref) {
    return forget_latest(latest_feedback_key(ref));
}

Result<void> FeedbackLog::forget(const Uuid& account) {
    for (const RowKey& latest : KNUCKLE_TRY(rows_.list(latest_feedback_of(account))))
        KNUCKLE_TRY(forget_latest(latest));
    return {};
}

Result<void> FeedbackLog::trim(uint64_t number) {
    FeedbackLogRecord log = KNUCKLE_TRY(read());
    for (const RowKey& key : KNUCKLE_TRY(rows_.list(RowKey(Table::feedback), kFeedbackTrimMax))) {
        const auto oldest = parse_feedback_key(key.view());
        if (!oldest) continue;
        if (*oldest > number) break;
        KNUCKLE_TRY(erase(*oldest));
        log.start = std::clamp(*oldest + 1, log.start, log.next);
    }
    return write(log);
}

Result<void> FeedbackLog::note_sent(uint64_t number) {
    FeedbackLogRecord log = KNUCKLE_TRY(read());
    log.sent = std::max(log.sent, std::min(number, log.next - 1));
    return write(log);
}

// A row that is damaged is made anew: what counts is that no number is given twice.
Result<FeedbackLogRecord> FeedbackLog::read() {
    const auto value = KNUCKLE_TRY(rows_.get(RowKey(Table::feedback_log)));
    if (const auto log = decode_log(value.value_or(ByteView()))) return *log;
    FeedbackLogRecord log;
    const auto last = KNUCKLE_TRY(rows_.last(RowKey(Table::feedback), feedback_key(UINT64_MAX)));
    const auto number = last ? parse_feedback_key(last->view()) : std::nullopt;
    if (number && *number < UINT64_MAX) log.next = *number + 1;
    return log;
}

Result<void> FeedbackLog::write(const FeedbackLogRecord& log) {
    return rows_.put(RowKey(Table::feedback_log), encode_log(log));
}

// The device's event, and the row that leads to it.
Result<void> FeedbackLog::forget_latest(const RowKey& latest) {
    const auto value = KNUCKLE_TRY(rows_.get(latest));
    if (!value) return {};
    if (const auto number = decode_number(*value)) KNUCKLE_TRY(rows_.erase(feedback_key(*number)));
    return rows_.erase(latest);
}

// The same from its other end. The row that leads to a damaged event stays until its device goes.
Result<void> FeedbackLog::erase(uint64_t number) {
    const RowKey key = feedback_key(number);
    const auto value = KNUCKLE_TRY(rows_.get(key));
    if (!value) return {};
    FeedbackRecord record;
    const auto plain = vault_.open(key.view(), *value, plain_);
    if (plain && decode(*plain, record)) KNUCKLE_TRY(rows_.erase(latest_feedback_key(record.ref)));
    return rows_.erase(key);
}

}  // namespace knuckle::store
