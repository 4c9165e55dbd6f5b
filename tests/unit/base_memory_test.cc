// SPDX-License-Identifier: GPL-3.0-or-later
#include <memory>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/memory.h"

namespace knuckle {

TEST_CASE("giving memory back touches nothing that lives") {
    std::vector<std::unique_ptr<std::string>> pieces;
    for (size_t i = 0; i < 1'000; ++i)
        pieces.push_back(std::make_unique<std::string>(i, static_cast<char>('a' + i % 26)));
    for (size_t i = 0; i < pieces.size(); i += 2) pieces[i].reset();
    give_back_freed_memory();
    for (size_t i = 1; i < pieces.size(); i += 2)
        REQUIRE(*pieces[i] == std::string(i, static_cast<char>('a' + i % 26)));
    for (size_t i = 0; i < pieces.size(); i += 2) pieces[i] = std::make_unique<std::string>(i, 'z');
    REQUIRE(*pieces[998] == std::string(998, 'z'));
}

}  // namespace knuckle
