// SPDX-License-Identifier: GPL-3.0-or-later
// A disk without room, for as long as it lives: no file of this process can be written beyond its
// first page (RLIMIT_FSIZE), so a write fails with EFBIG as it would with ENOSPC.
// Keep it short: the test's own reports cannot be written to a file either.
#pragma once

#include <csignal>
#include <sys/resource.h>

namespace knuckle::test {

class FullDisk {
public:
    FullDisk() : old_action_(std::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &old_limit_);
        const rlimit limit{4'096, old_limit_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FullDisk() {
        ::setrlimit(RLIMIT_FSIZE, &old_limit_);
        std::signal(SIGXFSZ, old_action_);
    }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;

private:
    rlimit old_limit_{};
    void (*old_action_)(int);
};

}  // namespace knuckle::test
