// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace knuckle {

void assertion_failed(const char* expression, const char* file, int line) {
    // tidy: allow printf: the process is about to die and must say why, whatever the log does
    std::fprintf(
        stderr, "<2>event=assertion_failed expression=\"%s\" at=%s:%d\n", expression, file, line);
    std::abort();
}

}  // namespace knuckle
