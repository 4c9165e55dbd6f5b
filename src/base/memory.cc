// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/memory.h"

#include <mimalloc.h>

// Sanitizers' builds have none.
#pragma weak mi_collect
#pragma weak mi_option_set

namespace knuckle {

void hasten_freed_memory() {
    if (mi_option_set != nullptr) mi_option_set(mi_option_decommit_extend_delay, 0);
}

void give_back_freed_memory() {
    if (mi_collect != nullptr) mi_collect(true);
}

}  // namespace knuckle
