// SPDX-License-Identifier: GPL-3.0-or-later
// KNUCKLE_ASSERT(condition): aborts, in release too, when a rule of our own code is broken.
//
// Assertions check us; Results check the world. No byte that came from a network, a file or a
// database may decide whether an assertion holds.
#pragma once

namespace knuckle {

// Prints the expression and its place on stderr, then aborts.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace knuckle

#define KNUCKLE_ASSERT(condition)                                        \
    do {                                                                 \
        if (!(condition)) [[unlikely]]                                   \
            ::knuckle::assertion_failed(#condition, __FILE__, __LINE__); \
    } while (false)
