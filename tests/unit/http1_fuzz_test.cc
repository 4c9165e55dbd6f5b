// SPDX-License-Identifier: GPL-3.0-or-later
// The fuzz target's check over its corpus, and over mutations of it that are the same in every run.
#include "tests/fuzz/http1_fuzz.cc"  // g++ has no fuzzer to link with, so it is compiled at least

#include <algorithm>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/random.h"
#include "tests/support/corpus.h"
#include "tests/support/http1_oracle.h"
#include "tests/support/mutate.h"

using namespace knuckle;

namespace {

const std::string kScraps[] = {"\r\n",
                               "\n",
                               "\r",
                               " ",
                               "\t",
                               ":",
                               ",",
                               "\r\n ",
                               "0",
                               "5",
                               "\r\n\r\n",
                               "#",
                               "?",
                               "//",
                               "HTTP/1.0",
                               "HTTP/1.1",
                               "chunked",
                               "Content-Length: 3\r\n",
                               "Host: b\r\n",
                               "Transfer-Encoding: chunked\r\n",
                               "Connection: close\r\n",
                               "Expect: 100-continue\r\n",
                               "ffffffff\r\n",
                               "0\r\n\r\n",
                               ";x=y",
                               std::string(1, '\0'),
                               "\x80",
                               "\x7f"};

}  // namespace

TEST_CASE("Every input of the corpus keeps the parser's rules", "[http1][fuzz]") {
    const std::vector<std::string> corpus = test::read_corpus("http1");
    REQUIRE(corpus.size() > 20);
    for (const std::string& input : corpus) {
        INFO(input);
        CHECK(test::check_http1(as_bytes(input)).empty());
    }
    CHECK(LLVMFuzzerTestOneInput(as_bytes(corpus.front()).data(), corpus.front().size()) == 0);
}

TEST_CASE("So do thousands of mutations of it", "[http1][fuzz]") {
    const std::vector<std::string> corpus = test::read_corpus("http1");
    constexpr size_t kRounds = 3'000;
    constexpr size_t kSizeMax = 600;
    Random random(1);
    for (size_t round = 0; round < kRounds; ++round) {
        const std::string input = test::mutant_of(corpus, kSizeMax, kScraps, random);
        const std::string complaint = test::check_http1(as_bytes(input));
        if (!complaint.empty()) {
            INFO("round " << round << ": " << complaint << "\n" << input);
            FAIL_CHECK();
        }
    }
}
