// SPDX-License-Identifier: GPL-3.0-or-later
// Writes the heads of one connection's requests as HPACK (RFC 7541). Made for heads that are nearly
// the same from request to request: what repeats is one octet, the rest is copied as it is. No
// Huffman code: it would save one octet in eight of a push and cost more instructions than all else
// that HTTP/2 does for it (ADR 0023). The library has no way to be handed a head, only its fields.
//
//     HeadEncoder encoder;
//     encoder.resize_table(updates);               whenever the peer is told so in a head
//     uint8_t* end = encoder.encode(head, to);     room for HeadEncoder::size_max(head)
//
// Every head must reach the peer, in this order: its table is a copy of ours.
//
// Owner: Session.  Thread: its worker's.
// Limits: kEntriesMax fields in the table, and never more than the peer has room for: what no
// longer fits is written in full each time. Nothing leaves the table unless the peer makes it
// smaller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "http2/message.h"

namespace knuckle::http2 {

// What a field counts beyond its octets, in a head as in the table (RFC 9113 section 6.5.2).
inline constexpr size_t kFieldOverhead = 32;

class HeadEncoder {
public:
    static constexpr size_t kEntriesMax = 32;

    // The most octets that encode() writes.
    [[nodiscard]] static size_t size_max(const RequestHead& head);
    // Returns one past the last octet written.
    [[nodiscard]] uint8_t* encode(const RequestHead& head, uint8_t* to);
    // Follows the table size updates (section 6.3), if any, that precede the next head.
    void resize_table(ByteView updates);

private:
    struct Entry {
        [[nodiscard]] size_t size() const { return name.size() + value.size() + kFieldOverhead; }

        std::string_view name;
        std::string value;
    };

    [[nodiscard]] size_t index_of(size_t entry) const;
    uint8_t* put(const HeaderField& field, size_t name_index, uint8_t* to);

    std::vector<Entry> table_;  // the oldest first
    size_t next_ = 0;  // where to look first: fields come in the order in which they entered
    size_t table_size_ = 0;
    size_t table_size_max_ = 4'096;  // until the peer's SETTINGS say otherwise
};

}  // namespace knuckle::http2
