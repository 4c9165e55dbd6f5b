// SPDX-License-Identifier: GPL-3.0-or-later
// Notices when most of a crowd has left: then what it needed is worth giving back to the system.
//
//     if (crowd.has_left(connections)) ...           told every turn; true once for each crowd
//
// Owner: engine::Worker.  Thread: its worker's.
#pragma once

#include <algorithm>
#include <cstddef>

namespace knuckle::engine {

class Crowd {
public:
    // Fewer are no crowd: their memory will be wanted again.
    static constexpr size_t kCountMin = 256;

    [[nodiscard]] bool has_left(size_t count) {
        peak_ = std::max(peak_, count);
        if (peak_ < kCountMin || count > peak_ / 2) return false;
        peak_ = count;
        return true;
    }

private:
    size_t peak_ = 0;
};

}  // namespace knuckle::engine
