// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/rate_limiter.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace knuckle::engine {

namespace {

// Odd numbers with about as many ones as zeros: 2^64 divided by the golden ratio, and wyhash's.
constexpr uint64_t kFirst = 0x9e3779b97f4a7c15;
constexpr uint64_t kNext = 0xa0761d6478bd642f;

// Both halves of the product, folded: each bit of the input reaches each of the output.
uint64_t mix(uint64_t a, uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace

RateLimiter::RateLimiter(size_t count, uint64_t secret)
    : sets_(std::bit_ceil(std::max<size_t>(count / kWays, 1))), secret_(secret) {}

uint64_t RateLimiter::key(Limit limit, ByteView who, size_t space) const {
    const uint64_t what = uint64_t{who.size()} << 32 | uint64_t{space} << 8 |
                          static_cast<uint64_t>(static_cast<uint8_t>(limit));
    uint64_t hash = mix(secret_ ^ what, kFirst);
    uint64_t word = 0;
    for (; who.size() >= sizeof word; who = who.subspan(sizeof word)) {
        std::memcpy(&word, who.data(), sizeof word);
        hash = mix(hash ^ word, secret_ ^ kNext);
    }
    if (who.empty()) return hash;
    word = 0;
    std::memcpy(&word, who.data(), who.size());
    return mix(hash ^ word, secret_ ^ kNext);
}

const RateLimiter::Bucket* RateLimiter::find(uint64_t key) const {
    const auto& buckets = sets_[key & (sets_.size() - 1)].buckets;
    const auto* const found = std::find_if(
        buckets.begin(), buckets.end(), [key](const Bucket& each) { return each.key == key; });
    return found == buckets.end() ? nullptr : found;
}

Admission RateLimiter::check(uint64_t key, Rate rate, Instant now) const {
    if (rate.is_off()) return {.at = now};
    const Bucket* const bucket = find(key);
    const Instant full_at = bucket != nullptr ? std::max(bucket->full_at(), now) : now;
    // Empty, it takes `burst` intervals to fill; the last of them may not have begun.
    const Instant at = full_at + rate.interval * (1 - int64_t{rate.burst});
    if (at <= now) return {.at = now};
    if (at - now <= rate.interval) return {.pass = Pass::deferred, .at = at};
    return {
        .pass = Pass::refused, .is_held_late = bucket != nullptr && bucket->is_late(), .at = at};
}

void RateLimiter::take(uint64_t key, Rate rate, Instant now, bool is_late) {
    if (rate.is_off()) return;
    auto& buckets = sets_[key & (sets_.size() - 1)].buckets;
    auto* bucket = std::find_if(
        buckets.begin(), buckets.end(), [key](const Bucket& each) { return each.key == key; });
    if (bucket == buckets.end()) {
        bucket =
            std::min_element(buckets.begin(), buckets.end(), [](const Bucket& a, const Bucket& b) {
                return a.full_at() < b.full_at();
            });
        *bucket = {key, 0};
    }
    bucket->set(std::max(bucket->full_at(), now) + rate.interval, is_late);
}

void RateLimiter::give_back(uint64_t key, Rate rate) {
    if (rate.is_off()) return;
    auto& buckets = sets_[key & (sets_.size() - 1)].buckets;
    for (Bucket& bucket : buckets) {
        if (bucket.key == key) bucket.set(bucket.full_at() + rate.interval * -1, bucket.is_late());
    }
}

Duration RateLimiter::take_if_allowed(uint64_t key, Rate rate, Instant now) {
    const Admission admission = check(key, rate, now);
    if (admission.pass != Pass::allowed) return admission.at - now;
    take(key, rate, now);
    return {};
}

}  // namespace knuckle::engine
