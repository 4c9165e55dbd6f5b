// SPDX-License-Identifier: GPL-3.0-or-later
#include <cstdint>
#include <cstring>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/random.h"
#include "base/recycler.h"
#include "base/sanitizer.h"

using namespace knuckle;

TEST_CASE("A piece that came back is handed out again to whoever asks for its size", "[recycler]") {
    Recycler recycler;
    void* const stream = recycler.take(224);
    void* const item = recycler.take(160);
    CHECK(stream != item);
    recycler.give_back(stream);
    recycler.give_back(item);
    if (!kIsSanitized) {
        void* const again = recycler.take(200);
        CHECK(again == stream);
        recycler.give_back(again);
    }
    CHECK(recycler.taken() == 0);
}

TEST_CASE("A piece that grows keeps what was in it", "[recycler]") {
    const size_t size = GENERATE(1, 31, 32, 100, Recycler::kPieceMax, 10'000);
    Recycler recycler;
    void* piece = recycler.resize(nullptr, size);
    std::memset(piece, 'x', size);
    for (const size_t larger : {size + 1, size + 100, 2 * size + 600}) {
        piece = recycler.resize(piece, larger);
        const auto* const bytes = static_cast<const char*>(piece);
        CHECK(std::vector<char>(bytes, bytes + size) == std::vector<char>(size, 'x'));
        std::memset(piece, 'x', larger);
    }
    recycler.give_back(piece);
    recycler.give_back(nullptr);
    CHECK(recycler.taken() == 0);
}

TEST_CASE("A size that no address could hold is refused", "[recycler]") {
    Recycler recycler;
    CHECK(recycler.take(SIZE_MAX) == nullptr);
    CHECK(recycler.take(SIZE_MAX - sizeof(void*)) == nullptr);
    CHECK(recycler.taken() == 0);
}

TEST_CASE("Pieces in use at once never overlap", "[recycler]") {
    struct Piece {
        uint8_t* bytes;
        size_t size;
        uint8_t mark;
    };
    Recycler recycler;
    Random random(1);
    std::vector<Piece> pieces;
    const auto give_back = [&](size_t which) {
        const Piece piece = pieces[which];
        pieces[which] = pieces.back();
        pieces.pop_back();
        for (size_t i = 0; i < piece.size; ++i) REQUIRE(piece.bytes[i] == piece.mark);
        recycler.give_back(piece.bytes);
    };
    for (size_t round = 0; round < 3'000; ++round) {
        if (pieces.size() < 100 && random.below(2) == 0) {
            const size_t size = random.below(700);
            auto* const bytes = static_cast<uint8_t*>(recycler.take(size));
            REQUIRE(bytes != nullptr);
            CHECK(reinterpret_cast<uintptr_t>(bytes) % alignof(std::max_align_t) == 0);
            pieces.push_back({bytes, size, static_cast<uint8_t>(round)});
            if (size > 0) std::memset(bytes, static_cast<uint8_t>(round), size);
        } else if (!pieces.empty()) {
            give_back(random.below(pieces.size()));
        }
        CHECK(recycler.taken() == pieces.size());
    }
    while (!pieces.empty()) give_back(0);
}
