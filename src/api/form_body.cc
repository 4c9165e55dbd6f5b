// SPDX-License-Identifier: GPL-3.0-or-later
#include "api/form_body.h"

#include <cstddef>

#include "api/percent.h"
#include "api/refusals.h"
#include "base/text.h"

namespace knuckle::api {

std::optional<Reply> read_form(std::string_view body, Fields& fields, Scratch& scratch) {
    fields.is_form = true;
    while (!body.empty()) {
        const std::string_view pair = body.substr(0, body.find('&'));
        body.remove_prefix(pair.size() < body.size() ? pair.size() + 1 : pair.size());
        const size_t equals = pair.find('=');
        const auto index =
            fields.index_of(percent_decode(pair.substr(0, equals), PlusSign::means_space, scratch));
        if (!index) continue;
        const std::string_view encoded =
            equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
        const std::string_view text = percent_decode(encoded, PlusSign::means_space, scratch);
        if (!is_valid_utf8(text)) return parse_error("Form", "a field is not UTF-8");
        fields[*index] = {Value::Kind::text, text};
    }
    return std::nullopt;
}

}  // namespace knuckle::api
