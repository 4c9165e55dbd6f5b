// SPDX-License-Identifier: GPL-3.0-or-later
// libFuzzer entry: every input is what one server sends. tests/unit/http2_fuzz_test.cc runs the
// same check over the corpus and over seeded mutations of it, with no fuzzer installed.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/support/http2_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string complaint = knuckle::test::check_http2({data, size});
    if (!complaint.empty()) {
        std::fprintf(stderr, "http2: %s\n", complaint.c_str());
        std::abort();
    }
    return 0;
}
