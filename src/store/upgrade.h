// SPDX-License-Identifier: GPL-3.0-or-later
// How a database of an earlier schema becomes one of kSchemaVersion: one step for each version, all
// in the transaction that `rows` stands for, so that a crash leaves the old one.
//
//     upgrade(rows, vault, random, version, now)       version < kSchemaVersion; then put it
//
// 1 -> 2: accounts have `seen`. When they were used last is not known, so they begin at `now`.
// 2 -> 3: a device's feedback goes with it; there is none yet.
// 3 -> 4: pending knocks may have `unseen_serial`; none has yet.
// 4 -> 5: devices may have `proven_in`; none has yet.
// 5 -> 6: the times of tokens are whole seconds: `created` rounded down, `expires` up.
//
// A row that does not open is left as it is and stays damaged. A table is read in pieces; what is
// rewritten LMDB holds until the end, half a gigabyte of it in memory and the rest in the file.
// Owner and thread: store::Env's, at start.  Errors: LMDB's.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/time.h"
#include "crypto/random.h"
#include "store/rows.h"
#include "store/vault.h"

namespace knuckle::store {

Result<void> upgrade(
    Rows& rows, Vault& vault, crypto::SecureRandom& random, uint32_t version, UnixTime now);

}  // namespace knuckle::store
