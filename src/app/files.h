// SPDX-License-Identifier: GPL-3.0-or-later
// Reads the files that the configuration names. "credential:NAME" means the file NAME among
// systemd's credentials (systemd.exec(5), LoadCredential=). Any thread; start of the process only.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace knuckle::app {

inline constexpr size_t kFileMax = 4 * 1024 * 1024;

// The path behind a configured name. Errc::not_found when a credential is named and systemd gave
// none.
Result<std::string> resolve_path(const std::string& name);
// The whole file. detail: errno.
Result<std::string> read_file(const std::string& path);

}  // namespace knuckle::app
