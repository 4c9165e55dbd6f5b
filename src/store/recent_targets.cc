// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/recent_targets.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <sys/mman.h>

#include "base/bytes.h"
#include "store/fields.h"

namespace knuckle::store {

namespace {

constexpr size_t kSlotsPerBucket = 2;

}  // namespace

// What decides whether it is the right one lies in the first cache line. All zero: nothing is kept,
// for no snapshot has version 0.
struct alignas(64) RecentTargets::Slot {
    Uuid account;
    uint64_t version;
    Uuid device;
    UnixTime registered;
    DeviceKind kind;
    ProvenIn proven_in;
    uint8_t registration_size;
    std::array<char, kRegistrationKept> registration;
};

RecentTargets::~RecentTargets() { release(); }

std::span<RecentTargets::Slot> RecentTargets::bucket_of(const Uuid& account) const {
    static_assert(sizeof(Slot) == 128);
    // A slot keeps every field of a target.
    static_assert(offsetof(Target, registration) == sizeof(Uuid) + 8 + sizeof(UnixTime) + 2);
    if (slots_.empty()) return {};
    const size_t buckets = slots_.size() / kSlotsPerBucket;
    // Not those octets that choose the place in DeviceChanges.
    const auto random = load<uint32_t>(account.view().subspan(2, sizeof(uint32_t)));
    return slots_.subspan(random % buckets * kSlotsPerBucket, kSlotsPerBucket);
}

void RecentTargets::prefetch(const Uuid& account) const {
    constexpr size_t kLineSize = 64;
    for (const Slot& slot : bucket_of(account)) {
        const auto* const line = reinterpret_cast<const uint8_t*>(&slot);
        __builtin_prefetch(line);
        __builtin_prefetch(line + kLineSize);
    }
}

bool RecentTargets::find(const Uuid& account, Target& target) const {
    for (const Slot& slot : bucket_of(account)) {
        if (slot.account != account || slot.version == 0) continue;
        if (changes_.last(account) > slot.version) return false;
        target.device = slot.device;
        target.kind = slot.kind;
        target.proven_in = slot.proven_in;
        target.registered = slot.registered;
        target.registration_size = slot.registration_size;
        std::copy_n(slot.registration.data(), slot.registration_size, target.registration);
        return true;
    }
    return false;
}

void RecentTargets::keep(const Uuid& account, uint64_t version, const Target& target) {
    if (target.registration_size > kRegistrationKept) return;
    if (used_ >= slots_.size() / 2 && slots_.size() < kSlotsMax) grow();
    const std::span<Slot> bucket = bucket_of(account);
    if (bucket.empty()) return;
    const auto fits = [&](const Slot& slot) { return slot.account == account; };
    const auto is_free = [](const Slot& slot) { return slot.version == 0; };
    auto slot = std::ranges::find_if(bucket, fits);
    if (slot == bucket.end()) slot = std::ranges::find_if(bucket, is_free);
    if (slot == bucket.end()) {
        slot = bucket.begin() + static_cast<ptrdiff_t>(given_up_++ % kSlotsPerBucket);
    }
    if (slot->version == 0) ++used_;
    *slot = {.account = account,
             .version = version,
             .device = target.device,
             .registered = target.registered,
             .kind = target.kind,
             .proven_in = target.proven_in,
             .registration_size = static_cast<uint8_t>(target.registration_size),
             .registration = {}};
    std::ranges::copy(target.registration_id(), slot->registration.data());
}

// Fresh memory of the system is zero, and not there before it is used.
void RecentTargets::grow() {
    const size_t count = slots_.empty() ? kSlotsMin : 2 * slots_.size();
    void* const start = ::mmap(
        nullptr, count * sizeof(Slot), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) return;
    release();
    slots_ = {static_cast<Slot*>(start), count};
    used_ = 0;
}

void RecentTargets::release() {
    if (!slots_.empty()) ::munmap(slots_.data(), slots_.size_bytes());
    slots_ = {};
}

}  // namespace knuckle::store
