// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/text.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

namespace knuckle {

namespace {

// Each knock writes and reads its tokens and ids, so bytes and digits are looked up.
constexpr std::array<std::array<char, 2>, 256> kHexPairs = [] {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::array<std::array<char, 2>, 256> pairs{};
    for (size_t byte = 0; byte < pairs.size(); ++byte)
        pairs[byte] = {kDigits[byte >> 4], kDigits[byte & 15]};
    return pairs;
}();

// The value of each hexadecimal digit of either case; kNoDigit for what is none.
constexpr uint8_t kNoDigit = 0x80;
constexpr std::array<uint8_t, 256> kHexValues = [] {
    std::array<uint8_t, 256> values{};
    values.fill(kNoDigit);
    for (uint8_t value = 0; value < 10; ++value) values['0' + value] = value;
    for (uint8_t value = 10; value < 16; ++value) {
        values['a' + value - 10] = value;
        values['A' + value - 10] = value;
    }
    return values;
}();

uint8_t hex_value(char c) { return kHexValues[static_cast<unsigned char>(c)]; }

// Eight characters in one number. What is done to one octet must not reach its neighbours.
constexpr uint64_t kOnes = 0x0101'0101'0101'0101;
constexpr uint64_t kTops = 0x80 * kOnes;

uint64_t load_eight(std::string_view text, size_t at) {
    uint64_t octets = 0;
    std::memcpy(&octets, text.data() + at, sizeof octets);
    return octets;
}

// The top bit of each octet that is at least `least`; all octets must be ASCII.
uint64_t at_least(uint64_t octets, uint8_t least) { return octets + (0x80 - least) * kOnes; }

uint64_t lower_eight(uint64_t octets) {
    const uint64_t ascii = octets & ~kTops;
    const uint64_t capitals = at_least(ascii, 'A') & ~at_least(ascii, 'Z' + 1) & ~octets & kTops;
    return octets | capitals >> 2;  // 0x20, the bit by which the cases differ
}

// What eight hexadecimal digits stand for, the first of the four octets lowest. Bits appear in
// `wrong` where there is none.
uint32_t hex_values(uint64_t octets, uint64_t& wrong) {
    static_assert(std::endian::native == std::endian::little);
    const uint64_t ascii = octets & ~kTops;
    const uint64_t lower = ascii | 0x20 * kOnes;
    const uint64_t digits = at_least(ascii, '0') & ~at_least(ascii, '9' + 1);
    const uint64_t letters = at_least(lower, 'a') & ~at_least(lower, 'f' + 1) & kTops;
    wrong |= ~((digits | letters) & ~octets) & kTops;
    // 'a' and 'A' end in 1 and stand for 10.
    const uint64_t values = (octets & 0x0f * kOnes) + (letters >> 7) * 9;
    uint64_t pairs = (values << 4 | values >> 8) & 0x00ff'00ff'00ff'00ff;
    pairs = (pairs | pairs >> 8) & 0x0000'ffff'0000'ffff;
    return static_cast<uint32_t>(pairs | pairs >> 16);
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

void write_digits(char* to, uint64_t value, size_t digits) {
    for (size_t i = digits; i-- > 0; value /= 10) to[i] = static_cast<char>('0' + value % 10);
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    if (a.size() < sizeof(uint64_t)) {
        return std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
            return ascii_lower(x) == ascii_lower(y);
        });
    }
    // The last eight may overlap those before.
    const size_t last = a.size() - sizeof(uint64_t);
    for (size_t at = 0;; at = std::min(at + sizeof(uint64_t), last)) {
        if (lower_eight(load_eight(a, at)) != lower_eight(load_eight(b, at))) return false;
        if (at == last) return true;
    }
}

std::string to_lower(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), ascii_lower);
    return lower;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

std::optional<uint64_t> parse_decimal(std::string_view text) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string_view format_decimal(uint64_t value, DecimalText& storage) {
    const auto [end, error] = std::to_chars(storage.data(), storage.data() + storage.size(), value);
    return {storage.data(), static_cast<size_t>(end - storage.data())};
}

void encode_hex(ByteView bytes, char* to) {
    for (const uint8_t byte : bytes) {
        std::memcpy(to, kHexPairs[byte].data(), 2);
        to += 2;
    }
}

std::string to_hex(ByteView bytes) {
    std::string text(bytes.size() * 2, '\0');
    encode_hex(bytes, text.data());
    return text;
}

bool decode_hex(std::string_view text, MutableBytes to) {
    if (text.size() != to.size() * 2) return false;
    uint64_t wrong = 0;
    size_t at = 0;
    for (; to.size() - at >= sizeof(uint32_t); at += sizeof(uint32_t)) {
        const uint32_t four = hex_values(load_eight(text, 2 * at), wrong);
        std::memcpy(to.data() + at, &four, sizeof four);
    }
    for (; at < to.size(); ++at) {
        const uint8_t high = hex_value(text[at * 2]);
        const uint8_t low = hex_value(text[at * 2 + 1]);
        wrong |= (high | low) & kNoDigit;
        to[at] = static_cast<uint8_t>(high << 4 | low);
    }
    return wrong == 0;
}

bool is_lower_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    });
}

// Civil date from days since the epoch, after Howard Hinnant's "chrono-compatible low-level date
// algorithms": years begin in March, so the leap day comes last.
std::string format_date(UnixTime time) {
    const int64_t unix_seconds = std::max<int64_t>(to_unix_seconds(time), 0);
    const uint64_t second_of_day = static_cast<uint64_t>(unix_seconds) % 86'400;
    const uint64_t days = static_cast<uint64_t>(unix_seconds) / 86'400 + 719'468;
    const uint64_t era = days / 146'097;
    const uint64_t day_of_era = days % 146'097;
    const uint64_t year_of_era =
        (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const uint64_t days_before = 365 * year_of_era + year_of_era / 4 - year_of_era / 100;
    const uint64_t day_of_year = day_of_era - days_before;
    const uint64_t shifted_month = (5 * day_of_year + 2) / 153;
    const uint64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;

    std::string text = "0000-00-00T00:00:00.000000Z";
    write_digits(text.data(), era * 400 + year_of_era + (month <= 2 ? 1 : 0), 4);
    write_digits(text.data() + 5, month, 2);
    write_digits(text.data() + 8, day_of_year - (153 * shifted_month + 2) / 5 + 1, 2);
    write_digits(text.data() + 11, second_of_day / 3'600, 2);
    write_digits(text.data() + 14, second_of_day / 60 % 60, 2);
    write_digits(text.data() + 17, second_of_day % 60, 2);
    return text;
}

bool is_valid_utf8(std::string_view text) {
    const auto* p = reinterpret_cast<const unsigned char*>(text.data());
    const auto* const end = p + text.size();
    while (p < end) {
        const unsigned char lead = *p++;
        if (lead < 0x80) continue;
        // RFC 3629 section 4: the range of the second byte leaves out overlong forms, surrogates
        // and what is beyond U+10FFFF.
        size_t more = 0;
        unsigned char low = 0x80;
        unsigned char high = 0xBF;
        if (lead >= 0xC2 && lead <= 0xDF) {
            more = 1;
        } else if (lead >= 0xE0 && lead <= 0xEF) {
            more = 2;
            if (lead == 0xE0) low = 0xA0;
            if (lead == 0xED) high = 0x9F;
        } else if (lead >= 0xF0 && lead <= 0xF4) {
            more = 3;
            if (lead == 0xF0) low = 0x90;
            if (lead == 0xF4) high = 0x8F;
        } else {
            return false;
        }
        for (; more > 0; --more, low = 0x80, high = 0xBF) {
            if (p == end || *p < low || *p > high) return false;
            ++p;
        }
    }
    return true;
}

size_t count_code_points(std::string_view text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
}

}  // namespace knuckle
