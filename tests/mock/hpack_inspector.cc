// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/mock/hpack_inspector.h"

#include <algorithm>

#include <nghttp2/nghttp2.h>

#include "base/assert.h"

namespace knuckle::mock {

namespace {

constexpr size_t kFrameHeadSize = 9;
constexpr size_t kPriorityFieldSize = 5;

// RFC 7541: 001xxxxx changes the table's size, 01xxxxxx enters a field into the table.
constexpr bool is_size_update(uint8_t octet) { return (octet & 0xe0) == 0x20; }
constexpr bool is_insertion(uint8_t octet) { return (octet & 0xc0) == 0x40; }

// Skips the size updates that may precede a field: integers with a prefix of five bits.
size_t skip_size_updates(ByteView block, size_t at) {
    while (at < block.size() && is_size_update(block[at])) {
        const bool is_long = (block[at++] & 0x1f) == 0x1f;
        if (!is_long) continue;
        while (at < block.size() && (block[at] & 0x80) != 0) ++at;
        ++at;
    }
    return at;
}

}  // namespace

HpackInspector::HpackInspector() : preface_left_(NGHTTP2_CLIENT_MAGIC_LEN) {
    const int code = nghttp2_hd_inflate_new(&inflater_);
    KNUCKLE_ASSERT(code == 0);
}

HpackInspector::~HpackInspector() { nghttp2_hd_inflate_del(inflater_); }

void HpackInspector::feed(ByteView bytes) {
    if (!is_watching_) return;
    const size_t skipped = std::min(preface_left_, bytes.size());
    preface_left_ -= skipped;
    bytes = bytes.subspan(skipped);
    input_.insert(input_.end(), bytes.begin(), bytes.end());

    size_t at = 0;
    while (is_watching_ && input_.size() - at >= kFrameHeadSize) {
        const ByteView rest = ByteView(input_).subspan(at);
        const size_t size =
            static_cast<size_t>(rest[0]) << 16 | static_cast<size_t>(rest[1]) << 8 | rest[2];
        if (rest.size() < kFrameHeadSize + size) break;
        read_frame(rest[3], rest[4], rest.subspan(kFrameHeadSize, size));
        at += kFrameHeadSize + size;
    }
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(at));
}

void HpackInspector::read_frame(uint8_t type, uint8_t flags, ByteView payload) {
    if (type == NGHTTP2_HEADERS) {
        size_t padding = 0;
        size_t head = 0;
        if ((flags & NGHTTP2_FLAG_PADDED) != 0 && !payload.empty()) {
            padding = payload[0];
            ++head;
        }
        if ((flags & NGHTTP2_FLAG_PRIORITY) != 0) head += kPriorityFieldSize;
        is_watching_ = head + padding <= payload.size();
        if (!is_watching_) return;
        payload = payload.subspan(head, payload.size() - head - padding);
        block_.clear();
    } else if (type != NGHTTP2_CONTINUATION) {
        return;
    }
    block_.insert(block_.end(), payload.begin(), payload.end());
    if ((flags & NGHTTP2_FLAG_END_HEADERS) != 0) read_block();
}

void HpackInspector::read_block() {
    blocks_size_ += block_.size();
    size_t at = 0;
    for (;;) {
        const size_t field = skip_size_updates(block_, at);
        nghttp2_nv found{};
        int flags = 0;
        const nghttp2_ssize taken = nghttp2_hd_inflate_hd3(
            inflater_, &found, &flags, block_.data() + at, block_.size() - at, 1);
        is_watching_ = taken >= 0;
        if (!is_watching_) return;
        at += static_cast<size_t>(taken);
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && is_insertion(block_[field])) {
            ++insertions_total_;
            ++insertions_by_name_[std::string(as_text({found.name, found.namelen}))];
        }
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
}

size_t HpackInspector::insertions(std::string_view name) const {
    const auto found = insertions_by_name_.find(name);
    return found == insertions_by_name_.end() ? 0 : found->second;
}

size_t HpackInspector::table_size() const {
    return nghttp2_hd_inflate_get_dynamic_table_size(inflater_);
}

}  // namespace knuckle::mock
