// SPDX-License-Identifier: GPL-3.0-or-later
#include "http1/response.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#include "base/text.h"

namespace knuckle::http1 {

namespace {

constexpr std::string_view kVersion = "HTTP/1.1 ";
constexpr std::string_view kDate = "Date: ";
constexpr std::string_view kContentLength = "Content-Length: ";
constexpr std::string_view kClose = "Connection: close\r\n";
constexpr std::string_view kContentType = "Content-Type";
constexpr std::string_view kColon = ": ";
constexpr std::string_view kLineEnd = "\r\n";
constexpr std::array<std::string_view, 12> kMonths = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// At most this much stands in a head besides the reason phrase, the date and the fields.
constexpr size_t kFrameMax = kVersion.size() + 4 + kDate.size() + kContentLength.size() +
                             DecimalText().size() + kClose.size() + 4 * kLineEnd.size();

// RFC 9110 section 8.6 forbids Content-Length in the first two; 304 has no content either and may
// do without.
bool is_without_content(uint16_t status) { return status < 200 || status == 204 || status == 304; }

// Writes into room that is known to suffice.
class Writer {
public:
    explicit Writer(uint8_t* begin) : begin_(begin), end_(begin) {}

    Writer& text(std::string_view text) {
        copy_bytes(end_, as_bytes(text));
        end_ += text.size();
        return *this;
    }
    Writer& status(uint16_t status) {
        *end_++ = static_cast<uint8_t>('0' + status / 100 % 10);
        *end_++ = static_cast<uint8_t>('0' + status / 10 % 10);
        *end_++ = static_cast<uint8_t>('0' + status % 10);
        *end_++ = ' ';
        return *this;
    }
    Writer& number(uint64_t value) {
        DecimalText digits;
        return text(format_decimal(value, digits));
    }
    Writer& field(const Field& field) {
        return text(field.name).text(kColon).text(field.value).text(kLineEnd);
    }
    [[nodiscard]] size_t size() const { return static_cast<size_t>(end_ - begin_); }

private:
    uint8_t* begin_;
    uint8_t* end_;
};

size_t size_of(const Field& field) {
    return field.name.size() + kColon.size() + field.value.size() + kLineEnd.size();
}

}  // namespace

void write_response(const Response& response, std::string_view date, Buffer& out) {
    const bool has_content = !is_without_content(response.status);
    const std::string_view reason = reason_phrase(response.status);
    const Field type{kContentType, response.content_type};

    size_t size_max = kFrameMax + reason.size() + date.size() + size_of(type);
    for (const Field& field : response.fields) size_max += size_of(field);
    Writer head(out.reserve(size_max).data());
    head.text(kVersion).status(response.status).text(reason).text(kLineEnd);
    if (!date.empty()) head.text(kDate).text(date).text(kLineEnd);
    if (has_content) head.text(kContentLength).number(response.body.size()).text(kLineEnd);
    if (!response.keep_alive) head.text(kClose);
    if (!response.content_type.empty()) head.field(type);
    for (const Field& field : response.fields) head.field(field);
    head.text(kLineEnd);
    out.commit(head.size());
    if (has_content && !response.is_to_head) out.append(response.body);
}

void write_continue(Buffer& out) { out.append("HTTP/1.1 100 Continue\r\n\r\n"); }

std::string format_http_date(UnixTime time) {
    constexpr std::array<std::string_view, 7> kDays = {
        "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    // "2026-11-23T15:04:05.000000Z"; both this and the weekday begin with 1970, a Thursday.
    const std::string iso = format_date(time);
    const std::string_view text = iso;
    const int64_t days = std::max<int64_t>(to_unix_seconds(time), 0) / 86'400;
    const size_t month =
        static_cast<size_t>(text[5] - '0') * 10 + static_cast<size_t>(text[6] - '0') - 1;

    std::string date;
    date.append(kDays[static_cast<size_t>(days % 7)])
        .append(", ")
        .append(text.substr(8, 2))
        .append(" ");
    date.append(kMonths[month]).append(" ").append(text.substr(0, 4)).append(" ");
    date.append(text.substr(11, 8)).append(" GMT");
    return date;
}

// The weekday is not looked at.
std::optional<UnixTime> parse_http_date(std::string_view date) {
    constexpr std::string_view kForm = "Mon, 23 Nov 2026 15:04:05 GMT";
    if (date.size() != kForm.size()) return std::nullopt;
    for (const size_t i : {3U, 4U, 7U, 11U, 16U, 19U, 22U, 25U, 26U, 27U, 28U}) {
        if (date[i] != kForm[i]) return std::nullopt;
    }
    const auto month = std::find(kMonths.begin(), kMonths.end(), date.substr(8, 3));
    const auto day = parse_decimal(date.substr(5, 2));
    const auto year = parse_decimal(date.substr(12, 4));
    const auto hour = parse_decimal(date.substr(17, 2));
    const auto minute = parse_decimal(date.substr(20, 2));
    const auto second = parse_decimal(date.substr(23, 2));
    if (month == kMonths.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
    const std::chrono::year_month_day civil{
        std::chrono::year(static_cast<int>(*year)),
        std::chrono::month(static_cast<unsigned>(month - kMonths.begin() + 1)),
        std::chrono::day(static_cast<unsigned>(*day))};
    // 60 is a leap second.
    if (!civil.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    const int64_t days = std::chrono::sys_days(civil).time_since_epoch().count();
    return from_unix_seconds(days * 86'400 +
                             static_cast<int64_t>(*hour * 3'600 + *minute * 60 + *second));
}

std::string_view reason_phrase(uint16_t status) {
    switch (status) {
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 304:
            return "Not Modified";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 406:
            return "Not Acceptable";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 411:
            return "Length Required";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 415:
            return "Unsupported Media Type";
        case 417:
            return "Expectation Failed";
        case 421:
            return "Misdirected Request";
        case 422:
            return "Unprocessable Content";
        case 426:
            return "Upgrade Required";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "";  // RFC 9112 section 4: may be empty, the space in front of it may not
    }
}

}  // namespace knuckle::http1
