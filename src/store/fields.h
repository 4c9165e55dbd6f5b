// SPDX-License-Identifier: GPL-3.0-or-later
// The fields that records consist of, read from the front and written at the end. Their grammar is
// that of store/schema.h.
//
//     FieldWriter(storage).uuid(id).text(name, kNameMax).bytes()       empty: a limit was broken
//     FieldReader fields(plain); ...; fields.is_complete()             false: no such record
//
// A reader or writer that met something unfit goes on without effect, so one look at its end is
// enough. A field has one encoding only; a reader takes no other.
// Owner and thread: the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/time.h"
#include "base/uuid.h"

namespace knuckle::store {

inline constexpr size_t kUuidSize = 16;

// Little endian, wherever it lies.
template <typename Int>
Int load(ByteView bytes) {
    Int value = 0;
    for (size_t i = sizeof(Int); i-- > 0;) value = static_cast<Int>(value << 8 | bytes[i]);
    return value;
}
template <typename Int>
void save(uint8_t* to, Int value) {
    for (size_t i = 0; i < sizeof(Int); ++i) to[i] = static_cast<uint8_t>(value >> (8 * i));
}

// Text as it lies in a record: secrets of hexadecimal digits as the bytes they stand for. A view:
// lives as long as the plain bytes it was decoded from.
struct PackedText {
    ByteView bytes;
    bool is_hex = false;

    [[nodiscard]] size_t size() const { return is_hex ? 2 * bytes.size() : bytes.size(); }
    void copy_to(char* to) const;
    [[nodiscard]] std::string text() const;
};

class FieldReader {
public:
    explicit FieldReader(ByteView plain) : rest_(plain) {}

    uint8_t byte() { return integer<uint8_t>(); }
    uint64_t number() { return integer<uint64_t>(); }
    UnixTime time() { return {static_cast<int64_t>(integer<uint64_t>())}; }
    UnixTime seconds() { return from_unix_seconds(integer<uint32_t>()); }
    Uuid uuid();
    std::string_view text(size_t size_max);
    PackedText packed(size_t size_max);

    // All was read, and all was sound.
    [[nodiscard]] bool is_complete() const { return is_sound_ && rest_.empty(); }

private:
    void spoil();
    ByteView take(size_t size);
    size_t count();
    template <typename Int>
    Int integer() {
        const ByteView bytes = take(sizeof(Int));
        return bytes.empty() ? Int{0} : load<Int>(bytes);
    }

    ByteView rest_;
    bool is_sound_ = true;
};

// `storage` must have room for every field that is within its limit.
class FieldWriter {
public:
    explicit FieldWriter(MutableBytes storage) : storage_(storage) {}

    FieldWriter& byte(uint8_t value) { return integer(value); }
    FieldWriter& number(uint64_t value) { return integer(value); }
    FieldWriter& time(UnixTime time) { return integer(static_cast<uint64_t>(time.us)); }
    // Unfit are parts of a second, and what 32 bits do not count.
    FieldWriter& seconds(UnixTime time);
    FieldWriter& uuid(const Uuid& uuid);
    FieldWriter& text(std::string_view text, size_t size_max);
    FieldWriter& packed(std::string_view text, size_t size_max);

    [[nodiscard]] ByteView bytes() const;

private:
    MutableBytes grow(size_t size);
    void count(size_t value);
    template <typename Int>
    FieldWriter& integer(Int value) {
        save(grow(sizeof(Int)).data(), value);
        return *this;
    }

    MutableBytes storage_;
    size_t size_ = 0;
    bool is_sound_ = true;
};

}  // namespace knuckle::store
