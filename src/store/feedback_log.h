// SPDX-License-Identifier: GPL-3.0-or-later
// The log of feedback: the rows `feedback`, `latest` and `log` of store/schema.h, kept true by
// whoever writes devices. All within the transaction that `rows` stands for.
//
//     FeedbackLog log(rows, vault, random);
//     log.append(event)                          gives it the next number
//     log.forget(ref), log.forget(account)       with the device, or the account
//     log.trim(number), log.note_sent(number)
//
// A device has one event at most, its latest: an older one goes when a newer one comes, which then
// lies at the end, where every reader still comes by. So the log is never longer than there are
// devices, and what is left when a device goes is found without looking through it. A number is
// given once and never again, whatever is erased.
// Limits: kFeedbackEventsMax numbers, counted from the newest; store::Sweep trims by age.
// Owner and thread: the committer's.  Errors: LMDB's. A damaged row is never one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "base/uuid.h"
#include "crypto/random.h"
#include "store/records.h"
#include "store/rows.h"
#include "store/schema.h"
#include "store/vault.h"

namespace knuckle::store {

class FeedbackLog {
public:
    FeedbackLog(Rows& rows, Vault& vault, crypto::SecureRandom& random)
        : rows_(rows), vault_(vault), random_(random) {}

    // `event.number` does not matter. False: a field breaks its limit, and nothing was written.
    Result<bool> append(const Feedback& event);
    Result<void> forget(const DeviceRef& ref);
    Result<void> forget(const Uuid& account);
    Result<void> trim(uint64_t number);
    Result<void> note_sent(uint64_t number);

private:
    Result<FeedbackLogRecord> read();
    Result<void> write(const FeedbackLogRecord& log);
    Result<void> forget_latest(const RowKey& latest);
    Result<void> erase(uint64_t number);

    Rows& rows_;
    Vault& vault_;
    crypto::SecureRandom& random_;
    PlainBytes plain_;
    SealedBytes sealed_;
};

}  // namespace knuckle::store
