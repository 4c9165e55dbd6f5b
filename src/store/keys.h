// SPDX-License-Identifier: GPL-3.0-or-later
// The keys that make the database readable, and their text in the key file. Pure functions.
//
//     auto keys = decode_keys(text);         store/key_file.h reads and writes the file
//     std::string_view text = encode_keys(*keys, storage);
//
//   file := "lookup" 64 hexadecimal digits            what the hashes are keyed with, for good
//           "seal" id 64 hexadecimal digits           the current key: seals what is written
//           ["seal" id 64 hexadecimal digits]         the retiring key: opens what it has sealed
//   id   := 1 to 255, decimal; says in each sealed value under which key it is
//
// One item to a line. Before keys could be changed, the file was one line of 128 digits, the seal
// key's and the lookup key's; that is read too, as id 1.
// Errors: Errc::invalid, with a text that names the line.  Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "crypto/seal.h"

namespace knuckle::store {

struct SealKey {
    uint8_t id = 1;
    crypto::Sealer::Key key{};

    bool operator==(const SealKey&) const = default;
};

// Kept outside the database; without them the database is worth nothing.
struct Keys {
    std::array<uint8_t, 32> lookup{};  // of the hashes that rows are found by
    SealKey current;
    std::optional<SealKey> retiring;  // while a rotation is under way

    // 0: there is none.
    [[nodiscard]] uint8_t retiring_id() const { return retiring ? retiring->id : uint8_t{0}; }
    [[nodiscard]] bool has_seal(uint8_t id) const {
        return id == current.id || (retiring && id == retiring->id);
    }
    bool operator==(const Keys&) const = default;
};

// More than the longest text.
using KeyText = std::array<char, 256>;
[[nodiscard]] std::string_view encode_keys(const Keys& keys, KeyText& storage);
Result<Keys> decode_keys(std::string_view text);

// After 255 comes 1: long before, nothing is left of the first.
[[nodiscard]] uint8_t id_after(uint8_t id);

void wipe(Keys& keys);

}  // namespace knuckle::store
