// SPDX-License-Identifier: GPL-3.0-or-later
// Memory for the texts that one request needs and that do not lie in it as they are: decoded,
// lowered, joined. A text lives until the next reset().
//
//     scratch.reset(most);                 the most that will be kept
//     char* to = scratch.room(size);       write up to `size` characters
//     std::string_view text = scratch.keep(written);
//
// Owner: Decoder.  Thread: its worker's.  Allocates only when `most` is larger than ever before.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/assert.h"

namespace knuckle::api {

class Scratch {
public:
    void reset(size_t most) {
        if (storage_.size() < most) storage_.resize(most);
        used_ = 0;
    }

    [[nodiscard]] char* room(size_t size) {
        KNUCKLE_ASSERT(size <= storage_.size() - used_);
        return storage_.data() + used_;
    }

    [[nodiscard]] std::string_view keep(size_t size) {
        const std::string_view text(storage_.data() + used_, size);
        used_ += size;
        return text;
    }

private:
    std::vector<char> storage_;
    size_t used_ = 0;
};

}  // namespace knuckle::api
