// SPDX-License-Identifier: GPL-3.0-or-later
#include "bench/arrivals.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace knuckle::bench {

namespace {

constexpr size_t kNumberSize = 16;

uint64_t mixed(uint64_t value) {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
}

}  // namespace

Arrivals::Arrivals(const std::string& path, int flags, size_t devices) {
    const int fd = ::open(path.c_str(), flags | O_RDWR | O_CLOEXEC, 0600);
    struct stat status{};
    // One more, for total().
    if (fd < 0 || (devices != 0 && ::ftruncate(fd, off_t((devices + 1) * sizeof(Arrival))) != 0) ||
        ::fstat(fd, &status) != 0) {
        throw std::runtime_error(path + ": " + std::strerror(errno));
    }
    const auto bytes = static_cast<size_t>(status.st_size);
    void* const memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    ::close(fd);
    if (memory == MAP_FAILED) throw std::runtime_error(path + ": cannot map");
    table_ = static_cast<Arrival*>(memory);
    size_ = bytes / sizeof(Arrival) - 1;
}

Arrivals::~Arrivals() {
    if (table_ != nullptr) ::munmap(static_cast<void*>(table_), (size_ + 1) * sizeof(Arrival));
}

Arrivals Arrivals::create(const std::string& path, size_t devices) {
    return {path, O_CREAT | O_TRUNC, devices};
}

Arrivals Arrivals::open(const std::string& path) { return {path, 0, 0}; }

int64_t now_ns() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::string device_text(uint64_t number) {
    std::array<char, 65> text{};
    std::snprintf(text.data(),
                  text.size(),
                  "%016llx%016llx%016llx%016llx",
                  static_cast<unsigned long long>(number),
                  static_cast<unsigned long long>(mixed(number + 1)),
                  static_cast<unsigned long long>(mixed(number + 2)),
                  static_cast<unsigned long long>(mixed(number + 3)));
    return text.data();
}

size_t device_number(std::string_view registration) {
    size_t number = 0;
    const std::string_view digits = registration.substr(0, kNumberSize);
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
    return end == digits.data() + kNumberSize ? number : SIZE_MAX;
}

}  // namespace knuckle::bench
