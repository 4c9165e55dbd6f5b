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

using namespace knuckle;

namespace {

// One small change of the kind that parsers disagree about.
void mutate(std::string& text, const std::vector<std::string>& corpus, Random& random) {
    static const std::string kScraps[] = {"\r\n",
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
    const size_t at = random.below(text.size() + 1);
    switch (random.below(5)) {
        case 0:
            text.insert(at, kScraps[random.below(std::size(kScraps))]);
            break;
        case 1:
            text.erase(at, 1 + random.below(8));
            break;
        case 2:
            if (at < text.size()) text[at] = static_cast<char>(random.below(256));
            break;
        case 3: {
            const std::string& other = corpus[random.below(corpus.size())];
            text.replace(at, std::string::npos, other, random.below(other.size() + 1));
            break;
        }
        default:
            text.insert(at, text.substr(random.below(text.size() + 1), random.below(40)));
            break;
    }
}

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
        std::string input = corpus[random.below(corpus.size())].substr(0, kSizeMax);
        for (size_t changes = 1 + random.below(3); changes > 0; --changes)
            mutate(input, corpus, random);
        const std::string complaint = test::check_http1(as_bytes(input));
        if (!complaint.empty()) {
            INFO("round " << round << ": " << complaint << "\n" << input);
            FAIL_CHECK();
        }
    }
}
