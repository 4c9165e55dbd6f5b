// SPDX-License-Identifier: GPL-3.0-or-later
// When our certificates end: of listeners with TLS, and of apps that push with a certificate.
//
//     board.reset(assembly.certificates);
//     board.on_tick(now)          logs at the start and once a day what ends soon
//     board.notice(now)           the same, a line each, for /readyz
//
// Owner: app::Supervisor.  Thread: the main one.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "app/assembly.h"
#include "base/time.h"

namespace knuckle::app {

inline constexpr Duration kCertificateWarning = hours(24 * 30);
inline constexpr Duration kCertificateAlarm = hours(24 * 7);

class CertificateBoard {
public:
    void reset(std::vector<OwnCertificate> certificates) {
        certificates_ = std::move(certificates);
    }
    void on_tick(Now now);
    // Empty: none of them ends within kCertificateWarning.
    [[nodiscard]] std::string notice(UnixTime now) const;
    [[nodiscard]] const std::vector<OwnCertificate>& certificates() const { return certificates_; }

private:
    std::vector<OwnCertificate> certificates_;
    Instant next_look_{};
};

}  // namespace knuckle::app
