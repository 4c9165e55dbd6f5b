// SPDX-License-Identifier: GPL-3.0-or-later
// Reads application/json with simdjson: all of it is checked (RFC 8259, UTF-8, paired surrogates,
// numbers of at most 64 bits, no byte order mark, nothing behind it), also what is not used.
//
// Owner: BodyReader.  Thread: its worker's.  Limits: kNestingMax.
// Memory: 14 bytes for each byte of the largest body so far, and for kJsonCapacity from the start.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "api/command.h"
#include "api/fields.h"
#include "api/scratch.h"
#include "base/bytes.h"

namespace knuckle::api {

inline constexpr size_t kJsonCapacity = 16 * 1024;
// For the numbers and objects among the fields.
inline constexpr size_t kScratchOfFields = 8 * 1024;

class JsonReader {
public:
    JsonReader();
    ~JsonReader();
    JsonReader(const JsonReader&) = delete;
    JsonReader& operator=(const JsonReader&) = delete;

    // `body`: http1::Request::kBodyPadding readable bytes follow it. Uses at most kScratchOfFields
    // of `scratch`. Returns nothing if all went well.
    [[nodiscard]] std::optional<Reply> read(ByteView body, Fields& fields, Scratch& scratch);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace knuckle::api
