// SPDX-License-Identifier: GPL-3.0-or-later
#include "push/credential.h"

#include <utility>

namespace knuckle::push {

Credential::Credential(crypto::Es256Signer signer, std::string key_id, std::string team_id)
    : signer_(std::move(signer)), key_id_(std::move(key_id)), team_id_(std::move(team_id)) {}

Result<ProviderToken> Credential::mint(UnixTime now) {
    const std::string token = KNUCKLE_TRY(signer_.sign(key_id_, team_id_, now));
    issued_ = now;
    return ProviderToken{"bearer " + token, now};
}

Result<ProviderToken> Credential::resume(std::optional<UnixTime> issued, UnixTime now) {
    if (!issued) return mint(now);
    issued_ = *issued;
    return mint(is_due(now) ? now : *issued);
}

bool Credential::is_due(UnixTime now) const {
    const bool is_from_future = now + minutes(1) < issued_;
    return is_from_future || now - issued_ >= kTokenRenewAge;
}

bool Credential::may_renew(UnixTime now) const {
    return is_due(now) || now - issued_ >= kTokenAgeMin;
}

}  // namespace knuckle::push
