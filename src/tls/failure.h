// SPDX-License-Identifier: GPL-3.0-or-later
// Why TLS with a peer failed, in words for the operator who reads the log. Private to this folder.
// The words do not depend on the side: "the peer" is whoever is at the other end.
#pragma once

#include "base/result.h"

namespace knuckle::tls {

// For a code of wolfSSL, which is negative and becomes the error's detail.
[[nodiscard]] Error failure_of_code(int code);

// For a fatal alert that the peer sent (RFC 8446 section 6); its number becomes the detail.
[[nodiscard]] Error failure_of_alert(int alert);

// For a peer that let our ALPN offer pass without an answer.
[[nodiscard]] Error no_protocol_agreed();

}  // namespace knuckle::tls
