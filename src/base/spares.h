// SPDX-License-Identifier: GPL-3.0-or-later
// Memory for a C library that takes a buffer in nearly every call and gives it back at its end: the
// last few buffers that came back are kept for the next call.
//
//     constinit thread_local Spares spares;
//     void* piece = spares.take(size);        nullptr: no memory
//     piece = spares.resize(piece, size);     nullptr: no memory, and the old piece lives on
//     spares.give_back(piece);                any memory of malloc()'s, from any thread; or nullptr
//
// Under a sanitizer nothing is kept, so that it sees what is used after its time.
// Owner: whoever lends the functions to the library. Thread: one; what it keeps at its end is not
// freed, since the library may call until the very end of the process.
// Limits: kCount pieces from kPieceMin to kPieceMax; the rest goes to malloc() and free(). A piece
// is at most twice what was asked for.
#pragma once

#include <array>
#include <cstddef>

namespace knuckle {

class Spares {
public:
    static constexpr size_t kCount = 4;
    static constexpr size_t kPieceMin = 16;
    static constexpr size_t kPieceMax = 20 * 1'024;

    [[nodiscard]] void* take(size_t size);
    [[nodiscard]] void* resize(void* piece, size_t size);
    void give_back(void* piece);

private:
    struct Spare {
        void* piece = nullptr;
        size_t size = 0;  // 0: there is none
    };

    std::array<Spare, kCount> spares_;
    size_t next_ = 0;  // goes when all places are taken
};

}  // namespace knuckle
