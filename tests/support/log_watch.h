// SPDX-License-Identifier: GPL-3.0-or-later
// What is logged while it lives; before and after, lines go to stderr.
//
//     const LogWatch log;
//     log.lines()                 as they were written, oldest first
//
// One at a time, as there is one log.  Thread: the test's.
#pragma once

#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "base/log.h"

namespace knuckle::test {

class LogWatch {
public:
    LogWatch() {
        all().clear();
        log::set_sink([](std::string_view line) { all().emplace_back(line); });
    }
    ~LogWatch() {
        log::set_sink([](std::string_view line) {
            static_cast<void>(::write(STDERR_FILENO, line.data(), line.size()) < 0);
        });
    }
    LogWatch(const LogWatch&) = delete;
    LogWatch& operator=(const LogWatch&) = delete;

    [[nodiscard]] const std::vector<std::string>& lines() const { return all(); }

private:
    // The sink is a plain function, so what it fills belongs to nobody.
    static std::vector<std::string>& all() {
        static std::vector<std::string> lines;
        return lines;
    }
};

}  // namespace knuckle::test
