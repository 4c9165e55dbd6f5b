// SPDX-License-Identifier: GPL-3.0-or-later
// Bytes on their way out: a chain of 8 KiB chunks from a free list, filled by appending, sent with
// one vectored write, consumed from the front as the kernel takes them.
//
//     ChunkPool chunks;                        one per worker
//     Buffer out(chunks);
//     out.append(bytes);                       copies
//     MutableBytes room = out.reserve(n); ...; out.commit(used);      n <= Chunk::kSize
//     size_t count = out.views(vectors); ...; out.consume(sent);
//
// Owner: one connection; the chunks return to the pool when consumed or when the buffer ends.
// Thread: one.  Limit: none of its own; whoever fills it checks size() against a limit.
// Invariant: an empty buffer holds no chunk, so an idle connection costs none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace knuckle {

// Two pages of memory. Most hold one answer and are used in their first page only, but all that are
// kept are used to their end some day.
struct Chunk {
    static constexpr size_t kSize = 8 * 1024 - 16;

    Chunk* next = nullptr;
    uint32_t begin = 0;  // first byte not yet consumed
    uint32_t end = 0;    // one past the last byte written
    uint8_t bytes[kSize];
};
static_assert(sizeof(Chunk) == 8 * 1024);

// Keeps up to kKeptMax free chunks for reuse and frees the rest.
class ChunkPool {
public:
    static constexpr size_t kKeptMax = 64;

    ChunkPool() = default;
    ChunkPool(const ChunkPool&) = delete;
    ChunkPool& operator=(const ChunkPool&) = delete;
    ~ChunkPool();

    [[nodiscard]] Chunk* take();
    void give_back(Chunk* chunk);

    // Chunks handed out and not yet back; 0 once every buffer has ended.
    [[nodiscard]] size_t taken() const { return taken_; }

private:
    Chunk* free_ = nullptr;
    size_t kept_ = 0;
    size_t taken_ = 0;
};

class Buffer {
public:
    explicit Buffer(ChunkPool& pool) : pool_(&pool) {}
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { clear(); }

    void append(ByteView bytes);
    void append(std::string_view text) { append(as_bytes(text)); }

    // Contiguous room for `size` bytes (at most Chunk::kSize); commit() what was written of it.
    [[nodiscard]] MutableBytes reserve(size_t size);
    void commit(size_t size);

    // Moves everything from `other` to the end of this buffer without copying.
    void splice(Buffer& other);

    // Fills `views` with the first unconsumed pieces and returns how many there are.
    [[nodiscard]] size_t views(std::span<ByteView> views) const;
    // Visits all unconsumed pieces, in order.
    template <typename Visit>
    void for_each_view(Visit visit) const {
        for (const Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
            const ByteView view{chunk->bytes + chunk->begin, chunk->end - chunk->begin};
            if (!view.empty()) visit(view);
        }
    }
    void consume(size_t size);
    void clear();

    [[nodiscard]] size_t size() const { return size_; }
    [[nodiscard]] bool is_empty() const { return size_ == 0; }

private:
    void push_chunk();
    void pop_chunk();

    ChunkPool* pool_;
    Chunk* first_ = nullptr;
    Chunk* last_ = nullptr;
    size_t size_ = 0;
};

}  // namespace knuckle
