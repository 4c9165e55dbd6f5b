// SPDX-License-Identifier: GPL-3.0-or-later
// What must hold for http1::Parser whatever the bytes are:
//
//   * it reads the same requests, and ends with the same error, however the bytes arrive;
//   * it keeps no view of memory it was not promised (each piece is its own heap block, freed at
//   once);
//   * what it accepts is within the limits, unambiguous, and reads the same when written out
//   plainly.
//
//     std::string complaint = test::check_http1(bytes);      empty if all is well
//
// Used by the unit tests and by the fuzz target. Run it under ASan for the second rule.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/text.h"
#include "http1/message.h"
#include "http1/parser.h"

namespace knuckle::test {

// Bytes as a caller must hand them in: kBodyPadding readable bytes behind them, and not one more.
class Piece {
public:
    explicit Piece(ByteView bytes)
        : memory_(new uint8_t[bytes.size() + http1::Request::kBodyPadding]), size_(bytes.size()) {
        copy_bytes(memory_.get(), bytes);
        std::memset(memory_.get() + size_, 'x', http1::Request::kBodyPadding);
    }
    [[nodiscard]] ByteView bytes() const { return {memory_.get(), size_}; }

private:
    std::unique_ptr<uint8_t[]> memory_;
    size_t size_;
};

// A request, copied.
struct SeenRequest {
    using Fields = std::vector<std::pair<std::string, std::string>>;

    http1::Method method = http1::Method::other;
    std::string method_name;
    std::string path;
    std::string query;
    Fields fields;
    std::string body;
    bool keep_alive = false;

    bool operator==(const SeenRequest&) const = default;
};

inline SeenRequest copy_of(const http1::Request& request) {
    SeenRequest seen{request.method,
                     std::string(request.method_name),
                     std::string(request.path),
                     std::string(request.query),
                     {},
                     std::string(as_text(request.body)),
                     request.keep_alive};
    for (const http1::Field& field : request.fields)
        seen.fields.emplace_back(field.name, field.value);
    // The padding must be there.
    uint8_t padding[http1::Request::kBodyPadding];
    std::memcpy(padding, request.body.data() + request.body.size(), sizeof padding);
    return seen;
}

// What came out of one connection.
struct Seen {
    std::vector<SeenRequest> requests;
    std::optional<std::pair<int, std::string>> error;
    size_t continues = 0;
    bool is_in_request = false;

    [[nodiscard]] bool reads_like(const Seen& other) const {
        return requests == other.requests && error == other.error &&
               is_in_request == other.is_in_request;
    }
};

// Hands `piece` to the parser; false when the connection is over.
inline bool feed(http1::Parser& parser, ByteView bytes, Seen& seen) {
    const Piece piece(bytes);
    ByteView input = piece.bytes();
    for (;;) {
        switch (parser.next(input)) {
            case http1::Step::request:
                seen.requests.push_back(copy_of(parser.request()));
                parser.finish();
                break;
            case http1::Step::send_continue:
                ++seen.continues;
                break;
            case http1::Step::error:
                seen.error = {parser.error().status, parser.error().what};
                return false;
            case http1::Step::need_more:
                return true;
        }
    }
}

// `cuts`: where the bytes are cut, rising.
inline Seen read_requests(ByteView bytes, const std::vector<size_t>& cuts = {}) {
    http1::Parser parser;
    Seen seen;
    size_t begin = 0;
    bool is_open = true;
    for (const size_t cut : cuts) {
        is_open = is_open && feed(parser, bytes.subspan(begin, cut - begin), seen);
        begin = cut;
    }
    if (is_open) feed(parser, bytes.subspan(begin), seen);
    seen.is_in_request = parser.is_in_request();
    return seen;
}

inline Seen read_byte_by_byte(ByteView bytes) {
    std::vector<size_t> cuts;
    for (size_t i = 1; i < bytes.size(); ++i) cuts.push_back(i);
    return read_requests(bytes, cuts);
}

// The request as the plainest client would send it.
inline std::string write_plainly(const SeenRequest& request) {
    std::string text = request.method_name + " " + request.path;
    if (!request.query.empty()) text += "?" + request.query;
    text += " HTTP/1.1\r\n";
    bool has_host = false;
    for (const auto& [name, value] : request.fields) {
        const std::string lower = to_lower(name);
        if (lower == "transfer-encoding" || lower == "content-length" || lower == "expect")
            continue;
        has_host = has_host || lower == "host";
        text += name + ": " + value + "\r\n";
    }
    if (!has_host) text += "Host: plain\r\n";
    return text + "Content-Length: " + std::to_string(request.body.size()) + "\r\n\r\n" +
           request.body;
}

// Empty if the request is one that any two servers would read alike.
inline std::string check_request(const SeenRequest& request) {
    const auto is_control = [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7f; };
    const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
    const auto count = [&request](std::string_view name) {
        return std::count_if(
            request.fields.begin(), request.fields.end(), [name](const auto& field) {
                return equal_ignoring_case(field.first, name);
            });
    };
    const std::string target = request.path + request.query;
    if (request.method_name.empty()) return "no method";
    if (!request.path.starts_with('/') && request.path != "*") return "a target that is no path";
    if (target.size() > http1::kTargetMax) return "a target beyond the limit";
    if (target.find_first_of("# \t\r\n") != std::string::npos)
        return "a target with a forbidden character";
    if (std::any_of(target.begin(), target.end(), [&](char c) { return is_control(c) || c < 0; })) {
        return "a target with control or non-ASCII characters";
    }
    if (request.fields.size() > http1::kFieldsMax) return "more fields than the limit";
    if (request.body.size() > http1::kBodyMax) return "a body beyond the limit";
    for (const auto& [name, value] : request.fields) {
        if (name.empty() || name.find_first_of(" \t:\r\n") != std::string::npos)
            return "a bad field name";
        if (std::any_of(value.begin(), value.end(), is_control))
            return "a control character in a value";
        if (!value.empty() && (is_blank(value.front()) || is_blank(value.back())))
            return "an untrimmed value";
    }
    if (count("host") > 1) return "several Host fields";
    if (count("content-length") + count("transfer-encoding") > 1) return "two lengths";

    Seen again = read_requests(as_bytes(write_plainly(request)));
    if (request.path.size() + request.query.size() + 1 >= http1::kTargetMax) return "";
    if (again.error && again.error->first == 431) return "";  // the plain form is a little longer
    if (again.error || again.requests.size() != 1) return "a request that does not read back";
    const SeenRequest& plain = again.requests.front();
    if (plain.method_name != request.method_name || plain.path != request.path ||
        plain.query != request.query || plain.body != request.body) {
        return "a request that reads back as another";
    }
    return "";
}

// Empty if every rule at the top holds for these bytes.
inline std::string check_http1(ByteView bytes) {
    constexpr size_t kCutsMax = 512;
    const Seen whole = read_requests(bytes);
    for (const SeenRequest& request : whole.requests) {
        if (std::string complaint = check_request(request); !complaint.empty()) return complaint;
    }
    if (!read_byte_by_byte(bytes).reads_like(whole)) return "other results byte by byte";
    const size_t step = bytes.size() / kCutsMax + 1;
    for (size_t cut = 1; cut < bytes.size(); cut += step) {
        if (!read_requests(bytes, {cut}).reads_like(whole)) {
            return "other results when cut after byte " + std::to_string(cut);
        }
    }
    for (const size_t size : {2, 3, 7, 64, 1000}) {
        std::vector<size_t> cuts;
        for (size_t cut = size; cut < bytes.size(); cut += size) cuts.push_back(cut);
        if (!read_requests(bytes, cuts).reads_like(whole)) {
            return "other results in pieces of " + std::to_string(size);
        }
    }
    return "";
}

}  // namespace knuckle::test
