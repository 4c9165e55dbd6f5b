// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "api/percent.h"

using namespace knuckle;
using api::PlusSign;

namespace {

std::string decode(std::string_view text, PlusSign plus) {
    api::Scratch scratch;
    scratch.reset(text.size());
    return std::string(api::percent_decode(text, plus, scratch));
}

}  // namespace

TEST_CASE("Percent-encoded bytes are decoded, in either case", "[api][percent]") {
    CHECK(decode("a%2Fb%2fc", PlusSign::literal) == "a/b/c");
    CHECK(decode("%e2%82%AC", PlusSign::literal) == "\xE2\x82\xAC");
    CHECK(decode("%00", PlusSign::literal) == std::string(1, '\0'));
}

TEST_CASE("A percent sign without two digits stands for itself", "[api][percent]") {
    CHECK(decode("100%", PlusSign::literal) == "100%");
    CHECK(decode("%4", PlusSign::literal) == "%4");
    CHECK(decode("%zz%41", PlusSign::literal) == "%zzA");
    CHECK(decode("%%41", PlusSign::literal) == "%A");
}

TEST_CASE("A plus sign is a space in forms only", "[api][percent]") {
    CHECK(decode("a+b", PlusSign::literal) == "a+b");
    CHECK(decode("a+b%2B", PlusSign::means_space) == "a b+");
}

TEST_CASE("A text with nothing to decode is not copied", "[api][percent]") {
    api::Scratch scratch;
    const std::string_view text = "dd43cf2510414e44";
    CHECK(api::percent_decode(text, PlusSign::means_space, scratch).data() == text.data());
}
