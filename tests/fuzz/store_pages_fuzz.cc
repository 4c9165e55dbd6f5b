// SPDX-License-Identifier: GPL-3.0-or-later
// libFuzzer entry: an input is a data.mdb. Whatever its bytes are, the check reads only those.
#include "store/page_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static_cast<void>(knuckle::store::check_pages({data, size}));
    return 0;
}
