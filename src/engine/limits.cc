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
    const Limit window = is_visible != 0 ? Limit::alert_window : Limit::background_window;
    KnockPass pass;
    pass.at = now;
    bool is_noisy = false;  // has used up his own token, which is therefore checked first
    // It goes out when all let it. One that refuses is enough, unless its place is held late: who
    // is not noisy gets the one after it.
    const auto check = [&](KnockPass::Place& place, Limit limit, ByteView who, size_t space) {
        place.limit = limit;
        place.key = limiter_.key(limit, who, space);
        const Admission admission = limiter_.check(place.key, options_.rate(limit), now);
        place.at = admission.at;
        pass.at = std::max(pass.at, admission.at);
        if (admission.pass == Pass::allowed) return;
        counters_.count(limit);
        if (limit == Limit::knocks_per_token) is_noisy = true;
        const bool may_follow = admission.is_held_late && !is_noisy;
        pass.pass = std::max(pass.pass, may_follow ? Pass::deferred : admission.pass);
    };
    check(pass.places[0], Limit::knocks_per_token, as_bytes(token), app << 1 | is_visible);
    check(pass.places[1], Limit::knocks_per_account, account.view(), is_visible);
    check(pass.places[2], window, account.view(), 0);
    return pass;
}

void Limits::take_knock(const KnockPass& pass, Instant now) {
    for (const KnockPass::Place& place : pass.places)
        limiter_.take(place.key, options_.rate(place.limit), now, place.at < pass.at);
}

void Limits::give_back_knock(const KnockPass& pass) {
    for (const KnockPass::Place& place : pass.places)
        limiter_.give_back(place.key, options_.rate(place.limit));
}

}  // namespace knuckle::engine
