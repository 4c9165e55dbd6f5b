// SPDX-License-Identifier: GPL-3.0-or-later
// `knuckle serve`: opens everything, starts the threads, watches over them, stops them in order.
//
// Start: configuration and files -> key and database -> sockets -> commit thread, password thread
// -> workers -> READY=1. Whatever is wrong before that is one clear line and exit 1; nothing was
// served.
// Stop (SIGTERM, SIGINT): workers stop accepting and settle what they have -> their loops end ->
// last commit -> exit 0.
// Owner: main().  Thread: the main one.
#pragma once

#include <string>

#include "config/config.h"

namespace knuckle::app {

// Returns the exit status.
int serve(const std::string& config_path, const config::Config& config);

}  // namespace knuckle::app
