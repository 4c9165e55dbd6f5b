// SPDX-License-Identifier: GPL-3.0-or-later
// Watches which fields a client puts into the dynamic table of HPACK, which its decoder does not
// tell: APNs asks that the path, the provider token and all that differs from push to push stay out
// of it (providers.md A.5).
//
// It reads everything the client sends, next to the real decoder. Input that is not HTTP/2 ends the
// watching.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

struct nghttp2_hd_inflater;

namespace knuckle::mock {

class HpackInspector {
public:
    HpackInspector();
    ~HpackInspector();
    HpackInspector(const HpackInspector&) = delete;
    HpackInspector& operator=(const HpackInspector&) = delete;

    void feed(ByteView bytes);

    // How often a field of this name was sent so that it entered the table (RFC 7541
    // section 6.2.1).
    [[nodiscard]] size_t insertions(std::string_view name) const;
    [[nodiscard]] size_t insertions() const { return insertions_total_; }
    [[nodiscard]] size_t table_size() const;
    [[nodiscard]] size_t blocks_size() const {
        return blocks_size_;
    }  // of all header blocks so far
    [[nodiscard]] bool is_watching() const { return is_watching_; }

private:
    void read_frame(uint8_t type, uint8_t flags, ByteView payload);
    void read_block();

    nghttp2_hd_inflater* inflater_ = nullptr;
    std::vector<uint8_t> input_;  // a frame that has not come whole, after the connection's preface
    std::vector<uint8_t> block_;  // of HEADERS and its CONTINUATIONs
    size_t preface_left_;
    std::map<std::string, size_t, std::less<>> insertions_by_name_;
    size_t insertions_total_ = 0;
    size_t blocks_size_ = 0;
    bool is_watching_ = true;
};

}  // namespace knuckle::mock
