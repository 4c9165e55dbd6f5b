// SPDX-License-Identifier: GPL-3.0-or-later
// A request's body as the few fields that its endpoint knows: the same for JSON, forms and
// multipart.
//
//     Fields fields(names);
//     if (auto reply = reader.read(content_type, body, fields, scratch)) ...    refuse with it
//     fields[0].kind ...                            in the order of `names`
//
// Unknown fields are read past; of several equal names the last counts. Texts are UTF-8 and
// otherwise as sent; they lie in the body, in `scratch` (at most body.size() + kScratchOfFields of
// it) or in the reader, until its next read().
//
// Owner: Decoder.  Thread: its worker's.  Errors: the reply to send; nothing if all went well.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "api/command.h"
#include "api/fields.h"
#include "api/json_body.h"
#include "api/scratch.h"
#include "base/bytes.h"

namespace knuckle::api {

class BodyReader {
public:
    // `body`: http1::Request::kBodyPadding readable bytes follow it.
    [[nodiscard]] std::optional<Reply> read(std::string_view content_type,
                                            ByteView body,
                                            Fields& fields,
                                            Scratch& scratch);

private:
    JsonReader json_;
};

}  // namespace knuckle::api
