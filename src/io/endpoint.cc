// SPDX-License-Identifier: GPL-3.0-or-later
#include "io/io.h"

namespace knuckle::io {

std::string Endpoint::text() const {
    if (is_unix()) return "unix:" + unix_path;
    const bool is_ipv6 = host.find(':') != std::string::npos;
    return (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace knuckle::io
