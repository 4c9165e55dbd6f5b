// SPDX-License-Identifier: GPL-3.0-or-later
// Stops a lane when not the push is at fault but we are, or the provider as a whole: nothing goes
// out then but one push at a time, as a probe, after longer and longer waits.
//
//     breaker.trip(trouble, was_probe, now, random)     an answer said so; of a probe: still so
//     if (breaker.is_open() && !breaker.may_probe(now)) ...      nothing goes out
//     job.probe = breaker.begin_probe(), then trip(), close(), or end_probe() if it told nothing;
//     if (breaker.is_probe(job.probe)) ...              not so if it closed meanwhile
//
// Owner: push::Lane.  Thread: its worker's.  Waits: those of the table in breaker.cc, with jitter.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "base/time.h"

namespace knuckle::push {

enum class Trouble : uint8_t {
    none,
    configuration,  // topic or credential are refused: somebody must repair that
    expiry,         // the provider finds our token expired: a new one, or the clock, helps
    renewals,       // the provider finds that we change our token too often: an older one may help
    provider,       // it fails, whatever we send
};

class Breaker {
public:
    // While it is open only what a probe says counts: the rest was under way before.
    void trip(Trouble trouble, bool was_probe, Now now, Random& random);
    void close(Now now);

    [[nodiscard]] bool is_open() const { return trouble_ != Trouble::none; }
    [[nodiscard]] Trouble trouble() const { return trouble_; }
    // Worth an operator's attention: it will not pass by itself, or has not.
    [[nodiscard]] bool is_serious() const;
    [[nodiscard]] bool may_probe(Instant now) const { return !is_probing_ && probe_at_ <= now; }
    // kNever while a probe is under way.
    [[nodiscard]] Instant probe_at() const { return is_probing_ ? kNever : probe_at_; }
    // Its number, which is not 0.
    [[nodiscard]] uint32_t begin_probe() {
        is_probing_ = true;
        if (++probe_ == 0) ++probe_;
        return probe_;
    }
    // Is it the one that is under way? One that was when the breaker closed is a push like others.
    [[nodiscard]] bool is_probe(uint32_t number) const { return is_probing_ && number == probe_; }
    void end_probe(Instant next) {
        is_probing_ = false;
        probe_at_ = next;
    }

private:
    Trouble trouble_ = Trouble::none;
    bool is_probing_ = false;
    uint32_t probe_ = 0;
    uint32_t failed_probes_ = 0;
    Instant probe_at_{};
    Instant closed_{};
};

}  // namespace knuckle::push
