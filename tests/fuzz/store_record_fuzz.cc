// SPDX-License-Identifier: GPL-3.0-or-later
// libFuzzer entry: an input is the kind of a record and its plain bytes. The unit tests of
// store/schema.h run the same check over the corpus and over seeded mutations of it.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/support/store_record_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string complaint = knuckle::test::check_store_record({data, size});
    if (!complaint.empty()) {
        std::fprintf(stderr, "store: %s\n", complaint.c_str());
        std::abort();
    }
    return 0;
}
