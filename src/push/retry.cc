// SPDX-License-Identifier: GPL-3.0-or-later
#include "push/retry.h"

#include <algorithm>

namespace knuckle::push {

namespace {

Duration doubled(Duration first, uint16_t attempts, Duration max = kRetryMax) {
    const int shift = std::clamp(int{attempts} - 1, 0, 20);
    return std::min(Duration{first.ns << shift}, max);
}

// `delay` as it stands, or what the provider asked for if that is longer; an expired knock is not
// worth a retry.
Verdict retry_after(Duration delay, const Job& job, const Answer& answer, Now now) {
    delay = std::max(delay, answer.retry_after);
    if (now.unix + delay >= job.expires) return {.action = Action::finish};
    return {.action = Action::retry, .at = now.instant + delay};
}

// As the provider counts, in milliseconds.
bool is_before(UnixTime a, UnixTime b) { return a.us / 1'000 < b.us / 1'000; }

// The 410 may be about an earlier life of the device.
bool is_doubtful(const Answer& answer, const Job& job, Now now) {
    return answer.dead_since.us != 0 && is_before(answer.dead_since, job.registered) &&
           now.unix < job.registered + kDoubtMax;
}

}  // namespace

Verdict judge(
    const Job& job, const Answer& answer, const Standing& standing, Now now, Random& random) {
    const auto back_off = [&](Duration first) {
        return retry_after(random.jitter(doubled(first, job.attempts)), job, answer, now);
    };
    switch (answer.outcome) {
        case Outcome::delivered:
        case Outcome::rejected:
        case Outcome::wrong_topic:
        case Outcome::expired:
            return {.action = Action::finish};
        case Outcome::unregistered:
            return {.action = is_doubtful(answer, job, now) ? Action::finish : Action::forget};
        case Outcome::bad_token: {
            if (!standing.has_twin || job.has_crossed)
                return {.action = standing.has_delivered ? Action::forget : Action::finish};
            Verdict verdict = retry_after({}, job, answer, now);
            verdict.crosses = verdict.action == Action::retry;
            return verdict;
        }
        case Outcome::not_processed: {
            const bool is_at_once = job.refusals <= kRefusalsAtOnce;
            const auto excess = static_cast<uint16_t>(job.refusals - kRefusalsAtOnce);
            const Duration delay =
                is_at_once ? Duration{}
                           : random.jitter(doubled(kRetryRefused, excess, kRetryRefusedMax));
            return retry_after(delay, job, answer, now);
        }
        case Outcome::unknown:
            // A second knock is harmless (the collapse id merges them), a lost one is not: once at
            // once, then slower.
            return job.attempts <= 1 ? retry_after({}, job, answer, now) : back_off(kRetryUnknown);
        case Outcome::provider_leaving: {
            Verdict verdict = retry_after(random.jitter(kRetryUnknown), job, answer, now);
            verdict.close_upstream = true;
            return verdict;
        }
        case Outcome::credential_expired: {
            // APNs wedges a connection that has once seen an expired token (Pushy): only a new one
            // helps.
            Verdict verdict = job.attempts <= 1 ? retry_after(kRetryUnknown, job, answer, now)
                                                : back_off(kRetryThrottled);
            verdict.token_fault = TokenFault::too_old;
            verdict.close_upstream = true;
            return verdict;
        }
        case Outcome::credential_throttled: {
            // A connection that has seen too many tokens takes none for a while.
            Verdict verdict = back_off(kRetryThrottled);
            verdict.token_fault = TokenFault::too_new;
            verdict.close_upstream = true;
            return verdict;
        }
        case Outcome::throttled:
            return back_off(kRetryThrottled);
        case Outcome::misconfigured:
            return back_off(kRetryMisconfigured);
        case Outcome::provider_failed:
            return back_off(kRetryFailed);
    }
    return {.action = Action::finish};
}

}  // namespace knuckle::push
