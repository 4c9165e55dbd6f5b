// SPDX-License-Identifier: GPL-3.0-or-later
// The fuzz target's check over its corpus, over mutations of it, and over frames drawn at random;
// the same in every run.
#include <algorithm>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/random.h"
#include "tests/support/corpus.h"
#include "tests/support/http2_frames.h"
#include "tests/support/http2_oracle.h"
#include "tests/support/mutate.h"

using namespace knuckle;
using namespace knuckle::test;
using namespace knuckle::test::frames;

namespace {

void check(const std::string& input, size_t round) {
    const std::string complaint = check_http2(as_bytes(input));
    if (complaint.empty()) return;
    std::string hex;
    for (const char octet : input)
        hex += "0123456789abcdef"[(octet >> 4) & 15], hex += "0123456789abcdef"[octet & 15];
    INFO("round " << round << ": " << complaint << "\n" << hex);
    FAIL_CHECK();
}

// A frame that makes sense more often than not, for streams that may be open.
std::string draw_frame(Random& random) {
    const auto stream =
        static_cast<uint32_t>(random.below(8) == 0 ? random.below(12) : 1 + 2 * random.below(4));
    const auto flag = [&](uint8_t value) { return random.below(2) == 0 ? value : uint8_t{0}; };
    const auto small = [&] {
        return static_cast<uint32_t>(random.below(4) == 0 ? random.next() : random.below(9));
    };
    static const char* const kStatuses[] = {
        "200", "200", "200", "400", "410", "100", "103", "99", "2000"};
    std::string noise(random.below(30), '\0');
    for (char& octet : noise) octet = static_cast<char>(random.below(256));
    switch (random.below(12)) {
        case 0:
        case 1:
            return headers(stream,
                           {{":status", kStatuses[random.below(std::size(kStatuses))]},
                            {"retry-after", noise.substr(0, random.below(2))}},
                           static_cast<uint8_t>(kEndHeaders | flag(kEndStream)));
        case 2:
            return headers(
                stream, {{":status", "200"}}, static_cast<uint8_t>(kEndHeaders | kEndStream));
        case 3:
            return data(stream, noise, flag(kEndStream));
        case 4:
            return padded_data(
                stream, noise, static_cast<uint8_t>(random.below(20)), flag(kEndStream));
        case 5:
            return rst_stream(stream, small());
        case 6:
            return settings({{static_cast<uint16_t>(random.below(10)), small()},
                             {kMaxConcurrentStreams, small()}});
        case 7:
            return ping(flag(kAck));
        case 8:
            return random.below(4) == 0
                       ? goaway(static_cast<uint32_t>(1 + 2 * random.below(6)), small(), noise)
                       : settings_ack();
        case 9:
            return window_update(random.below(2) == 0 ? 0 : stream, 1 + small() % 0x7fff'ffff);
        case 10:
            return frame(kHeaders, flag(kEndStream), stream, block({{":status", "200"}})) +
                   frame(kContinuation, flag(kEndHeaders), stream, block({{"a", "b"}}));
        default:
            return frame(static_cast<uint8_t>(random.below(20)),
                         static_cast<uint8_t>(random.next()),
                         stream,
                         noise);
    }
}

}  // namespace

TEST_CASE("Every input of the corpus keeps the session's rules", "[http2][fuzz]") {
    const std::vector<std::string> corpus = test::read_corpus("http2");
    REQUIRE(corpus.size() > 20);
    for (size_t i = 0; i < corpus.size(); ++i) check(corpus[i], i);
}

TEST_CASE("So do mutations of it", "[http2][fuzz]") {
    const std::vector<std::string> corpus = test::read_corpus("http2");
    constexpr size_t kRounds = 400;
    constexpr size_t kSizeMax = 400;
    Random random(1);
    for (size_t round = 0; round < kRounds; ++round) {
        const std::string input = mutant_of(corpus, kSizeMax, {}, random);
        check(input, round);
    }
}

TEST_CASE("So do frames drawn at random", "[http2][fuzz]") {
    constexpr size_t kRounds = 600;
    Random random(2);
    for (size_t round = 0; round < kRounds; ++round) {
        std::string input =
            settings({{kMaxConcurrentStreams, static_cast<uint32_t>(random.below(6))}});
        for (size_t frames = 1 + random.below(14); frames > 0; --frames)
            input += draw_frame(random);
        check(input, round);
    }
}
