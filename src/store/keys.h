// SPDX-License-Identifier: GPL-3.0-or-later
// The key file: what makes the database readable. It lies outside the database and is made once.
//
//     auto keys = load_or_create_keys(path, !Env::exists(data_dir));
//
// The file is one line of 128 hexadecimal digits: 32 bytes to seal with, 32 to look up with.
// It must be a regular file that no others can read: mode 0600, or one that belongs to somebody
// else (root) and is readable by our group, which is also how a systemd credential looks.
// Errors: Errc::system (errno), not_found (missing, and may not be made), invalid (mode or
// content). Thread: any, at start.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "crypto/seal.h"

namespace knuckle::store {

// Kept outside the database; without it the database is worth nothing.
struct Keys {
    crypto::Sealer::Key seal{};        // of every record
    std::array<uint8_t, 32> lookup{};  // of the hashes that rows are found by
};

// Loads the file, or makes it from the kernel's random bytes with mode 0600 if it does not exist.
// `may_create` is false once there is a database: new keys would not open it.
Result<Keys> load_or_create_keys(const std::string& path, bool may_create);

}  // namespace knuckle::store
