// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/describe.h"

#include <cstring>

namespace knuckle::app {

std::string describe(Error error) {
    std::string text = error.what;
    if (error.detail == 0) return text;
    const bool has_errno = error.code == Errc::system || error.code == Errc::unavailable;
    const char* const why = has_errno ? ::strerrordesc_np(error.detail) : nullptr;
    return text + (why != nullptr ? std::string(": ") + why
                                  : " (code " + std::to_string(error.detail) + ")");
}

}  // namespace knuckle::app
