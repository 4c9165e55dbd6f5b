// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/aim.h"

#include "push/apns.h"

namespace knuckle::engine {

namespace {

bool is_proven(const Registration& registration, const LaneOptions& lane) {
    return registration.proven_in == proven_in(lane.environment);
}

}  // namespace

store::ProvenIn proven_in(push::Environment environment) {
    return environment == push::Environment::production ? store::ProvenIn::production
                                                        : store::ProvenIn::sandbox;
}

bool aim(push::Job& job, const Registration& registration, const std::vector<LaneOptions>& lanes) {
    if (!push::apns::decode_token(registration.id, job.token)) return false;
    job.registered = registration.registered;
    job.has_crossed = false;
    const uint16_t twin = lanes[job.lane].twin;
    if (twin != push::kNoTwin && is_proven(registration, lanes[twin])) job.lane = twin;
    const bool is_known = is_proven(registration, lanes[job.lane]);
    job.trust = is_known ? push::Trust::proven : push::Trust::unproven;
    return true;
}

}  // namespace knuckle::engine
