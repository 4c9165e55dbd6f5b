// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/fields.h"

#include "base/assert.h"
#include "base/text.h"

namespace knuckle::store {

namespace {

bool is_packable(std::string_view text) {
    return !text.empty() && text.size() % 2 == 0 && is_lower_hex(text);
}

}  // namespace

void PackedText::copy_to(char* to) const {
    if (is_hex) {
        encode_hex(bytes, to);
    } else {
        copy_bytes(reinterpret_cast<uint8_t*>(to), bytes);
    }
}

std::string PackedText::text() const {
    return is_hex ? to_hex(bytes) : std::string(as_text(bytes));
}

Uuid FieldReader::uuid() {
    Uuid uuid;
    copy_bytes(uuid.bytes.data(), take(kUuidSize));
    return uuid;
}

std::string_view FieldReader::text(size_t size_max) {
    const size_t size = count();
    if (size > size_max) spoil();
    return as_text(take(size));
}

PackedText FieldReader::packed(size_t size_max) {
    const size_t value = count();
    const PackedText text{take(value / 2), value % 2 == 1};
    const bool is_canonical = text.is_hex ? !text.bytes.empty() : !is_packable(as_text(text.bytes));
    if (text.size() > size_max || !is_canonical) spoil();
    return text;
}

void FieldReader::spoil() {
    is_sound_ = false;
    rest_ = {};
}

ByteView FieldReader::take(size_t size) {
    if (size > rest_.size()) {
        spoil();
        return {};
    }
    const ByteView bytes = rest_.first(size);
    rest_ = rest_.subspan(size);
    return bytes;
}

size_t FieldReader::count() {
    size_t value = 0;
    for (unsigned shift = 0; shift <= 14; shift += 7) {
        const uint8_t next = byte();
        value |= size_t{next & 0x7fU} << shift;
        if ((next & 0x80) != 0) continue;
        if (next == 0 && shift > 0) break;  // could have been shorter
        return value;
    }
    spoil();
    return 0;
}

FieldWriter& FieldWriter::seconds(UnixTime time) {
    const auto count = static_cast<uint32_t>(to_unix_seconds(time));
    if (from_unix_seconds(count) != time) is_sound_ = false;
    return integer(count);
}

FieldWriter& FieldWriter::uuid(const Uuid& uuid) {
    copy_bytes(grow(kUuidSize).data(), uuid.view());
    return *this;
}

FieldWriter& FieldWriter::text(std::string_view text, size_t size_max) {
    if (text.size() > size_max) is_sound_ = false;
    if (!is_sound_) return *this;
    count(text.size());
    copy_bytes(grow(text.size()).data(), as_bytes(text));
    return *this;
}

FieldWriter& FieldWriter::packed(std::string_view text, size_t size_max) {
    if (text.size() > size_max) is_sound_ = false;
    if (!is_sound_) return *this;
    if (!is_packable(text)) {
        count(2 * text.size());
        copy_bytes(grow(text.size()).data(), as_bytes(text));
        return *this;
    }
    count(text.size() + 1);
    const bool is_hex = decode_hex(text, grow(text.size() / 2));
    KNUCKLE_ASSERT(is_hex);
    return *this;
}

ByteView FieldWriter::bytes() const {
    return is_sound_ ? ByteView(storage_).first(size_) : ByteView();
}

MutableBytes FieldWriter::grow(size_t size) {
    KNUCKLE_ASSERT(size <= storage_.size() - size_);
    size_ += size;
    return storage_.subspan(size_ - size, size);
}

void FieldWriter::count(size_t value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<uint8_t>(value | 0x80));
    byte(static_cast<uint8_t>(value));
}

}  // namespace knuckle::store
