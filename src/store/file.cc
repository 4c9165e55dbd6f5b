// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/file.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace knuckle::store {

File& File::operator=(File&& other) noexcept {
    if (this != &other) {
        close();
        descriptor_ = std::exchange(other.descriptor_, -1);
    }
    return *this;
}

void File::close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

Result<void> sync_directory(const std::string& path) {
    const File directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.is_open() || ::fsync(directory.descriptor()) != 0) {
        return fail(Errc::system, "cannot sync the directory", errno);
    }
    return {};
}

Result<void> sync_directory_of(const std::string& file_path) {
    const size_t slash = file_path.find_last_of('/');
    if (slash == std::string::npos) return sync_directory(".");
    return sync_directory(slash == 0 ? "/" : file_path.substr(0, slash));
}

}  // namespace knuckle::store
