// SPDX-License-Identifier: GPL-3.0-or-later
// What to answer to a request in which llhttp found a fault. llhttp's own texts name its states;
// ours say what a request must look like. Owner: http1::Parser.
#pragma once

#include <string_view>

#include <llhttp.h>

#include "http1/parser.h"

namespace knuckle::http1 {

// `head` is the request up to and with the byte that llhttp refused; it decides only where llhttp
// uses one code for two faults, and may be empty behind the request line.
[[nodiscard]] ParseError describe(llhttp_errno_t code, std::string_view head);

}  // namespace knuckle::http1
