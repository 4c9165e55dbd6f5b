// SPDX-License-Identifier: GPL-3.0-or-later
#include "api/body.h"

#include "api/form_body.h"
#include "api/media_type.h"
#include "api/multipart_body.h"
#include "api/refusals.h"
#include "base/text.h"

namespace knuckle::api {

std::optional<Reply> BodyReader::read(std::string_view content_type,
                                      ByteView body,
                                      Fields& fields,
                                      Scratch& scratch) {
    // As in the reference: without a body, or without a word on what it is, there are no fields.
    if (body.empty() || content_type.empty()) return std::nullopt;
    const std::string_view type = media_type_of(content_type);
    if (equal_ignoring_case(type, "application/json")) return json_.read(body, fields, scratch);
    if (equal_ignoring_case(type, "application/x-www-form-urlencoded"))
        return read_form(as_text(body), fields, scratch);
    if (equal_ignoring_case(type, "multipart/form-data")) {
        const auto boundary = find_parameter(content_type, "boundary");
        if (!boundary || boundary->empty()) return std::nullopt;
        return read_multipart(as_text(body), *boundary, fields);
    }
    return unsupported_media_type(content_type);
}

}  // namespace knuckle::api
