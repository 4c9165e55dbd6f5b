// SPDX-License-Identifier: GPL-3.0-or-later
#include "push/breaker.h"

#include <algorithm>

namespace knuckle::push {

namespace {

struct Waits {
    Duration first;
    Duration max;
};

// A lane that was well for less than this goes on where its waits had come to.
constexpr Duration kWellTime = minutes(1);
constexpr uint32_t kDoublingsMax = 20;

Waits waits_of(Trouble trouble) {
    switch (trouble) {
        case Trouble::none:
        case Trouble::provider:
            return {seconds(1), minutes(1)};
        case Trouble::expiry:
            return {seconds(1), minutes(15)};
        case Trouble::configuration:
            return {minutes(1), minutes(15)};
        case Trouble::renewals:
            return {minutes(1), minutes(20)};  // Apple's own measure is twenty minutes
    }
    return {};
}

}  // namespace

void Breaker::trip(Trouble trouble, bool was_probe, Now now, Random& random) {
    if (is_open() && !was_probe) return;
    if (is_open()) {
        failed_probes_ = std::min(failed_probes_ + 1, kDoublingsMax);
    } else if (closed_ + kWellTime <= now.instant) {
        failed_probes_ = 0;
    }
    trouble_ = trouble;
    const Waits waits = waits_of(trouble);
    const Duration wait = std::min(Duration{waits.first.ns << failed_probes_}, waits.max);
    end_probe(now.instant + random.jitter(wait));
}

void Breaker::close(Now now) {
    if (!is_open()) return;
    trouble_ = Trouble::none;
    is_probing_ = false;
    closed_ = now.instant;
}

bool Breaker::is_serious() const {
    if (trouble_ == Trouble::configuration || trouble_ == Trouble::renewals) return true;
    return is_open() && failed_probes_ > 0;
}

}  // namespace knuckle::push
