// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/certificate_board.h"

#include <algorithm>
#include <cstdint>

#include "base/log.h"

namespace knuckle::app {

namespace {

// Whole days; 0 also when it has ended.
uint64_t days_left(const OwnCertificate& certificate, UnixTime now) {
    const int64_t left = to_unix_seconds(certificate.not_after) - to_unix_seconds(now);
    return static_cast<uint64_t>(std::max<int64_t>(0, left)) / 86'400;
}

bool ends_within(const OwnCertificate& certificate, UnixTime now, Duration time) {
    return certificate.not_after < now + time;
}

}  // namespace

void CertificateBoard::on_tick(Now now) {
    if (now.instant < next_look_) return;
    next_look_ = now.instant + hours(24);
    for (const OwnCertificate& each : certificates_) {
        if (!ends_within(each, now.unix, kCertificateWarning)) continue;
        const bool is_alarm = ends_within(each, now.unix, kCertificateAlarm);
        (is_alarm ? log::error("certificate_expiring") : log::warning("certificate_expiring"))
            .field("certificate", each.name)
            .field("days_left", days_left(each, now.unix));
    }
}

std::string CertificateBoard::notice(UnixTime now) const {
    std::string text;
    for (const OwnCertificate& each : certificates_) {
        if (!ends_within(each, now, kCertificateWarning)) continue;
        text += "certificate of " + each.name;
        text += each.not_after < now
                    ? " has expired\n"
                    : " expires in " + std::to_string(days_left(each, now)) + " days\n";
    }
    return text;
}

}  // namespace knuckle::app
