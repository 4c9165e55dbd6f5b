// SPDX-License-Identifier: GPL-3.0-or-later
// libFuzzer entry: every input is one connection's bytes. tests/unit/http1_fuzz_test.cc runs the
// same check over the corpus and over seeded mutations of it, with no fuzzer installed.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/support/http1_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string complaint = knuckle::test::check_http1({data, size});
    if (!complaint.empty()) {
        std::fprintf(stderr, "http1: %s\n", complaint.c_str());
        std::abort();
    }
    return 0;
}
