// SPDX-License-Identifier: GPL-3.0-or-later
#include "http1/head.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace knuckle::http1 {

namespace {

using CharSet = std::array<bool, 256>;

constexpr CharSet letters_digits_and(std::string_view others) {
    CharSet set{};
    for (char c = '0'; c <= '9'; ++c) set[static_cast<uint8_t>(c)] = true;
    for (char c = 'a'; c <= 'z'; ++c) set[static_cast<uint8_t>(c)] = true;
    for (char c = 'A'; c <= 'Z'; ++c) set[static_cast<uint8_t>(c)] = true;
    for (const char c : others) set[static_cast<uint8_t>(c)] = true;
    return set;
}

constexpr CharSet kTokenChars = letters_digits_and("!#$%&'*+-.^_`|~");
// Narrower than RFC 3986 section 3.2.2: its sub-delims (",", ";", "$" and the like) are in no real
// host name, but proxies split and join at them.
constexpr CharSet kHostChars = letters_digits_and("-._~%:[]");

bool consists_of(std::string_view text, const CharSet& set) {
    return std::all_of(
        text.begin(), text.end(), [&set](char c) { return set[static_cast<uint8_t>(c)]; });
}

std::string_view without_trailing_space(std::string_view text) {
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

ParseError bad(const char* what) { return {400, what}; }

Method to_method(std::string_view name) {
    if (name == "POST") return Method::post;
    if (name == "GET") return Method::get;
    if (name == "PUT") return Method::put;
    if (name == "PATCH") return Method::patch;
    if (name == "DELETE") return Method::del;
    if (name == "HEAD") return Method::head;
    if (name == "OPTIONS") return Method::options;
    return Method::other;
}

std::optional<ParseError> check_version(std::string_view behind_target, Framing& framing) {
    if (behind_target.starts_with(" HTTP/1.1\r\n")) {
        framing.is_http11 = true;
        return std::nullopt;
    }
    if (behind_target.starts_with(" HTTP/1.0\r\n")) return std::nullopt;
    // Nothing behind the target is HTTP/0.9.
    if (behind_target.starts_with(" HTTP/") || behind_target.starts_with("\r\n")) {
        return kUnsupportedVersion;
    }
    // llhttp also takes several spaces, and RTSP and ICE for the protocol.
    return kBadRequestLine;
}

std::optional<ParseError> check_request_line(std::string_view head,
                                             Request& request,
                                             Framing& framing) {
    const std::string_view target = request.path;
    const auto target_at = static_cast<size_t>(target.data() - head.data());
    request.method_name = head.substr(0, head.find(' '));
    request.method = to_method(request.method_name);
    if (const auto error = check_version(head.substr(target_at + target.size()), framing))
        return error;
    if (target_at != request.method_name.size() + 1) {
        return bad("There must be exactly one space between the method and the target.");
    }
    if (request.method_name == "CONNECT") {
        return ParseError{501, "CONNECT is not implemented: this server is not a proxy."};
    }
    if (target == "*" && request.method == Method::options) return std::nullopt;
    if (!target.starts_with('/'))
        return bad("The request target must be a path that begins with '/'.");
    if (target.find('#') != std::string_view::npos) {
        return bad("The request target must not have a fragment ('#').");
    }
    const size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    request.query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
    return std::nullopt;
}

// Collects the fields that matter for framing; each may appear once.
class FramingFields {
public:
    std::optional<ParseError> take(const Field& field) {
        switch (field.name.size()) {
            case 4:
                if (equal_ignoring_case(field.name, "host")) return take_host(field.value);
                break;
            case 6:
                if (equal_ignoring_case(field.name, "expect")) return take_expect(field.value);
                break;
            case 14:
                if (equal_ignoring_case(field.name, "content-length"))
                    return take_length(field.value);
                break;
            case 17:
                if (equal_ignoring_case(field.name, "transfer-encoding"))
                    return take_coding(field.value);
                break;
            default:
                break;
        }
        return std::nullopt;
    }

    std::optional<ParseError> finish(Framing& framing) const {
        if (framing.is_http11 && !has_host_)
            return bad("An HTTP/1.1 request must have a Host field.");
        if (has_coding_ && length_) {
            return bad("A request must not have both Content-Length and Transfer-Encoding.");
        }
        if (has_coding_ && !framing.is_http11) return bad("Transfer-Encoding requires HTTP/1.1.");
        if (length_.value_or(0) > kBodyMax)
            return ParseError{413, "The request body must not exceed 64 KiB."};
        framing.is_chunked = has_coding_;
        framing.content_length = static_cast<size_t>(length_.value_or(0));
        // RFC 9110 section 10.1.1: to be ignored in HTTP/1.0, and without a body.
        framing.awaits_continue =
            expects_continue_ && framing.is_http11 && (has_coding_ || framing.content_length > 0);
        return std::nullopt;
    }

private:
    std::optional<ParseError> take_host(std::string_view value) {
        if (has_host_) return bad("A request must not have several Host fields.");
        has_host_ = true;
        if (!consists_of(value, kHostChars))
            return bad("The Host field must be a host name and perhaps a port.");
        return std::nullopt;
    }

    std::optional<ParseError> take_expect(std::string_view value) {
        if (!equal_ignoring_case(value, "100-continue")) {
            return ParseError{417, "The only expectation that can be met is 100-continue."};
        }
        expects_continue_ = true;
        return std::nullopt;
    }

    std::optional<ParseError> take_length(std::string_view value) {
        if (length_) return bad("A request must not have several Content-Length fields.");
        length_ = parse_decimal(value);
        if (!length_) return bad("Content-Length must be one decimal number.");
        return std::nullopt;
    }

    std::optional<ParseError> take_coding(std::string_view value) {
        if (has_coding_ || !equal_ignoring_case(value, "chunked")) {
            return bad("Transfer-Encoding must be \"chunked\" and nothing else.");
        }
        has_coding_ = true;
        return std::nullopt;
    }

    std::optional<uint64_t> length_;
    bool has_host_ = false;
    bool has_coding_ = false;
    bool expects_continue_ = false;
};

}  // namespace

bool is_token(std::string_view text) { return !text.empty() && consists_of(text, kTokenChars); }

std::optional<ParseError> check_head(std::string_view head,
                                     std::span<Field> fields,
                                     Request& request,
                                     Framing& framing) {
    if (const auto error = check_request_line(head, request, framing)) return error;
    FramingFields framing_fields;
    for (Field& field : fields) {
        field.value = without_trailing_space(field.value);
        if (const auto error = framing_fields.take(field)) return error;
    }
    return framing_fields.finish(framing);
}

}  // namespace knuckle::http1
