// SPDX-License-Identifier: GPL-3.0-or-later
// Opens the database that the configuration names, with its key: what every command that works on
// the database begins with. Directory, key and database are made if there are none.
// Owner: the caller.  Thread: any, at start.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "config/config.h"
#include "store/env.h"

namespace knuckle::app {

// What could not be done, on which file or directory, and why.
struct OpenFailure {
    std::string what;
    std::string on;
    Error error;
};

struct OpenedStore {
    store::Env env;
    std::string key_path;  // of the file that its keys came from
};

// Empty on failure, which `failure` then explains.
[[nodiscard]] std::optional<OpenedStore> open_store(const config::Config& config,
                                                    OpenFailure& failure);

}  // namespace knuckle::app
