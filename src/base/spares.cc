// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/spares.h"

#include <algorithm>
#include <cstdlib>

#include <malloc.h>

#include "base/sanitizer.h"

namespace knuckle {

void* Spares::take(size_t size) {
    if (size >= kPieceMin) {
        for (Spare& spare : spares_) {
            if (spare.size < size || spare.size / 2 > size) continue;
            spare.size = 0;
            return spare.piece;
        }
    }
    return std::malloc(size);
}

void* Spares::resize(void* piece, size_t size) { return std::realloc(piece, size); }

void Spares::give_back(void* piece) {
    const size_t size = kIsSanitized || piece == nullptr ? 0 : ::malloc_usable_size(piece);
    if (size < kPieceMin || size > kPieceMax) {
        std::free(piece);
        return;
    }
    auto* place = std::ranges::find(spares_, size_t{0}, &Spare::size);
    if (place == spares_.end()) {
        place = &spares_[next_];
        next_ = (next_ + 1) % kCount;
        std::free(place->piece);
    }
    *place = {piece, size};
}

}  // namespace knuckle
