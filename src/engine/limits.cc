// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/limits.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <variant>

namespace knuckle::engine {

namespace {

uint64_t draw(crypto::SecureRandom& random) {
    std::array<uint8_t, sizeof(uint64_t)> bytes{};
    random.fill(bytes);
    uint64_t number = 0;
    std::memcpy(&number, bytes.data(), sizeof number);
    return number;
}

std::optional<Limit> address_limit_of(const api::Command& command) {
    if (std::holds_alternative<api::Knock>(command)) return Limit::knocks_per_address;
    if (std::holds_alternative<api::LogIn>(command)) return Limit::logins_per_address;
    if (std::holds_alternative<api::CreateToken>(command)) return Limit::tokens_per_address;
    return std::nullopt;
}

}  // namespace

Limits::Limits(const LimitOptions& options,
               metrics::Counters& counters,
               crypto::SecureRandom& random)
    : options_(options), counters_(counters), limiter_(kBucketCount, draw(random)) {}

bool Limits::is_exempt(const io::PeerAddress& client) const {
    if (io::is_local(client)) return true;
    const auto& unlimited = options_.unlimited_networks;
    return !unlimited.empty() &&
           std::find(unlimited.begin(), unlimited.end(), io::network_of(client)) != unlimited.end();
}

Duration Limits::take_address(const api::Command& command,
                              const io::PeerAddress& client,
                              Instant now) {
    const auto limit = address_limit_of(command);
    if (!limit || is_exempt(client)) return {};
    return take(*limit, io::network_of(client).bytes, 0, now);
}

Duration Limits::take_login(size_t app, std::string_view username, Instant now) {
    return take(Limit::logins_per_account, as_bytes(username), app, now);
}

Duration Limits::take_token(const Uuid& account, Instant now) {
    return take(Limit::tokens_per_account, account.view(), 0, now);
}

Duration Limits::take(Limit limit, ByteView who, size_t space, Instant now) {
    const Duration wait =
        limiter_.take_if_allowed(limiter_.key(limit, who, space), options_.rate(limit), now);
    if (wait > Duration{}) counters_.count(limit);
    return wait;
}

KnockPass Limits::check_knock(
    size_t app, push::Style style, std::string_view token, const Uuid& account, Instant now) {
    const size_t is_visible = style == push::Style::alert ? 1 : 0;
    KnockPass pass;
    pass.admission.at = now;
    // It goes out when all let it; one that refuses is enough.
    const auto check = [&](Limit limit, ByteView who, size_t space) {
        const uint64_t key = limiter_.key(limit, who, space);
        const Admission admission = limiter_.check(key, options_.rate(limit), now);
        if (admission.pass != Pass::allowed) counters_.count(limit);
        pass.admission.pass = std::max(pass.admission.pass, admission.pass);
        pass.admission.at = std::max(pass.admission.at, admission.at);
        return key;
    };
    pass.token_key = check(Limit::knocks_per_token, as_bytes(token), app << 1 | is_visible);
    pass.account_key = check(Limit::knocks_per_account, account.view(), is_visible);
    pass.window = is_visible != 0 ? Limit::alert_window : Limit::background_window;
    pass.window_key = check(pass.window, account.view(), 0);
    return pass;
}

void Limits::take_knock(const KnockPass& pass, Instant now) {
    limiter_.take(pass.token_key, options_.rate(Limit::knocks_per_token), now);
    limiter_.take(pass.account_key, options_.rate(Limit::knocks_per_account), now);
    limiter_.take(pass.window_key, options_.rate(pass.window), now);
}

void Limits::give_back_knock(const KnockPass& pass) {
    limiter_.give_back(pass.token_key, options_.rate(Limit::knocks_per_token));
    limiter_.give_back(pass.account_key, options_.rate(Limit::knocks_per_account));
    limiter_.give_back(pass.window_key, options_.rate(pass.window));
}

}  // namespace knuckle::engine
