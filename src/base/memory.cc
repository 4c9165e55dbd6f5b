// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/memory.h"

// mimalloc's; sanitizers' builds have none.
extern "C" [[gnu::weak]] void mi_collect(bool is_forced) noexcept;

namespace knuckle {

void give_back_freed_memory() {
    if (mi_collect != nullptr) mi_collect(true);
}

}  // namespace knuckle
