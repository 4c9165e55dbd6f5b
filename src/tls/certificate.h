// SPDX-License-Identifier: GPL-3.0-or-later
// What a certificate says of itself, as far as an operator must know: until when it is good, and
// which topics Apple lets it push to; and who issued it.
//
//     auto facts = read_certificate(pem);            the first one in `pem`
//     if (facts->allows("org.example.chat")) ...
//
// It reads, it does not verify. Sources: RFC 5280 section 4.1; for the topics "Establishing a
// certificate-based connection to APNs" (extensions 1.2.840.113635.100.6.3.6 and .6.3.4).
// Errors: Errc::invalid, with words. Limits: kTopicsMax topics. Thread: any.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace knuckle::tls {

inline constexpr size_t kTopicsMax = 256;

struct CertificateFacts {
    UnixTime not_before;
    UnixTime not_after;
    std::string issuer;               // its name or else its organization's; empty: it has neither
    std::string common_name;          // empty: it has none
    std::string user_id;              // UID; Apple puts the bundle id there
    std::vector<std::string> topics;  // of Apple's extensions

    // Its topics are those of the extensions; without any, its UID, or "... : TOPIC" as name.
    [[nodiscard]] bool allows(std::string_view topic) const;
};

[[nodiscard]] Result<CertificateFacts> read_certificate(std::string_view pem);
[[nodiscard]] Result<CertificateFacts> read_certificate_der(ByteView der);

}  // namespace knuckle::tls
