// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/keys.h"

#include <algorithm>
#include <cstddef>

#include "base/bytes.h"
#include "base/text.h"
#include "crypto/digest.h"

namespace knuckle::store {

namespace {

std::string_view take_line(std::string_view& text) {
    const size_t size = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, size));
    text.remove_prefix(std::min(size + 1, text.size()));
    return line;
}

std::string_view take_word(std::string_view& line) {
    const size_t size = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, size);
    line = trim(line.substr(size));
    return word;
}

bool decode_lookup(std::string_view line, Keys& keys) {
    return take_word(line) == "lookup" && decode_hex(line, keys.lookup);
}

bool decode_seal(std::string_view line, SealKey& key) {
    if (take_word(line) != "seal") return false;
    const auto id = parse_decimal(take_word(line));
    if (!id || *id == 0 || *id > UINT8_MAX) return false;
    key.id = static_cast<uint8_t>(*id);
    return decode_hex(line, key.key);
}

// The form of before keys could be changed.
bool decode_single_line(std::string_view line, Keys& keys) {
    constexpr size_t kSealDigits = 2 * crypto::Sealer::kKeySize;
    return line.size() > kSealDigits && decode_hex(line.substr(0, kSealDigits), keys.current.key) &&
           decode_hex(line.substr(kSealDigits), keys.lookup);
}

class TextWriter {
public:
    explicit TextWriter(KeyText& storage) : storage_(storage) {}

    TextWriter& text(std::string_view text) {
        std::ranges::copy(text, storage_.data() + size_);
        size_ += text.size();
        return *this;
    }
    TextWriter& hex(ByteView bytes) {
        encode_hex(bytes, storage_.data() + size_);
        size_ += 2 * bytes.size();
        return *this;
    }
    TextWriter& seal(const SealKey& key) {
        DecimalText id;
        return text("seal ").text(format_decimal(key.id, id)).text(" ").hex(key.key).text("\n");
    }
    [[nodiscard]] std::string_view all() const { return {storage_.data(), size_}; }

private:
    KeyText& storage_;
    size_t size_ = 0;
};

}  // namespace

std::string_view encode_keys(const Keys& keys, KeyText& storage) {
    TextWriter writer(storage);
    writer.text("lookup ").hex(keys.lookup).text("\n").seal(keys.current);
    if (keys.retiring) writer.seal(*keys.retiring);
    return writer.all();
}

Result<Keys> decode_keys(std::string_view text) {
    Keys keys;
    if (decode_single_line(trim(text), keys)) return keys;
    // An editor may have left blank lines at the end.
    std::string_view rest = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
    if (!decode_lookup(take_line(rest), keys)) {
        return fail(Errc::invalid,
                    "line 1 must be 'lookup' and 64 hexadecimal digits; restore the key file from "
                    "a backup");
    }
    if (!decode_seal(take_line(rest), keys.current)) {
        return fail(Errc::invalid,
                    "line 2 must be 'seal', a number from 1 to 255 and 64 hexadecimal digits; "
                    "restore the key file from a backup");
    }
    if (rest.empty()) return keys;
    if (!decode_seal(take_line(rest), keys.retiring.emplace())) {
        return fail(Errc::invalid,
                    "line 3 must be 'seal', a number from 1 to 255 and 64 hexadecimal digits; "
                    "restore the key file from a backup");
    }
    if (keys.retiring->id == keys.current.id) {
        return fail(Errc::invalid,
                    "line 3 has the number of line 2; restore the key file from a backup");
    }
    if (!rest.empty()) {
        return fail(Errc::invalid, "line 4 is one too many; restore the key file from a backup");
    }
    return keys;
}

uint8_t id_after(uint8_t id) { return id == UINT8_MAX ? uint8_t{1} : static_cast<uint8_t>(id + 1); }

void wipe(Keys& keys) {
    crypto::wipe(keys.lookup);
    crypto::wipe(keys.current.key);
    if (keys.retiring) crypto::wipe(keys.retiring->key);
}

}  // namespace knuckle::store
