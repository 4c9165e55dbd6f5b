// SPDX-License-Identifier: GPL-3.0-or-later
#include "api/multipart_body.h"

#include <array>
#include <cstring>

#include "api/media_type.h"
#include "api/refusals.h"
#include "base/text.h"

namespace knuckle::api {

namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kDashes = "--";

Reply malformed_multipart(std::string_view what) { return parse_error("Multipart form", what); }

// Takes one line, without its end, from the front of `text`. Nothing: it does not end.
std::optional<std::string_view> take_line(std::string_view& text) {
    const size_t end = text.find(kLineEnd);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + kLineEnd.size());
    return line;
}

// Takes a part's header from the front of `text`: the part's name, or nothing if it has none or
// does not end.
std::optional<std::string_view> take_name(std::string_view& text) {
    std::optional<std::string_view> name;
    while (const auto line = take_line(text)) {
        if (line->empty()) return name;
        const size_t colon = line->find(':');
        if (colon == std::string_view::npos) return std::nullopt;
        if (!equal_ignoring_case(line->substr(0, colon), "Content-Disposition")) continue;
        const std::string_view disposition = line->substr(colon + 1);
        if (!equal_ignoring_case(media_type_of(disposition), "form-data")) return std::nullopt;
        name = find_parameter(disposition, "name");
    }
    return std::nullopt;
}

}  // namespace

//   body      := [ preamble CRLF ] "--" boundary *( spaces CRLF part CRLF "--" boundary ) "--" [
//   anything ] part      := *( field CRLF ) CRLF content
std::optional<Reply> read_multipart(std::string_view body,
                                    std::string_view boundary,
                                    Fields& fields) {
    fields.is_form = true;
    if (boundary.size() > kBoundaryMax)
        return malformed_multipart("the boundary is longer than 70 characters");
    std::array<char, kLineEnd.size() + kDashes.size() + kBoundaryMax> storage;
    std::memcpy(storage.data(), "\r\n--", 4);
    std::memcpy(storage.data() + 4, boundary.data(), boundary.size());
    const std::string_view delimiter(storage.data(), boundary.size() + 4);

    // The first delimiter may stand at the very beginning, where no line ends before it.
    if (body.starts_with(delimiter.substr(kLineEnd.size()))) {
        body.remove_prefix(delimiter.size() - kLineEnd.size());
    } else if (const size_t begin = body.find(delimiter); begin != std::string_view::npos) {
        body.remove_prefix(begin + delimiter.size());
    } else {
        return malformed_multipart("the boundary does not appear");
    }
    for (size_t parts = 0; !body.starts_with(kDashes); ++parts) {
        if (parts == kPartsMax) return malformed_multipart("there are more than 32 parts");
        const auto padding = take_line(body);
        if (!padding || !trim(*padding).empty())
            return malformed_multipart("a boundary is not alone on its line");
        const auto name = take_name(body);
        if (!name) return malformed_multipart("a part has no name");
        const size_t end = body.find(delimiter);
        if (end == std::string_view::npos)
            return malformed_multipart("the closing boundary is missing");
        const std::string_view text = body.substr(0, end);
        body.remove_prefix(end + delimiter.size());
        const auto index = fields.index_of(*name);
        if (!index) continue;
        if (!is_valid_utf8(text)) return malformed_multipart("a field is not UTF-8");
        fields[*index] = {Value::Kind::text, text};
    }
    return std::nullopt;
}

}  // namespace knuckle::api
