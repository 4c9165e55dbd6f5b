// SPDX-License-Identifier: GPL-3.0-or-later
// Loaded before the gateway when it runs under valgrind, which has no room for the address space
// that the database reserves: what is mapped at most. The benchmark's database is far smaller.
#include <algorithm>
#include <dlfcn.h>
#include <sys/mman.h>

extern "C" void* mmap(void* at, size_t size, int rights, int flags, int fd, off_t offset) noexcept {
    using Map = void* (*)(void*, size_t, int, int, int, off_t);
    static const auto map = reinterpret_cast<Map>(::dlsym(RTLD_NEXT, "mmap"));
    constexpr size_t kSizeMax = size_t{1} << 30;
    return map(at, fd < 0 ? size : std::min(size, kSizeMax), rights, flags, fd, offset);
}
