// SPDX-License-Identifier: GPL-3.0-or-later
// The provider token of one (environment, team, key): minted once for the whole process, replaced
// in time.
//
//     Credential credential(std::move(signer), key_id, team_id);
//     ProviderToken token = KNUCKLE_TRY(credential.resume(issued, now));      at the start
//     if (credential.is_due(now)) ... mint(now) ...                 looked at every minute
//     if (credential.may_renew(now)) ... mint(now) ...              after ExpiredProviderToken
//
// Apple refuses a token older than 60 minutes and punishes replacing one within 20 (providers.md
// A.2); we replace at 50 and never within 20, whatever happens.
// Owner: worker 0, which publishes each token to all workers.  Thread: its worker's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "crypto/jwt.h"

namespace knuckle::push {

inline constexpr Duration kTokenRenewAge = minutes(50);
inline constexpr Duration kTokenAgeMin = minutes(20);

struct ProviderToken {
    std::string authorization;  // "bearer ...": the value of the header field
    UnixTime issued;
};

class Credential {
public:
    Credential(crypto::Es256Signer signer, std::string key_id, std::string team_id);

    Result<ProviderToken> mint(UnixTime now);
    // The very token that an earlier process minted at `issued`, unless that is due to be replaced
    // or there was none; then a new one.
    Result<ProviderToken> resume(std::optional<UnixTime> issued, UnixTime now);

    // False while the present token is too young to be replaced.
    [[nodiscard]] bool may_renew(UnixTime now) const;
    // True when it should be replaced now: it is old, or it is from a future that the clock has
    // taken back.
    [[nodiscard]] bool is_due(UnixTime now) const;

private:
    crypto::Es256Signer signer_;
    std::string key_id_;
    std::string team_id_;
    UnixTime issued_{};
};

}  // namespace knuckle::push
