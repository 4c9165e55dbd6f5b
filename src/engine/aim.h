// SPDX-License-Identifier: GPL-3.0-or-later
// To which device a push goes, over which lane, and how far its token is trusted.
//
//     if (!aim(job, {device.registration_id, device.registered, device.proven_in}, lanes)) ...
//
// The job has a lane and waits in no line of it. If the provider is known to take the registration
// on that lane's twin, the job goes over to the twin (ADR 0022). Pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "base/time.h"
#include "engine/options.h"
#include "push/job.h"
#include "store/records.h"

namespace knuckle::engine {

struct Registration {
    std::string_view id;  // what the app has registered
    UnixTime registered;
    store::ProvenIn proven_in = store::ProvenIn::nowhere;
};

// Where a push over a lane of this environment proves a registration.
[[nodiscard]] store::ProvenIn proven_in(push::Environment environment);

// False: it is no device token, so the job goes nowhere.
[[nodiscard]] bool aim(push::Job& job,
                       const Registration& registration,
                       const std::vector<LaneOptions>& lanes);

}  // namespace knuckle::engine
