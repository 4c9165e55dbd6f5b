// SPDX-License-Identifier: GPL-3.0-or-later
// Memory for a C library that asks for a few small pieces with every request and soon gives them
// back: what comes back is kept, by size, and handed out again.
//
//     Recycler recycler;
//     void* piece = recycler.take(size);       aligned like malloc()'s; nullptr: no memory
//     piece = recycler.resize(piece, size);    nullptr: no memory, and the old piece lives on
//     recycler.give_back(piece);               nullptr is fine
//
// Under a sanitizer nothing is kept, so that it sees what is used after its time.
// Owner: who gives its functions to the library; all pieces must be back before it ends.
// Thread: one.  Limits: pieces up to kPieceMax are kept, and of each size as many as were in use at
// once, at most kKeptMax; the rest is malloc()'s.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace knuckle {

class Recycler {
public:
    static constexpr size_t kPieceMax = 512;
    static constexpr size_t kKeptMax = 1'024;

    Recycler() = default;
    Recycler(const Recycler&) = delete;
    Recycler& operator=(const Recycler&) = delete;
    ~Recycler();

    [[nodiscard]] void* take(size_t size);
    [[nodiscard]] void* resize(void* piece, size_t size);
    void give_back(void* piece);

    // Pieces handed out and not yet back.
    [[nodiscard]] size_t taken() const { return taken_; }

private:
    // In front of each piece.
    struct alignas(std::max_align_t) Head {
        Head* next;   // while it is kept
        size_t size;  // of the piece
    };
    struct Shelf {
        Head* first = nullptr;
        size_t count = 0;
    };
    // Pieces are cut in these steps.
    static constexpr size_t kStep = 32;

    std::array<Shelf, kPieceMax / kStep> shelves_;
    size_t taken_ = 0;
};

}  // namespace knuckle
