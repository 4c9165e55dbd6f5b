// SPDX-License-Identifier: GPL-3.0-or-later
// How often a client may do what: the policy against abuse, above the buckets of RateLimiter.
//
//     Duration wait = limits.take_address(command, client, now)     each call, before anything else
//     Duration wait = limits.take_login(app, username, now)         zero: go on
//     Duration wait = limits.take_token(account, now)               else 429, Retry-After `wait`
//
//     KnockPass pass = limits.check_knock(app, style, token, account, now)
//     limits.take_knock(pass, now)          when its pushes are made, unless it was refused
//     limits.give_back_knock(pass)          its push was deferred, but is not safe to rely on
//
// A knock is judged first and charged later, because who takes the next place must have a push to
// send there: those after it rely on that (engine/knock.h). Visible pushes are counted apart from
// background ones, so that none is coalesced with a push that nobody sees.
//
// The window in which knocks for one phone become one push is a limit like the others: one push in
// each window. So the first goes out at once, and one for all that follow at the window's end.
//
// A knock takes a place in each of its limits and goes out at the latest of them. Whoever is
// refused by one of the earlier ones, because of that knock, would wait for a limit that is not his
// own. So such a place is marked as held late, and who has not used up his own token gets the one
// after it.
// Owner: engine::Core.  Thread: its worker's; each worker counts what it sees, so a client that
// spreads its connections may have more, at most as many times as there are workers.
// Memory: kBucketCount buckets, 1 MiB.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/command.h"
#include "base/time.h"
#include "base/uuid.h"
#include "crypto/random.h"
#include "engine/options.h"
#include "engine/rate_limiter.h"
#include "io/peer_address.h"
#include "metrics/counters.h"
#include "push/types.h"

namespace knuckle::engine {

inline constexpr size_t kBucketCount = 65'536;

// What the limits of its token and its account say to a knock; nothing is taken yet.
struct KnockPass {
    struct Place {
        Limit limit = Limit::knocks_per_token;
        uint64_t key = 0;
        Instant at{};
    };

    Pass pass = Pass::allowed;
    Instant at{};                 // when it may go out, unless it was refused
    std::array<Place, 3> places;  // of the token, the account and the window
};

class Limits {
public:
    // Whatever is given must outlive it, but for `random`.
    Limits(const LimitOptions& options, metrics::Counters& counters, crypto::SecureRandom& random);

    [[nodiscard]] Duration take_address(const api::Command& command,
                                        const io::PeerAddress& client,
                                        Instant now);
    // Whether the account exists or not.
    [[nodiscard]] Duration take_login(size_t app, std::string_view username, Instant now);
    [[nodiscard]] Duration take_token(const Uuid& account, Instant now);

    [[nodiscard]] KnockPass check_knock(
        size_t app, push::Style style, std::string_view token, const Uuid& account, Instant now);
    void take_knock(const KnockPass& pass, Instant now);
    void give_back_knock(const KnockPass& pass);

private:
    [[nodiscard]] bool is_exempt(const io::PeerAddress& client) const;
    [[nodiscard]] Duration take(Limit limit, ByteView who, size_t space, Instant now);

    const LimitOptions& options_;
    metrics::Counters& counters_;
    RateLimiter limiter_;
};

}  // namespace knuckle::engine
