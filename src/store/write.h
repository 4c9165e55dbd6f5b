// SPDX-License-Identifier: GPL-3.0-or-later
// One change to the database as a value, and what became of it.
//
// A worker gives a Write to the committer (through engine::Outbox) and hears of it as Committed
// when the batch that holds it is on disk. A logical refusal (exists, not_found, over_quota) is an
// answer to its own ticket and leaves the rest of the batch alone, and so does `failed` when the
// write itself breaks a limit of store/records.h or meets a damaged row; otherwise `failed` means
// that the batch did not reach the disk.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "base/uuid.h"
#include "store/records.h"

namespace knuckle::store {

// exists: another account of that app has the username (or the auth token, or any has the id). Its
// `seen` is when it counts as used, however old it is: the time of an import, not of a last login.
struct CreateAccount {
    Account account;
};
// not_found: the account is gone; so with all that follow.
struct SetPasswordHash {
    Uuid account;
    std::string password_hash;
};
// Takes the place of the auth token that the account had. exists: it is an account's of that app
// already, this one's or another's. not_found: also if the account is not of `app`; empty: any.
struct SetAuthToken {
    Uuid account;
    std::string auth_token;
    std::string app{};
};
// Somebody used the account. Ignored, but done, if that is known to within kSeenGrain.
struct TouchAccount {
    Uuid account;
    UnixTime seen;
};
// With everything that belongs to it, in this one commit.
struct DeleteAccount {
    Uuid account;
};
// A new device. exists: one with this id. over_quota: the account has `devices_max` devices, or
// kDevicesPerAccountMax. not_found: also if the account is not of `app`; empty: any.
struct CreateDevice {
    Device device;
    uint32_t devices_max = 0;
    std::string app{};
};
// Replaces a device that exists. If it was dead and is not any more, the log of feedback says so.
struct UpdateDevice {
    Device device;
};
// With its tokens, its pending knock and its feedback.
struct DeleteDevice {
    Uuid account;
    Uuid device;
};
// The provider called the registration dead, which the log of feedback is told. Ignored, but done,
// if the app has registered it again since.
struct MarkDeviceDead {
    Uuid account;
    Uuid device;
    UnixTime registered;  // of the device record that was pushed to
    // For the log of feedback, as in Feedback:
    std::string reason{};
    UnixTime dead_since{};
    UnixTime noticed{};
};
// The provider took a push for the registration. Ignored, but done, if that is known already, or if
// the app has registered it again since: then the next push will tell.
struct MarkDeviceProven {
    Uuid account;
    Uuid device;
    UnixTime registered;  // of the device record that was pushed to
    ProvenIn proven_in = ProvenIn::nowhere;
};
// exists: a token of that app has the text. over_quota: the account has `tokens_max` tokens.
// not_found: the device is gone, or the account, or the account is another app's.
struct CreateToken {
    std::string app;
    Token token;
    uint32_t tokens_max = 0;
};
// Replaces a token of the same text and account, which may have been made for another device.
// not_found: there is none, it is another account's, or its new device is gone.
struct UpdateToken {
    std::string app;
    Token token;
};
// not_found: there is none, or it is another account's.
struct DeleteToken {
    std::string app;
    Uuid account;
    std::string text;
};
// Takes the place of an older pending knock of the same device, or relies on one that will do as
// well (store/pending_row.h); done in both cases. not_found: the device is gone. over_quota: the
// table is full (store/pending_ledger.h).
struct PutPending {
    Pending pending;
};
// Settled: goes unless another has taken its place or relies on it. Always done.
struct ClearPending {
    Uuid account;
    Uuid device;
    uint64_t serial = 0;
    bool is_background = false;
};

// The webhook has taken all feedback up to and with `number`. Always done.
struct NoteFeedbackSent {
    uint64_t number = 0;
};
// Erases the oldest feedback, up to and with `number`, at most kFeedbackTrimMax events. Always
// done.
struct TrimFeedback {
    uint64_t number = 0;
};
inline constexpr size_t kFeedbackTrimMax = 512;

using Change = std::variant<CreateAccount,
                            SetPasswordHash,
                            SetAuthToken,
                            TouchAccount,
                            DeleteAccount,
                            CreateDevice,
                            UpdateDevice,
                            DeleteDevice,
                            MarkDeviceDead,
                            MarkDeviceProven,
                            CreateToken,
                            UpdateToken,
                            DeleteToken,
                            PutPending,
                            ClearPending,
                            NoteFeedbackSent,
                            TrimFeedback>;

// Names a write to the worker that waits for it. 0: nobody waits.
using Ticket = uint64_t;

struct Write {
    Ticket ticket = 0;
    uint32_t worker = 0;  // whom to tell
    Change change;
};

enum class WriteStatus : uint8_t { done, exists, not_found, over_quota, failed };

struct Committed {
    Ticket ticket = 0;
    uint32_t worker = 0;
    WriteStatus status = WriteStatus::failed;
};

}  // namespace knuckle::store
