// SPDX-License-Identifier: GPL-3.0-or-later
#include <csignal>

#include <catch_amalgamated.hpp>

#include "net/signals.h"
#include "tests/support/loop_thread.h"

namespace knuckle::test {

TEST_CASE("a signal becomes a call on the loop", "[net]") {
    struct Watch {
        net::Loop loop{net::LoopOptions{}};
        Events events{loop};
        net::Signals signals{loop, {SIGUSR1, SIGUSR2}, &Watch::on_signal, this};
        std::vector<int> seen;

        static void on_signal(void* self, int number) {
            Watch& watch = *static_cast<Watch*>(self);
            watch.seen.push_back(number);
            if (watch.seen.size() == 1) ::raise(SIGUSR1);
            if (watch.seen.size() < 2) return;
            watch.signals.close();
            watch.signals.close();
            watch.loop.stop();
        }
    };
    Watch watch;
    ::raise(SIGUSR2);
    watch.loop.run(watch.events);
    CHECK(watch.seen == std::vector<int>{SIGUSR2, SIGUSR1});
}

}  // namespace knuckle::test
