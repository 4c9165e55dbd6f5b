// SPDX-License-Identifier: GPL-3.0-or-later
// What to do about an answer: the one table from Outcome to Verdict (providers.md A.4). Pure.
#pragma once

#include "base/random.h"
#include "base/time.h"
#include "push/job.h"
#include "push/types.h"

namespace knuckle::push {

// First waits; each further attempt doubles them, up to kRetryMax.
inline constexpr Duration kRetryUnknown = seconds(1);
// A new connection takes what a GOAWAY refused; more refusals than this in a row are no accident.
inline constexpr uint16_t kRefusalsAtOnce = 3;
inline constexpr Duration kRetryRefused = seconds(1);
inline constexpr Duration kRetryRefusedMax = seconds(5);  // the provider is well, so it is soon
inline constexpr Duration kRetryFailed = seconds(2);
inline constexpr Duration kRetryThrottled = seconds(60);
inline constexpr Duration kRetryMisconfigured = seconds(60);
inline constexpr Duration kRetryMax = minutes(15);  // Apple's own word for 5xx

// A 410 from before the device was registered is about an earlier life, or seems so: the provider
// and we have different clocks, and it may take time to hear of the new life. But APNs answers as
// things are when it is asked, and would deliver to a registration that lives. So after kDoubtMax a
// 410 is believed, whatever time it names; else a device that died as it was registered, or was
// registered by a clock that ran ahead, would be pushed to for ever.
inline constexpr Duration kDoubtMax = hours(24);

// What is known of the push's lane, and of its twin if it has one.
struct Standing {
    // It had a push accepted, and its twin too, so topic, environments and credentials are right
    // and a bad token is the device's fault. Otherwise the device is kept: a mistake of the
    // operator must not delete registrations.
    bool has_delivered = false;
    // A token that is bad here may be of the other environment, which is asked once.
    bool has_twin = false;
};

[[nodiscard]] Verdict judge(
    const Job& job, const Answer& answer, const Standing& standing, Now now, Random& random);

}  // namespace knuckle::push
