// SPDX-License-Identifier: GPL-3.0-or-later
#include "push/credential.h"

#include <utility>

namespace knuckle::push {

Credential::Credential(crypto::Es256Signer signer, std::string key_id, std::string team_id)
    : signer_(std::move(signer)), key_id_(std::move(key_id)), team_id_(std::move(team_id)) {}

Result<ProviderToken> Credential::sign() {
    const std::string token = KNUCKLE_TRY(signer_.sign(key_id_, team_id_, issued_));
    return ProviderToken{"bearer " + token, issued_, is_restored()};
}

Result<ProviderToken> Credential::renew(UnixTime now) {
    if (is_restored()) {
        issued_ = newest_;  // what was put aside
        if (!is_due(now)) return sign();
    }
    before_ = newest_;
    issued_ = newest_ = now;
    return sign();
}

Result<ProviderToken> Credential::resume(std::optional<UnixTime> issued, UnixTime now) {
    if (!issued) return renew(now);
    issued_ = newest_ = *issued;
    return is_due(now) ? renew(now) : sign();
}

bool Credential::is_due(UnixTime now) const {
    const bool is_from_future = now + minutes(1) < issued_;
    return is_from_future || now - issued_ >= (is_restored() ? kTokenLastAge : kTokenRenewAge);
}

bool Credential::may_renew(UnixTime now) const {
    return is_due(now) || now - newest_ >= kTokenAgeMin;
}

bool Credential::may_restore(UnixTime now) const {
    return !is_restored() && now - newest_ < kTokenAgeMin && before_ <= now &&
           now - before_ < kTokenLastAge;
}

Result<ProviderToken> Credential::restore() {
    issued_ = before_;
    return sign();
}

}  // namespace knuckle::push
