// SPDX-License-Identifier: GPL-3.0-or-later
// `knuckle import chatsecure FILE`: brings what a ChatSecure push server knew into the database,
// while no gateway serves from it (migrate/import.h). Progress goes to stderr, the counts of what
// was imported and what was skipped and why to stdout.
#pragma once

#include <string>

#include "config/config.h"

namespace knuckle::app {

// `path` is "-" for standard input. `app` may be empty if there is one app only. The exit status: 0
// even if rows were skipped; what is wrong stands on stderr.
[[nodiscard]] int import_chatsecure(const config::Config& config,
                                    const std::string& path,
                                    const std::string& app);

}  // namespace knuckle::app
