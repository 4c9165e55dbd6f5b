// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/files.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

namespace knuckle::app {

namespace {

constexpr std::string_view kCredentialPrefix = "credential:";

}  // namespace

Result<std::string> resolve_path(const std::string& name) {
    if (!name.starts_with(kCredentialPrefix)) return name;
    // NOLINT(concurrency-mt-unsafe): one thread
    // NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread starts
    const char* const directory = std::getenv("CREDENTIALS_DIRECTORY");
    if (directory == nullptr) {
        return fail(Errc::not_found,
                    "needs systemd's credentials: in a unit add LoadCredential=, from a shell set "
                    "CREDENTIALS_DIRECTORY to the folder of the keys");
    }
    return std::string(directory) + "/" + name.substr(kCredentialPrefix.size());
}

Result<std::string> read_file(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail(Errc::system, "cannot be opened", errno);
    std::string text;
    std::array<char, 16 * 1024> piece;
    ssize_t size = 0;
    while ((size = ::read(fd, piece.data(), piece.size())) > 0 && text.size() <= kFileMax) {
        text.append(piece.data(), static_cast<size_t>(size));
    }
    const int error = errno;
    ::close(fd);
    if (size < 0) return fail(Errc::system, "cannot be read", error);
    if (text.size() > kFileMax) return fail(Errc::limit, "is larger than 4 MiB");
    return text;
}

}  // namespace knuckle::app
