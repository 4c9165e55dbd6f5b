// SPDX-License-Identifier: GPL-3.0-or-later
#include <cstdlib>
#include <cstring>
#include <set>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/random.h"
#include "base/sanitizer.h"
#include "base/spares.h"

using namespace knuckle;

namespace {

// Gives the pieces it keeps back to malloc(), for the sake of tools that look for leaks.
struct Kept : Spares {
    ~Kept() {
        for (size_t size = kPieceMin; size <= 2 * kPieceMax; size *= 2) {
            for (size_t i = 0; i < kCount; ++i) std::free(take(size));
        }
    }
};

}  // namespace

TEST_CASE("The buffer of the last call serves the next", "[spares]") {
    Kept spares;
    void* const first = spares.take(700);
    spares.give_back(first);
    void* const second = spares.take(650);
    if (!kIsSanitized) CHECK(second == first);
    spares.give_back(second);
}

TEST_CASE("A large buffer is not given away for a small one", "[spares]") {
    Kept spares;
    void* const large = spares.take(16'000);
    spares.give_back(large);
    void* const small = spares.take(100);
    CHECK(small != large);
    void* const again = spares.take(15'000);
    if (!kIsSanitized) CHECK(again == large);
    spares.give_back(small);
    spares.give_back(again);
}

TEST_CASE("What the calls need now displaces what they needed before", "[spares]") {
    Kept spares;
    std::vector<void*> pieces;
    for (size_t i = 0; i < Spares::kCount; ++i) pieces.push_back(spares.take(5'000));
    for (void* const piece : pieces) spares.give_back(piece);
    void* const small = spares.take(200);
    spares.give_back(small);
    void* const again = spares.take(200);
    if (!kIsSanitized) CHECK(again == small);
    spares.give_back(again);
}

TEST_CASE("Memory of malloc()'s is taken back, and what is resized stays in one piece",
          "[spares]") {
    Kept spares;
    spares.give_back(nullptr);
    spares.give_back(std::malloc(1'000));
    auto* piece = static_cast<char*>(spares.take(100));
    std::memset(piece, 'x', 100);
    piece = static_cast<char*>(spares.resize(piece, 10'000));
    CHECK(std::string_view(piece, 100) == std::string(100, 'x'));
    spares.give_back(piece);
}

TEST_CASE("No two buffers in use are the same", "[spares]") {
    Kept spares;
    Random random(1);
    std::set<void*> in_use;
    for (int round = 0; round < 2'000; ++round) {
        if (in_use.size() < 10 && random.below(2) == 0) {
            const size_t size = 1 + random.below(25'000);
            void* const piece = spares.take(size);
            REQUIRE(piece != nullptr);
            std::memset(piece, 1, size);
            CHECK(in_use.insert(piece).second);
        } else if (!in_use.empty()) {
            spares.give_back(*in_use.begin());
            in_use.erase(in_use.begin());
        }
    }
    for (void* const piece : in_use) spares.give_back(piece);
}
