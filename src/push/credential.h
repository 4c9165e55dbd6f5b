// SPDX-License-Identifier: GPL-3.0-or-later
// The provider token of one (environment, team, key): minted once for the whole process, replaced
// in time.
//
//     Credential credential(std::move(signer), key_id, team_id);
//     ProviderToken token = KNUCKLE_TRY(credential.resume(issued, now));      at the start
//     if (credential.is_due(now)) ... renew(now) ...                 looked at every minute
//     if (credential.may_renew(now)) ... renew(now) ...              after ExpiredProviderToken
//     if (credential.may_restore(now)) ... restore() ...      after TooManyProviderTokenUpdates
//
// Apple refuses a token older than 60 minutes and punishes replacing one within 20 (providers.md
// A.2); we replace at 50 and never within 20, whatever happens. Where it finds all the same that it
// has seen too many, the token before the present one is brought back while it is valid, and the
// newer one put aside until then: it is minted, and need not be again.
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
// Of one that was brought back; looked at every minute.
inline constexpr Duration kTokenLastAge = minutes(58);

struct ProviderToken {
    std::string authorization;  // "bearer ...": the value of the header field
    UnixTime issued;
    bool is_restored = false;  // an older one than the last that was minted
};

class Credential {
public:
    Credential(crypto::Es256Signer signer, std::string key_id, std::string team_id);

    // A new one, or the one that was put aside.
    Result<ProviderToken> renew(UnixTime now);
    // The very token that an earlier process minted at `issued`, unless that is due to be replaced
    // or there was none; then a new one.
    Result<ProviderToken> resume(std::optional<UnixTime> issued, UnixTime now);

    // False while the present token is too young to be replaced.
    [[nodiscard]] bool may_renew(UnixTime now) const;
    // True when it should be replaced now: it is old, or it is from a future that the clock has
    // taken back.
    [[nodiscard]] bool is_due(UnixTime now) const;

    // The one before the present one is still valid.
    [[nodiscard]] bool may_restore(UnixTime now) const;
    Result<ProviderToken> restore();

private:
    [[nodiscard]] bool is_restored() const { return issued_ != newest_; }
    Result<ProviderToken> sign();

    crypto::Es256Signer signer_;
    std::string key_id_;
    std::string team_id_;
    UnixTime issued_{};  // the present one
    UnixTime newest_{};  // that was minted: the present one, or put aside
    UnixTime before_{};  // the one before that; 1970: nobody knows
};

}  // namespace knuckle::push
