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

RecentTargets::~RecentTargets() {
    if (slots_ != nullptr) ::munmap(slots_, kSlotsMax * sizeof(Slot));
}

std::span<RecentTargets::Slot> RecentTargets::bucket_of(const Uuid& account, size_t count) const {
    static_assert(sizeof(Slot) == 128);
    // A slot keeps every field of a target.
    static_assert(offsetof(Target, registration) == sizeof(Uuid) + 8 + sizeof(UnixTime) + 2);
    if (count == 0) return {};
    // Not those octets that choose the place in DeviceChanges.
    const auto random = load<uint32_t>(account.view().subspan(2, sizeof(uint32_t)));
    return {slots_ + random % (count / kSlotsPerBucket) * kSlotsPerBucket, kSlotsPerBucket};
}

RecentTargets::Slot* RecentTargets::slot_of(const Uuid& account, size_t count) const {
    for (Slot& slot : bucket_of(account, count)) {
        if (slot.account == account && slot.version != 0) return &slot;
    }
    return nullptr;
}

void RecentTargets::prefetch(const Uuid& account) const {
    constexpr size_t kLineSize = 64;
    for (const Slot& slot : bucket_of(account, count_)) {
        const auto* const line = reinterpret_cast<const uint8_t*>(&slot);
        __builtin_prefetch(line);
        __builtin_prefetch(line + kLineSize);
    }
}

bool RecentTargets::find(const Uuid& account, Target& target) {
    const Slot* slot = slot_of(account, count_);
    if (slot == nullptr) slot = bring_over(account);
    if (slot == nullptr || changes_.last(account) > slot->version) return false;
    target.device = slot->device;
    target.kind = slot->kind;
    target.proven_in = slot->proven_in;
    target.registered = slot->registered;
    target.registration_size = slot->registration_size;
    std::copy_n(slot->registration.data(), slot->registration_size, target.registration);
    return true;
}

RecentTargets::Slot* RecentTargets::bring_over(const Uuid& account) {
    if (looks_back_ == 0) return nullptr;
    --looks_back_;
    Slot* const old = slot_of(account, count_ / 2);
    if (old == nullptr) return nullptr;
    Slot& place = place_for(account);
    place = *old;
    old->version = 0;
    --used_;
    return &place;
}

// Its own, a free one, or one of the two that is given up for it.
RecentTargets::Slot& RecentTargets::place_for(const Uuid& account) {
    if (Slot* const own = slot_of(account, count_)) return *own;
    const std::span<Slot> bucket = bucket_of(account, count_);
    const auto is_free = [](const Slot& slot) { return slot.version == 0; };
    const auto free = std::ranges::find_if(bucket, is_free);
    if (free == bucket.end()) return bucket[given_up_++ % kSlotsPerBucket];
    ++used_;
    return *free;
}

void RecentTargets::keep(const Uuid& account, uint64_t version, const Target& target) {
    if (target.registration_size > kRegistrationKept) return;
    if (used_ >= count_ / 2 && count_ < kSlotsMax) grow();
    if (count_ == 0) return;
    Slot& slot = place_for(account);
    slot = {.account = account,
            .version = version,
            .device = target.device,
            .registered = target.registered,
            .kind = target.kind,
            .proven_in = target.proven_in,
            .registration_size = static_cast<uint8_t>(target.registration_size),
            .registration = {}};
    std::ranges::copy(target.registration_id(), slot.registration.data());
}

// Fresh memory of the system is zero, and not there before it is used: a page at a time, or 2 MiB
// where the system always gives huge ones.
void RecentTargets::grow() {
    if (slots_ == nullptr) {
        void* const start = ::mmap(nullptr,
                                   kSlotsMax * sizeof(Slot),
                                   PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                                   -1,
                                   0);
        if (start == MAP_FAILED) return;
        slots_ = static_cast<Slot*>(start);
        count_ = kSlotsMin;
    } else {
        count_ *= 2;
        looks_back_ = count_;
    }
}

}  // namespace knuckle::store
