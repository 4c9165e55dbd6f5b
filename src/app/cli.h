// SPDX-License-Identifier: GPL-3.0-or-later
// The command line: serve, check, doctor, rotate-key, import, version, help. Thread: the main one.
#pragma once

namespace knuckle::app {

// Returns the exit status: 0 fine, 1 something is wrong with what was named, 2 wrong usage.
int run_command(int argc, char** argv);

}  // namespace knuckle::app
