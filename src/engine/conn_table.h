// SPDX-License-Identifier: GPL-3.0-or-later
// From a ConnId to what the worker attached to it. A stale id finds nothing. Grows to the highest
// index seen.
// Owner: the part of the worker whose connections these are.  Thread: its worker's.
#pragma once

#include <cstdint>
#include <vector>

#include "io/io.h"

namespace knuckle::engine {

template <typename T>
class ConnTable {
public:
    void attach(io::ConnId id, T& item) {
        if (id.index >= entries_.size()) entries_.resize(id.index + 1);
        entries_[id.index] = {id.generation, &item};
    }
    void detach(io::ConnId id) {
        if (find(id) != nullptr) entries_[id.index] = {};
    }
    [[nodiscard]] T* find(io::ConnId id) const {
        if (id.index >= entries_.size()) return nullptr;
        const Entry& entry = entries_[id.index];
        return entry.generation == id.generation ? entry.item : nullptr;
    }

private:
    struct Entry {
        uint32_t generation = 0;
        T* item = nullptr;
    };
    std::vector<Entry> entries_;
};

}  // namespace knuckle::engine
