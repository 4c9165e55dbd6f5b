// SPDX-License-Identifier: GPL-3.0-or-later
#include "migrate/pg_value.h"

#include <chrono>
#include <cstdint>

namespace knuckle::migrate {

namespace {

// Numbers of so many digits, and what stands between them; one look at the end is enough.
class Scanner {
public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    int64_t number(size_t digits) {
        int64_t value = 0;
        for (size_t i = 0; i < digits; ++i) value = value * 10 + digit();
        return value;
    }
    Scanner& expect(char c) {
        if (!next_is(c)) is_sound_ = false;
        return *this;
    }
    bool next_is(char c) {
        if (!rest_.starts_with(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }
    // Millionths, of one to six digits.
    int64_t fraction() {
        int64_t value = 0;
        int64_t unit = 100'000;
        do {
            value += unit * digit();
            unit /= 10;
        } while (unit > 0 && !rest_.empty() && is_digit(rest_.front()));
        return value;
    }
    [[nodiscard]] bool is_complete() const { return is_sound_ && rest_.empty(); }

private:
    static bool is_digit(char c) { return c >= '0' && c <= '9'; }
    int64_t digit() {
        if (rest_.empty() || !is_digit(rest_.front())) {
            is_sound_ = false;
            return 0;
        }
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c - '0';
    }

    std::string_view rest_;
    bool is_sound_ = true;
};

// What is to be added to UTC, in seconds.
int64_t read_offset(Scanner& scanner) {
    const bool is_west = scanner.next_is('-');
    if (!is_west && !scanner.next_is('+')) return 0;
    int64_t offset = scanner.number(2) * 3'600;
    if (scanner.next_is(':')) offset += scanner.number(2) * 60;
    if (scanner.next_is(':')) offset += scanner.number(2);
    return is_west ? -offset : offset;
}

}  // namespace

std::optional<bool> parse_bool(std::string_view text) {
    if (text == "t") return true;
    if (text == "f") return false;
    return std::nullopt;
}

std::optional<UnixTime> parse_timestamp(std::string_view text) {
    Scanner scanner(text);
    const auto year = static_cast<int>(scanner.number(4));
    const auto month = static_cast<unsigned>(scanner.expect('-').number(2));
    const auto day = static_cast<unsigned>(scanner.expect('-').number(2));
    const int64_t hour = scanner.expect(' ').number(2);
    const int64_t minute = scanner.expect(':').number(2);
    const int64_t second = scanner.expect(':').number(2);
    const int64_t microsecond = scanner.next_is('.') ? scanner.fraction() : 0;
    const int64_t offset = read_offset(scanner);
    const std::chrono::year_month_day date{
        std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
    const bool is_sound = scanner.is_complete() && year >= 1970 && date.ok() && hour < 24 &&
                          minute < 60 && second < 60;
    if (!is_sound) return std::nullopt;
    const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
    const int64_t seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset;
    return UnixTime{seconds * 1'000'000 + microsecond};
}

}  // namespace knuckle::migrate
