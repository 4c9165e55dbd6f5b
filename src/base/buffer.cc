// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/buffer.h"

#include <algorithm>

#include "base/assert.h"

namespace knuckle {

ChunkPool::~ChunkPool() {
    KNUCKLE_ASSERT(taken_ == 0);
    while (free_ != nullptr) {
        Chunk* const next = free_->next;
        delete free_;
        free_ = next;
    }
}

Chunk* ChunkPool::take() {
    ++taken_;
    if (free_ == nullptr) return new Chunk;
    Chunk* const chunk = free_;
    free_ = chunk->next;
    --kept_;
    chunk->next = nullptr;
    chunk->begin = chunk->end = 0;
    return chunk;
}

void ChunkPool::give_back(Chunk* chunk) {
    --taken_;
    if (kept_ == kKeptMax) {
        delete chunk;
        return;
    }
    chunk->next = free_;
    free_ = chunk;
    ++kept_;
}

void Buffer::append(ByteView bytes) {
    while (!bytes.empty()) {
        if (last_ == nullptr || last_->end == Chunk::kSize) push_chunk();
        const size_t size = std::min(bytes.size(), Chunk::kSize - last_->end);
        copy_bytes(last_->bytes + last_->end, bytes.first(size));
        commit(size);
        bytes = bytes.subspan(size);
    }
}

MutableBytes Buffer::reserve(size_t size) {
    KNUCKLE_ASSERT(size <= Chunk::kSize);
    if (last_ == nullptr || Chunk::kSize - last_->end < size) push_chunk();
    return {last_->bytes + last_->end, Chunk::kSize - last_->end};
}

void Buffer::commit(size_t size) {
    KNUCKLE_ASSERT(last_ != nullptr && size <= Chunk::kSize - last_->end);
    last_->end += static_cast<uint32_t>(size);
    size_ += size;
    if (size_ == 0) clear();
}

void Buffer::splice(Buffer& other) {
    KNUCKLE_ASSERT(pool_ == other.pool_ && this != &other);
    if (other.first_ == nullptr) return;
    if (last_ == nullptr) {
        first_ = other.first_;
    } else {
        last_->next = other.first_;
    }
    last_ = other.last_;
    size_ += other.size_;
    other.first_ = other.last_ = nullptr;
    other.size_ = 0;
}

size_t Buffer::views(std::span<ByteView> views) const {
    size_t count = 0;
    for (const Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
        if (count == views.size()) break;
        if (chunk->begin == chunk->end) continue;
        views[count++] = {chunk->bytes + chunk->begin, chunk->end - chunk->begin};
    }
    return count;
}

void Buffer::consume(size_t size) {
    KNUCKLE_ASSERT(size <= size_);
    size_ -= size;
    while (size > 0) {
        const size_t here = std::min<size_t>(size, first_->end - first_->begin);
        first_->begin += static_cast<uint32_t>(here);
        size -= here;
        if (first_->begin == first_->end) pop_chunk();
    }
    if (size_ == 0) clear();
}

void Buffer::clear() {
    while (first_ != nullptr) pop_chunk();
    size_ = 0;
}

void Buffer::push_chunk() {
    Chunk* const chunk = pool_->take();
    if (last_ == nullptr) {
        first_ = chunk;
    } else {
        last_->next = chunk;
    }
    last_ = chunk;
}

void Buffer::pop_chunk() {
    Chunk* const chunk = first_;
    first_ = chunk->next;
    if (first_ == nullptr) last_ = nullptr;
    pool_->give_back(chunk);
}

}  // namespace knuckle
