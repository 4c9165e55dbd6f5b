// SPDX-License-Identifier: GPL-3.0-or-later
// `knuckle doctor`: looks at everything the gateway needs, and says for each thing whether it is
// fine, else what is wrong and what to do.
//
//     return run_doctor(config, path, {.device = hex, .app = name});
//
// It may run beside the gateway: it changes nothing, and leaves the database alone. With a device
// it sends that one a real push, with the provider token that the gateway uses (ADR 0019).
// Returns the exit status: 0 only if all is fine. Thread: the main one.
#pragma once

#include <string>

#include "config/config.h"

namespace knuckle::app {

struct DoctorOptions {
    std::string device;  // hexadecimal; empty: no push is sent
    std::string app;     // empty: the only one there is
};

[[nodiscard]] int run_doctor(const config::Config& config,
                             const std::string& config_path,
                             const DoctorOptions& options);

}  // namespace knuckle::app
