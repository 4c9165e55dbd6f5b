// SPDX-License-Identifier: GPL-3.0-or-later
// libFuzzer entry: every input is an endpoint and the body that it gets, as api_oracle.h says.
// tests/unit/api_body_fuzz_test.cc runs the same check over the corpus and over seeded mutations of
// it, with no fuzzer installed.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/support/api_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string complaint = knuckle::test::check_api_body({data, size});
    if (!complaint.empty()) {
        std::fprintf(stderr, "api_body: %s\n", complaint.c_str());
        std::abort();
    }
    return 0;
}
