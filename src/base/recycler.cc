// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/recycler.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/assert.h"
#include "base/sanitizer.h"

namespace knuckle {

Recycler::~Recycler() {
    KNUCKLE_ASSERT(taken_ == 0);
    for (const Shelf& shelf : shelves_) {
        for (Head* head = shelf.first; head != nullptr;) {
            Head* const next = head->next;
            std::free(head);
            head = next;
        }
    }
}

void* Recycler::take(size_t size) {
    if (size > SIZE_MAX - sizeof(Head) - kStep) return nullptr;
    const size_t steps = std::max<size_t>((size + kStep - 1) / kStep, 1);
    size = steps * kStep;
    Head* head = nullptr;
    if (size <= kPieceMax) {
        Shelf& shelf = shelves_[steps - 1];
        head = shelf.first;
        if (head != nullptr) {
            shelf.first = head->next;
            --shelf.count;
        }
    }
    if (head == nullptr) {
        head = static_cast<Head*>(std::malloc(sizeof(Head) + size));
        if (head == nullptr) return nullptr;
        head->size = size;
    }
    ++taken_;
    return head + 1;
}

void* Recycler::resize(void* piece, size_t size) {
    if (piece == nullptr) return take(size);
    const size_t old_size = (static_cast<Head*>(piece) - 1)->size;
    if (size <= old_size) return piece;
    void* const larger = take(size);
    if (larger == nullptr) return nullptr;
    std::memcpy(larger, piece, old_size);
    give_back(piece);
    return larger;
}

void Recycler::give_back(void* piece) {
    if (piece == nullptr) return;
    --taken_;
    Head* const head = static_cast<Head*>(piece) - 1;
    if (!kIsSanitized && head->size <= kPieceMax) {
        Shelf& shelf = shelves_[head->size / kStep - 1];
        if (shelf.count < kKeptMax) {
            head->next = shelf.first;
            shelf.first = head;
            ++shelf.count;
            return;
        }
    }
    std::free(head);
}

}  // namespace knuckle
