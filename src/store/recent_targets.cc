// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/recent_targets.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/mman.h>

#include "base/bytes.h"
#include "store/fields.h"

namespace knuckle::store {

namespace {

constexpr size_t kSlotsPerBucket = 16;
constexpr size_t kNowhere = SIZE_MAX;
// A full bucket gives up a slot for every eighth who comes: where there are far more accounts than
// slots most would be written in vain.
constexpr size_t kAskedPerSlot = 8;

// Stands for an account, and never is 0. Ids are random, but for imported ones.
uint32_t tag_of(const Uuid& account) {
    const auto front = load<uint64_t>(account.view().first(8));
    const auto back = load<uint64_t>(account.view().last(8));
    const uint64_t hash = (front ^ std::rotl(back, 32)) * 0x9e37'79b9'7f4a'7c15;
    return std::max(static_cast<uint32_t>(hash >> 32), uint32_t{1});
}

// Where its bucket begins, when `count` slots are in use.
size_t bucket_of(uint32_t tag, size_t count) {
    return tag % (count / kSlotsPerBucket) * kSlotsPerBucket;
}

}  // namespace

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

// A search reads the tags of a bucket, one cache line, and of its slots hardly ever another than
// the one it is after: these lie in no cache. All zero: nothing is kept.
struct RecentTargets::Table {
    static_assert(sizeof(Slot) == 128);
    // A slot keeps every field of a target.
    static_assert(offsetof(Target, registration) == sizeof(Uuid) + 8 + sizeof(UnixTime) + 2);

    alignas(64) std::array<uint32_t, kSlotsMax> tags;  // 0: the slot is free
    std::array<Slot, kSlotsMax> slots;
};

RecentTargets::~RecentTargets() {
    if (table_ != nullptr) ::munmap(table_, sizeof(Table));
}

size_t RecentTargets::position_of(const Uuid& account, size_t count) const {
    if (count == 0) return kNowhere;
    const uint32_t tag = tag_of(account);
    const size_t bucket = bucket_of(tag, count);
    for (size_t i = bucket; i < bucket + kSlotsPerBucket; ++i) {
        if (table_->tags[i] == tag && table_->slots[i].account == account) return i;
    }
    return kNowhere;
}

void RecentTargets::prefetch_tags(const Uuid& account) const {
    if (count_ != 0) __builtin_prefetch(&table_->tags[bucket_of(tag_of(account), count_)]);
}

void RecentTargets::prefetch_slot(const Uuid& account) const {
    if (count_ == 0) return;
    constexpr size_t kLineSize = 64;
    const uint32_t tag = tag_of(account);
    const size_t bucket = bucket_of(tag, count_);
    for (size_t i = bucket; i < bucket + kSlotsPerBucket; ++i) {
        if (table_->tags[i] != tag) continue;
        const auto* const line = reinterpret_cast<const uint8_t*>(&table_->slots[i]);
        __builtin_prefetch(line);
        __builtin_prefetch(line + kLineSize);
    }
}

bool RecentTargets::find(const Uuid& account, Target& target) {
    size_t position = position_of(account, count_);
    if (position == kNowhere) position = bring_over(account);
    if (position == kNowhere) return false;
    const Slot& slot = table_->slots[position];
    if (changes_.last(account) > slot.version) return false;
    target.device = slot.device;
    target.kind = slot.kind;
    target.proven_in = slot.proven_in;
    target.registered = slot.registered;
    target.registration_size = slot.registration_size;
    std::copy_n(slot.registration.data(), slot.registration_size, target.registration);
    return true;
}

size_t RecentTargets::bring_over(const Uuid& account) {
    if (looks_back_ == 0) return kNowhere;
    --looks_back_;
    const size_t old = position_of(account, count_ / 2);
    if (old == kNowhere) return kNowhere;
    const size_t place = place_for(account);
    if (place == kNowhere) return old;
    table_->slots[place] = table_->slots[old];
    table_->tags[old] = 0;
    --used_;
    return place;
}

// Its own, a free one, one that the table has grown away from, or one that is given up for it.
size_t RecentTargets::place_for(const Uuid& account) {
    const size_t own = position_of(account, count_);
    if (own != kNowhere) return own;
    const uint32_t tag = tag_of(account);
    const size_t bucket = bucket_of(tag, count_);
    const std::span<uint32_t> tags(&table_->tags[bucket], kSlotsPerBucket);
    auto place = std::ranges::find(tags, uint32_t{0});
    if (place != tags.end()) {
        ++used_;
    } else {
        const auto is_left = [&](uint32_t other) { return bucket_of(other, count_) != bucket; };
        place = std::ranges::find_if(tags, is_left);
    }
    if (place == tags.end()) {
        const size_t asked = asked_++;
        if (asked % kAskedPerSlot != 0) return kNowhere;
        place = tags.begin() + static_cast<ptrdiff_t>(asked / kAskedPerSlot % kSlotsPerBucket);
    }
    *place = tag;
    return bucket + static_cast<size_t>(place - tags.begin());
}

void RecentTargets::keep(const Uuid& account, uint64_t version, const Target& target) {
    if (target.registration_size > kRegistrationKept) return;
    if (used_ >= count_ / 4 * 3 && count_ < kSlotsMax) grow();
    if (count_ == 0) return;
    const size_t place = place_for(account);
    if (place == kNowhere) return;
    Slot& slot = table_->slots[place];
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
    if (table_ == nullptr) {
        void* const start = ::mmap(nullptr,
                                   sizeof(Table),
                                   PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                                   -1,
                                   0);
        if (start == MAP_FAILED) return;
        table_ = static_cast<Table*>(start);
        count_ = kSlotsMin;
    } else {
        count_ *= 2;
        looks_back_ = count_;
    }
}

}  // namespace knuckle::store
