// SPDX-License-Identifier: GPL-3.0-or-later
// The key file on disk: made once, read at each start, replaced when the seal key is changed.
//
//     auto keys = load_or_create_keys(path, !Env::exists(data_dir));
//     rotate_key(path)           a command does: from the next start on there are two seal keys
//     retire_key(path, *keys)    when nothing is left under the retiring one: store/reseal.h
//
// What is in the file: store/keys.h. It must be a regular file that no others can read: mode 0600,
// or one that belongs to somebody else (root) and is readable by our group, which is also how a
// systemd credential looks. It is only ever replaced as a whole, by another of the same owner and
// mode: after a crash there is the old one or the new one. Who replaces it holds a lock on it
// (flock), so that no change is lost to another one.
// Errors: Errc::system (errno), not_found (missing, and may not be made), invalid (mode or
// content), unavailable (another process is replacing it), limit (a rotation is under way).
// Thread: any, at start; retire_key also the commit thread.
#pragma once

#include <string>

#include "base/result.h"
#include "store/keys.h"

namespace knuckle::store {

// Loads the file, or makes it from the kernel's random bytes with mode 0600 if it does not exist.
// `may_create` is false once there is a database: new keys would not open it.
Result<Keys> load_or_create_keys(const std::string& path, bool may_create);

// Puts a fresh seal key in front of the present one, and returns what the file then holds. The
// gateway may run meanwhile: it has read the file at its start.
Result<Keys> rotate_key(const std::string& path);

// Takes the retiring key out of the file, if that holds exactly `keys`; nothing to do if it is out
// already.
Result<void> retire_key(const std::string& path, const Keys& keys);

}  // namespace knuckle::store
