// SPDX-License-Identifier: GPL-3.0-or-later
// A file descriptor that closes itself, and what POSIX wants before a new name is sure to be on
// disk. Owner: whoever opened it.  Thread: one.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace knuckle::store {

class File {
public:
    File() = default;
    explicit File(int descriptor) : descriptor_(descriptor) {}  // -1: could not be opened
    File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    File& operator=(File&& other) noexcept;
    ~File() { close(); }

    [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }
    [[nodiscard]] int descriptor() const { return descriptor_; }

private:
    void close();

    int descriptor_ = -1;
};

// A file that was created or renamed is sure to be found after a crash only when its directory is
// synced.
Result<void> sync_directory(const std::string& path);
Result<void> sync_directory_of(const std::string& file_path);

}  // namespace knuckle::store
