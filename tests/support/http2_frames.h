// SPDX-License-Identifier: GPL-3.0-or-later
// HTTP/2 frames written by hand, for what a well-behaved library would refuse to send (RFC 9113
// section 6). Header blocks are literals that neither use nor change the compressor's table.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace knuckle::test::frames {

inline constexpr uint8_t kData = 0;
inline constexpr uint8_t kHeaders = 1;
inline constexpr uint8_t kPriority = 2;
inline constexpr uint8_t kRstStream = 3;
inline constexpr uint8_t kSettings = 4;
inline constexpr uint8_t kPushPromise = 5;
inline constexpr uint8_t kPing = 6;
inline constexpr uint8_t kGoaway = 7;
inline constexpr uint8_t kWindowUpdate = 8;
inline constexpr uint8_t kContinuation = 9;

inline constexpr uint8_t kAck = 0x1;
inline constexpr uint8_t kEndStream = 0x1;
inline constexpr uint8_t kEndHeaders = 0x4;
inline constexpr uint8_t kPadded = 0x8;

inline constexpr uint16_t kMaxConcurrentStreams = 3;
inline constexpr uint16_t kInitialWindowSize = 4;

inline std::string number(uint64_t value, int octets) {
    std::string text;
    for (int shift = 8 * (octets - 1); shift >= 0; shift -= 8)
        text += static_cast<char>(value >> shift);
    return text;
}

inline std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
    return number(payload.size(), 3) + number(type, 1) + number(flags, 1) + number(stream, 4) +
           std::string(payload);
}

inline std::string settings(std::initializer_list<std::pair<uint16_t, uint32_t>> entries = {}) {
    std::string payload;
    for (const auto& [id, value] : entries) payload += number(id, 2) + number(value, 4);
    return frame(kSettings, 0, 0, payload);
}

inline std::string settings_ack() { return frame(kSettings, kAck, 0, ""); }

// RFC 7541 section 5.1 with a prefix of seven bits.
inline std::string string_literal(std::string_view text) {
    std::string out;
    size_t size = text.size();
    if (size < 127) {
        out += static_cast<char>(size);
    } else {
        out += static_cast<char>(127);
        for (size -= 127; size >= 128; size >>= 7) out += static_cast<char>(0x80 | (size & 0x7f));
        out += static_cast<char>(size);
    }
    return out.append(text);
}

using Fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

inline std::string block(Fields fields) {
    std::string out;
    for (const auto& [name, value] : fields) {
        out += '\0';  // literal without indexing, new name
        out += string_literal(name) + string_literal(value);
    }
    return out;
}

inline std::string headers(uint32_t stream, Fields fields, uint8_t flags = kEndHeaders) {
    return frame(kHeaders, flags, stream, block(fields));
}

inline std::string data(uint32_t stream, std::string_view body, uint8_t flags = 0) {
    return frame(kData, flags, stream, body);
}

inline std::string padded_data(uint32_t stream,
                               std::string_view body,
                               uint8_t padding,
                               uint8_t flags = 0) {
    return frame(kData,
                 static_cast<uint8_t>(flags | kPadded),
                 stream,
                 number(padding, 1) + std::string(body) + std::string(padding, '\0'));
}

inline std::string rst_stream(uint32_t stream, uint32_t code) {
    return frame(kRstStream, 0, stream, number(code, 4));
}

inline std::string goaway(uint32_t last_stream, uint32_t code, std::string_view debug = "") {
    return frame(kGoaway, 0, 0, number(last_stream, 4) + number(code, 4) + std::string(debug));
}

inline std::string ping(uint8_t flags = 0) { return frame(kPing, flags, 0, "12345678"); }

inline std::string window_update(uint32_t stream, uint32_t size) {
    return frame(kWindowUpdate, 0, stream, number(size, 4));
}

}  // namespace knuckle::test::frames
