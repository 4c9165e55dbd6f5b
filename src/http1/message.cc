// SPDX-License-Identifier: GPL-3.0-or-later
#include "http1/message.h"

#include "base/text.h"

namespace knuckle::http1 {

std::string_view Request::field(std::string_view name) const {
    for (const Field& field : fields) {
        if (equal_ignoring_case(field.name, name)) return field.value;
    }
    return {};
}

}  // namespace knuckle::http1
