// SPDX-License-Identifier: GPL-3.0-or-later
// The fuzz target's check over its corpus, and over mutations of it that are the same in every run.
#include "tests/fuzz/api_body_fuzz.cc"  // g++ has no fuzzer for it; so it is compiled at least

#include <algorithm>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/random.h"
#include "tests/support/api_oracle.h"
#include "tests/support/corpus.h"
#include "tests/support/mutate.h"

using namespace knuckle;

namespace {

const std::string kScraps[] = {"{",
                               "}",
                               "[",
                               "]",
                               "\"",
                               ":",
                               ",",
                               "\\",
                               "\\u",
                               "\\ud83d",
                               "\\udc00",
                               "\\u0000",
                               "-",
                               ".",
                               "e",
                               "0",
                               "1",
                               "null",
                               "true",
                               "NaN",
                               "1e999",
                               "token",
                               "data",
                               "priority",
                               "high",
                               "username",
                               "email",
                               "active",
                               "name",
                               "registration_id",
                               "&",
                               "=",
                               "%",
                               "%00",
                               "%C3%A4",
                               "+",
                               "\r\n",
                               "--b",
                               "--",
                               "\r\n--b\r\n",
                               " ",
                               "\t",
                               "\xC2\xA0",
                               "\xE3\x80\x80",
                               "\xC3",
                               "\xFF",
                               "\xED\xA0\x80",
                               "/",
                               "/api/v1/",
                               ";q=0",
                               "Content-Disposition: form-data; name=\"token\"\r\n\r\n",
                               "\"data\":{",
                               "\"\":",
                               std::string(1, '\0'),
                               "\x01",
                               "\x7f"};

void check(size_t round, const std::string& input) {
    const std::string complaint = test::check_api_body(as_bytes(input));
    if (complaint.empty()) return;
    INFO("round " << round << ": " << complaint << "\n" << input);
    FAIL_CHECK();
}

}  // namespace

TEST_CASE("Every input of the corpus keeps the decoder's promises", "[api][fuzz]") {
    const std::vector<std::string> corpus = test::read_corpus("api_body");
    REQUIRE(corpus.size() > 20);
    for (size_t i = 0; i < corpus.size(); ++i) check(i, corpus[i]);
    CHECK(LLVMFuzzerTestOneInput(as_bytes(corpus.front()).data(), corpus.front().size()) == 0);
}

TEST_CASE("So does every beginning of it", "[api][fuzz]") {
    for (const std::string& input : test::read_corpus("api_body")) {
        for (size_t size = 0; size < std::min<size_t>(input.size(), 400); ++size)
            check(size, input.substr(0, size));
    }
}

TEST_CASE("So do thousands of mutations of it", "[api][fuzz]") {
    const std::vector<std::string> corpus = test::read_corpus("api_body");
    constexpr size_t kRounds = 20'000;
    constexpr size_t kSizeMax = 600;
    Random random(1);
    for (size_t round = 0; round < kRounds; ++round) {
        const std::string input = test::mutant_of(corpus, kSizeMax, kScraps, random);
        check(round, input);
    }
}

TEST_CASE("So does noise", "[api][fuzz]") {
    constexpr size_t kRounds = 5'000;
    Random random(2);
    for (size_t round = 0; round < kRounds; ++round) {
        std::string input(1 + random.below(100), '\0');
        for (char& c : input) c = static_cast<char>(random.below(256));
        check(round, input);
    }
}
