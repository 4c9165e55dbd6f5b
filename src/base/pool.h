// SPDX-License-Identifier: GPL-3.0-or-later
// A bounded pool of T, addressed by generational ids.
//
//     Pool<Job> jobs(kJobsMax);
//     Job* job = jobs.take();            // nullptr: full, refuse at the door
//     Id<Job> id = jobs.id_of(*job);     // may be kept, sent, stored
//     Job* again = jobs.find(id);        // nullptr once given back, however late
//     jobs.give_back(*job);
//
// Objects never move. Memory comes in slabs of kSlabSize on demand and stays; what is given back
// is destroyed and its slot reused with a new generation.
// Owner: a module's main object.  Thread: one.  Limit: the count given at construction.
// Memory: 8 bytes besides each object.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace knuckle {

template <typename T>
struct Id {
    uint32_t index = 0;
    uint32_t generation = 0;  // 0 is never given out: a default Id finds nothing

    [[nodiscard]] bool is_null() const { return generation == 0; }
    bool operator==(const Id&) const = default;
};

template <typename T>
class Pool {
public:
    // A size that the allocator has pieces of. It rounds others up, by as much as a quarter.
    static constexpr size_t kSlabSize = 16 * 1024;

    explicit Pool(size_t count_max) : count_max_(count_max) {
        KNUCKLE_ASSERT(count_max < UINT32_MAX);
    }
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    ~Pool() {
        for_each([this](T& item) { give_back(item); });
    }

    template <typename... Args>
    [[nodiscard]] T* take(Args&&... args) {
        if (free_ == nullptr && !grow()) return nullptr;
        Slot& slot = *free_;
        free_ = slot.next_free;
        ++slot.generation;
        ++count_;
        return new (slot.storage) T(std::forward<Args>(args)...);
    }

    void give_back(T& item) {
        Slot& slot = slot_of(item);
        KNUCKLE_ASSERT(slot.is_live());
        item.~T();
        ++slot.generation;
        slot.next_free = free_;
        free_ = &slot;
        --count_;
    }

    [[nodiscard]] T* find(Id<T> id) {
        if (id.is_null() || id.index >= slots_made_) return nullptr;
        Slot& slot = slot_at(id.index);
        return slot.is_live() && slot.generation == id.generation ? slot.item() : nullptr;
    }

    [[nodiscard]] Id<T> id_of(const T& item) {
        const Slot& slot = slot_of(item);
        return {slot.index, slot.generation};
    }

    // Visits the live objects by index; `visit` may give back the one it is shown.
    template <typename Visit>
    void for_each(Visit visit) {
        for (uint32_t i = 0; i < slots_made_; ++i) {
            if (slot_at(i).is_live()) visit(*slot_at(i).item());
        }
    }

    [[nodiscard]] size_t count() const { return count_; }
    [[nodiscard]] size_t count_max() const { return count_max_; }
    [[nodiscard]] bool is_full() const { return count_ == count_max_; }

private:
    struct Slot {
        union {
            alignas(T) unsigned char storage[sizeof(T)];
            Slot* next_free;  // while there is no object
        };
        uint32_t index = 0;
        uint32_t generation = 0;  // odd while there is one

        [[nodiscard]] bool is_live() const { return generation % 2 != 0; }
        T* item() { return std::launder(reinterpret_cast<T*>(storage)); }
    };

    static constexpr size_t kSlabCount = std::max<size_t>(1, kSlabSize / sizeof(Slot));

    Slot& slot_at(uint32_t index) { return slabs_[index / kSlabCount][index % kSlabCount]; }

    // The storage is the slot's first member, so the object's address is the slot's.
    static Slot& slot_of(const T& item) {
        return *reinterpret_cast<Slot*>(reinterpret_cast<uintptr_t>(&item));
    }

    bool grow() {
        if (slots_made_ >= count_max_) return false;
        slabs_.push_back(std::make_unique<Slot[]>(kSlabCount));
        for (size_t i = 0; i < kSlabCount && slots_made_ < count_max_; ++i) {
            Slot& slot = slot_at(slots_made_);
            slot.index = slots_made_++;
            slot.next_free = free_;
            free_ = &slot;
        }
        return true;
    }

    std::vector<std::unique_ptr<Slot[]>> slabs_;
    size_t count_max_;
    size_t count_ = 0;
    uint32_t slots_made_ = 0;
    Slot* free_ = nullptr;
};

}  // namespace knuckle
