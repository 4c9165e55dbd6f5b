// SPDX-License-Identifier: GPL-3.0-or-later
// libFuzzer entry: an input is a file that somebody wants to import. The unit tests of migrate/ run
// the same check over the corpus and over seeded mutations of it.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/support/pg_dump_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string complaint = knuckle::test::check_pg_dump({data, size});
    if (!complaint.empty()) {
        std::fprintf(stderr, "migrate: %s\n", complaint.c_str());
        std::abort();
    }
    return 0;
}
