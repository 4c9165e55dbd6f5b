// SPDX-License-Identifier: GPL-3.0-or-later
#include "push/types.h"

#include <array>

namespace knuckle::push {

std::string_view name_of(Outcome outcome) {
    static constexpr std::array<std::string_view, kOutcomeCount> kNames = {"delivered",
                                                                           "unregistered",
                                                                           "bad_token",
                                                                           "wrong_topic",
                                                                           "rejected",
                                                                           "misconfigured",
                                                                           "credential_expired",
                                                                           "credential_throttled",
                                                                           "throttled",
                                                                           "provider_failed",
                                                                           "provider_leaving",
                                                                           "not_processed",
                                                                           "unknown",
                                                                           "expired"};
    return kNames[static_cast<size_t>(outcome)];
}

}  // namespace knuckle::push
