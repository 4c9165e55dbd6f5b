// SPDX-License-Identifier: GPL-3.0-or-later
// Finds what has expired and erases it, a little in each step: tokens whose time is over, then
// accounts that nobody has used for their lifetime, with all that is theirs, then feedback older
// than kFeedbackLifetime.
//
//     Sweep sweep(env, committer, account_lifetime);
//     while (*sweep.step(now)) ...                     a round over everything; rest between
//
// Expiry is enforced where things are used; this only makes room. A step reads in one transaction
// and erases in another, so neither is long and clients' writes may come between any two. Rows made
// behind the cursor wait for the next round. Feedback lies in the order of its age, so a look at
// the oldest is enough. An account is left as long as one of its tokens lives, whatever the
// lifetimes were when it was made. What does not open is counted and left.
// Errors: LMDB's; nothing of that step is erased, and the next one tries the same again.
// Owner: store::Chores.  Thread: the committer's; counts() any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/result.h"
#include "base/time.h"
#include "metrics/counter.h"
#include "store/committer.h"
#include "store/env.h"

namespace knuckle::store {

// Of one step. A token is judged by its first bytes, an account has to be unsealed; either way a
// step that finds nothing takes about a tenth of a millisecond.
inline constexpr size_t kSweepTokensMax = 2'000;
inline constexpr size_t kSweepAccountsMax = 200;
// What goes in one commit: tokens, and accounts with theirs. Each is another page to write, since
// those that expire together belong to accounts that lie far apart; a client's write may have to
// wait for the whole of it, a few milliseconds. Only an account may be more by itself.
inline constexpr size_t kSweepErasedMax = 128;

struct SweepCounts {
    metrics::Counter tokens;    // erased
    metrics::Counter accounts;  // erased
    metrics::Counter feedback;  // events erased for their age
    metrics::Counter damaged;   // gauge: tokens and accounts that the last round could not read
};

class Sweep {
public:
    Sweep(const Env& env, Committer& committer, Duration account_lifetime);
    ~Sweep();
    Sweep(const Sweep&) = delete;
    Sweep& operator=(const Sweep&) = delete;

    // True: there is more to do in this round. The step after the last one begins the next round.
    Result<bool> step(Now now);

    [[nodiscard]] const SweepCounts& counts() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace knuckle::store
