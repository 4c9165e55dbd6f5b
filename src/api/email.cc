// SPDX-License-Identifier: GPL-3.0-or-later
#include "api/email.h"

#include <algorithm>
#include <cstddef>

#include "base/text.h"

namespace knuckle::api {

namespace {

constexpr size_t kLabelMax = 63;  // RFC 1035 2.3.4

bool is_letter_or_digit(char c) {
    const char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
}

// RFC 5322 3.2.3: atext.
bool is_atom_character(char c) {
    return is_letter_or_digit(c) ||
           std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

bool is_atom(std::string_view part) {
    return !part.empty() && std::all_of(part.begin(), part.end(), is_atom_character);
}

// Letters beyond ASCII are let through: an internationalised name (RFC 5890) may come unencoded.
bool is_label(std::string_view part) {
    const auto may_stand = [](char c) {
        return is_letter_or_digit(c) || c == '-' || static_cast<unsigned char>(c) >= 0x80;
    };
    return !part.empty() && part.size() <= kLabelMax && part.front() != '-' && part.back() != '-' &&
           std::all_of(part.begin(), part.end(), may_stand);
}

// The number of parts between dots, or 0 if one of them is not `is_part`.
size_t count_parts(std::string_view text, bool (*is_part)(std::string_view)) {
    size_t count = 0;
    while (true) {
        const size_t dot = text.find('.');
        if (!is_part(text.substr(0, dot))) return 0;
        ++count;
        if (dot == std::string_view::npos) return count;
        text.remove_prefix(dot + 1);
    }
}

}  // namespace

bool is_email_address(std::string_view text) {
    const size_t at = text.rfind('@');
    if (at == std::string_view::npos) return false;
    const std::string_view domain = text.substr(at + 1);
    return count_parts(text.substr(0, at), is_atom) > 0 &&
           (count_parts(domain, is_label) >= 2 || equal_ignoring_case(domain, "localhost"));
}

}  // namespace knuckle::api
