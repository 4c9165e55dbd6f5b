// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/buffer.h"
#include "base/random.h"

using namespace knuckle;

namespace {

// `size` bytes in which no two neighbourhoods look alike.
std::string pattern(size_t size, size_t from = 0) {
    std::string text(size, '\0');
    for (size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>((from + i) * 31 + (from + i) / 251);
    }
    return text;
}

std::string contents(const Buffer& buffer) {
    std::vector<ByteView> views(64);
    const size_t count = buffer.views(views);
    REQUIRE(count < views.size());
    std::string text;
    for (size_t i = 0; i < count; ++i) {
        REQUIRE_FALSE(views[i].empty());
        text += as_text(views[i]);
    }
    std::string visited;
    buffer.for_each_view([&](ByteView view) { visited += as_text(view); });
    REQUIRE(visited == text);
    REQUIRE(text.size() == buffer.size());
    REQUIRE(buffer.is_empty() == text.empty());
    return text;
}

}  // namespace

TEST_CASE("what was appended comes out in order, across chunks", "[base][buffer]") {
    ChunkPool chunks;
    Buffer buffer(chunks);
    const std::string text = pattern(3 * Chunk::kSize + 100);
    size_t from = 0;
    for (const size_t size : {size_t{1},
                              Chunk::kSize - 2,
                              size_t{1},
                              size_t{0},
                              size_t{5},
                              2 * Chunk::kSize,
                              Chunk::kSize + 95}) {
        buffer.append(std::string_view(text).substr(from, size));
        from += size;
        REQUIRE(contents(buffer) == text.substr(0, from));
    }
    CHECK(buffer.size() == text.size());
    CHECK(chunks.taken() == 4);
}

TEST_CASE("an idle buffer holds no chunk", "[base][buffer]") {
    ChunkPool chunks;
    {
        Buffer buffer(chunks);
        CHECK(chunks.taken() == 0);
        buffer.append("");
        CHECK(chunks.taken() == 0);
        buffer.append("bytes");
        CHECK(chunks.taken() == 1);
        buffer.consume(4);
        CHECK(chunks.taken() == 1);
        buffer.consume(1);
        CHECK(chunks.taken() == 0);
        buffer.append(pattern(50'000));
        buffer.clear();
        CHECK(buffer.is_empty());
        CHECK(chunks.taken() == 0);
        CHECK(buffer.reserve(100).size() >= 100);
        buffer.commit(0);
        CHECK(chunks.taken() == 0);
        buffer.append("kept until the buffer ends");
    }
    CHECK(chunks.taken() == 0);
}

TEST_CASE("reserved room is written in place, and only what is committed counts",
          "[base][buffer]") {
    ChunkPool chunks;
    Buffer buffer(chunks);
    buffer.append("head ");
    MutableBytes room = buffer.reserve(10);
    REQUIRE(room.size() >= 10);
    copy_bytes(room.data(), as_bytes("body......"));
    buffer.commit(4);
    CHECK(contents(buffer) == "head body");

    // Room that does not fit the current chunk is in the next one, and whole.
    room = buffer.reserve(Chunk::kSize);
    REQUIRE(room.size() == Chunk::kSize);
    const std::string full = pattern(Chunk::kSize);
    copy_bytes(room.data(), as_bytes(full));
    buffer.commit(Chunk::kSize);
    CHECK(contents(buffer) == "head body" + full);
    CHECK(chunks.taken() == 2);
    buffer.append("!");
    CHECK(contents(buffer) == "head body" + full + "!");
    CHECK(chunks.taken() == 3);
}

TEST_CASE("room reserved and not used does no harm", "[base][buffer]") {
    ChunkPool chunks;
    Buffer buffer(chunks);
    buffer.append("abc");
    CHECK(buffer.reserve(Chunk::kSize).size() == Chunk::kSize);
    CHECK(contents(buffer) == "abc");
    buffer.append("def");
    CHECK(contents(buffer) == "abcdef");
    buffer.consume(3);
    CHECK(contents(buffer) == "def");
    CHECK(buffer.reserve(Chunk::kSize).size() == Chunk::kSize);
    buffer.consume(3);
    CHECK(chunks.taken() == 0);
}

TEST_CASE("consuming stops anywhere, also inside and at the end of a chunk", "[base][buffer]") {
    const std::string text = pattern(2 * Chunk::kSize + 10);
    for (const size_t step : {size_t{1'000}, Chunk::kSize - 1, Chunk::kSize, Chunk::kSize + 1}) {
        ChunkPool chunks;
        Buffer buffer(chunks);
        buffer.append(text);
        size_t consumed = 0;
        while (!buffer.is_empty()) {
            const size_t size = std::min(step, buffer.size());
            buffer.consume(size);
            consumed += size;
            REQUIRE(contents(buffer) == text.substr(consumed));
        }
        CHECK(consumed == text.size());
        CHECK(chunks.taken() == 0);
    }
}

TEST_CASE("views are at most as many as there is room for, from the front", "[base][buffer]") {
    ChunkPool chunks;
    Buffer buffer(chunks);
    const std::string text = pattern(5 * Chunk::kSize);
    buffer.append(text);
    std::array<ByteView, 2> views;
    REQUIRE(buffer.views(views) == 2);
    CHECK(as_text(views[0]) == text.substr(0, Chunk::kSize));
    CHECK(as_text(views[1]) == text.substr(Chunk::kSize, Chunk::kSize));
    CHECK(buffer.views({}) == 0);
    buffer.clear();
    CHECK(buffer.views(views) == 0);
}

TEST_CASE("splicing moves everything without copying", "[base][buffer]") {
    ChunkPool chunks;
    Buffer first(chunks);
    Buffer second(chunks);
    first.splice(second);
    CHECK(contents(first).empty());

    second.append("second");
    std::array<ByteView, 1> before;
    REQUIRE(second.views(before) == 1);
    first.splice(second);
    CHECK(contents(first) == "second");
    CHECK(contents(second).empty());
    std::array<ByteView, 1> after;
    REQUIRE(first.views(after) == 1);
    CHECK(after[0].data() == before[0].data());

    second.append(pattern(20'000));
    second.consume(100);
    first.splice(second);
    CHECK(contents(first) == "second" + pattern(19'900, 100));
    first.append(" and on");
    CHECK(contents(first) == "second" + pattern(19'900, 100) + " and on");
    second.append("again");
    CHECK(contents(second) == "again");
    first.splice(second);
    first.clear();
    CHECK(chunks.taken() == 0);
}

TEST_CASE("free chunks are kept for reuse, but not without limit", "[base][buffer]") {
    ChunkPool chunks;
    Buffer buffer(chunks);
    buffer.append("x");
    std::array<ByteView, 1> view;
    REQUIRE(buffer.views(view) == 1);
    const uint8_t* const bytes = view[0].data();
    buffer.clear();
    buffer.append("y");
    REQUIRE(buffer.views(view) == 1);
    CHECK(view[0].data() == bytes);
    CHECK(contents(buffer) == "y");

    // More chunks at a time than are kept.
    buffer.append(pattern((ChunkPool::kKeptMax + 20) * Chunk::kSize));
    CHECK(chunks.taken() == ChunkPool::kKeptMax + 21);
    buffer.clear();
    CHECK(chunks.taken() == 0);
}

TEST_CASE("a buffer agrees with a string over random operations", "[base][buffer]") {
    Random random(3);
    ChunkPool chunks;
    Buffer buffer(chunks);
    Buffer other(chunks);
    std::string expected;
    size_t written = 0;
    for (int step = 0; step < 3'000; ++step) {
        const size_t size = random.below(random.below(4) == 0 ? 20'000 : 300);
        const std::string text = pattern(size, written);
        switch (random.below(5)) {
            case 0:
                buffer.append(text);
                expected += text;
                break;
            case 1: {
                const size_t room_size = std::min(size, Chunk::kSize);
                const MutableBytes room = buffer.reserve(room_size);
                REQUIRE(room.size() >= room_size);
                const size_t used = random.below(room_size + 1);
                copy_bytes(room.data(), as_bytes(text).first(used));
                buffer.commit(used);
                expected += text.substr(0, used);
                break;
            }
            case 2:
                other.append(text);
                buffer.splice(other);
                expected += text;
                break;
            default: {
                const size_t used = std::min(size * 2, buffer.size());
                buffer.consume(used);
                expected.erase(0, used);
                break;
            }
        }
        written += size;
        REQUIRE(contents(buffer) == expected);
        if (expected.empty()) REQUIRE(chunks.taken() == 0);
        if (expected.size() > 500'000) {
            buffer.clear();
            expected.clear();
        }
    }
}
