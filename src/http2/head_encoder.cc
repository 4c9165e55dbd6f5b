// SPDX-License-Identifier: GPL-3.0-or-later
#include "http2/head_encoder.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace knuckle::http2 {

namespace {

// How a field begins, and how many bits of that octet the number after it has (RFC 7541 section 6).
struct Form {
    uint8_t octet;
    unsigned bits;
};
constexpr Form kIndexed{0x80, 7};
constexpr Form kEntersTable{0x40, 6};
constexpr Form kTableSize{0x20, 5};
constexpr Form kNeverIndexed{0x10, 4};
constexpr Form kNotIndexed{0x00, 4};
// In front of a text: its size, and that it is not Huffman code.
constexpr Form kPlainText{0x00, 7};

// The static table (appendix A), as far as requests of ours need it.
constexpr size_t kStaticCount = 61;
constexpr size_t kNewName = 0;
constexpr size_t kAuthority = 1;
constexpr size_t kMethodPost = 3;
constexpr size_t kPath = 4;
constexpr size_t kSchemeHttps = 7;
constexpr size_t kAuthorization = 23;

// The form's octet and three more are enough for any number below two million.
constexpr size_t kNumberSizeMax = 4;

size_t largest(Form form) { return (size_t{1} << form.bits) - 1; }

uint8_t* put_number(Form form, size_t number, uint8_t* to) {
    const size_t largest_here = largest(form);
    if (number < largest_here) {
        *to++ = static_cast<uint8_t>(form.octet | number);
        return to;
    }
    *to++ = static_cast<uint8_t>(form.octet | largest_here);
    for (number -= largest_here; number >= 128; number /= 128)
        *to++ = static_cast<uint8_t>(128 | number % 128);
    *to++ = static_cast<uint8_t>(number);
    return to;
}

uint8_t* put_text(std::string_view text, uint8_t* to) {
    to = put_number(kPlainText, text.size(), to);
    copy_bytes(to, as_bytes(text));
    return to + text.size();
}

uint8_t* put_literal(Form form, size_t name_index, const HeaderField& field, uint8_t* to) {
    to = put_number(form, name_index, to);
    if (name_index == kNewName) to = put_text(field.name, to);
    return put_text(field.value, to);
}

size_t literal_size_max(std::string_view name, std::string_view value) {
    return 3 * kNumberSizeMax + name.size() + value.size();
}

}  // namespace

size_t HeadEncoder::size_max(const RequestHead& head) {
    size_t size = 2 + literal_size_max({}, head.authority) + literal_size_max({}, head.path);
    for (size_t i = 0; i < head.fields_count; ++i)
        size += literal_size_max(head.fields[i].name, head.fields[i].value);
    return size;
}

uint8_t* HeadEncoder::encode(const RequestHead& head, uint8_t* to) {
    next_ = 0;
    to = put_number(kIndexed, kMethodPost, to);
    to = put_number(kIndexed, kSchemeHttps, to);
    to = put({":authority", head.authority, Indexing::allowed}, kAuthority, to);
    to = put_literal(kNotIndexed, kPath, {":path", head.path}, to);
    for (size_t i = 0; i < head.fields_count; ++i) {
        const HeaderField& field = head.fields[i];
        to = put(field, field.name == "authorization" ? kAuthorization : kNewName, to);
    }
    return to;
}

size_t HeadEncoder::index_of(size_t entry) const { return kStaticCount + table_.size() - entry; }

uint8_t* HeadEncoder::put(const HeaderField& field, size_t name_index, uint8_t* to) {
    if (field.indexing == Indexing::never) return put_literal(kNeverIndexed, name_index, field, to);
    bool is_name_known = false;
    size_t at = next_;
    for (size_t rest = table_.size(); rest > 0; --rest, ++at) {
        if (at == table_.size()) at = 0;
        const Entry& entry = table_[at];
        if (entry.name != field.name) continue;
        is_name_known = true;
        next_ = at + 1;
        if (field.indexing == Indexing::once) break;
        if (entry.value == field.value) return put_number(kIndexed, index_of(at), to);
    }
    if (is_name_known && name_index == kNewName) name_index = index_of(next_ - 1);
    const size_t entry_size = field.name.size() + field.value.size() + kFieldOverhead;
    const bool enters = (field.indexing == Indexing::allowed || !is_name_known) &&
                        table_.size() < kEntriesMax && table_size_ + entry_size <= table_size_max_;
    to = put_literal(enters ? kEntersTable : kNotIndexed, name_index, field, to);
    if (enters) {
        table_.push_back({field.name, std::string(field.value)});
        table_size_ += entry_size;
    }
    return to;
}

void HeadEncoder::resize_table(ByteView updates) {
    const uint8_t* at = updates.data();
    const uint8_t* const end = at + updates.size();
    while (at != end) {
        KNUCKLE_ASSERT((*at & ~largest(kTableSize)) == kTableSize.octet);
        size_t size = *at++ & largest(kTableSize);
        if (size == largest(kTableSize)) {
            bool has_more = true;
            for (unsigned shift = 0; has_more; shift += 7) {
                KNUCKLE_ASSERT(at != end && shift <= 28);
                has_more = (*at & 128) != 0;
                size += static_cast<size_t>(*at++ & 127) << shift;
            }
        }
        table_size_max_ = size;
        while (table_size_ > table_size_max_) {
            table_size_ -= table_.front().size();
            table_.erase(table_.begin());
        }
    }
}

}  // namespace knuckle::http2
