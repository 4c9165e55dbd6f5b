// SPDX-License-Identifier: GPL-3.0-or-later
// Unix signals as calls on a loop's thread.
//
//     Signals signals(loop, {SIGTERM, SIGINT, SIGHUP}, callback, context);
//     signals.close();               on the loop's thread; the loop's run() waits for it
//
// Owner: app::Supervisor; must outlive the loop's run().
#pragma once

#include <initializer_list>
#include <memory>

#include "net/loop.h"

namespace knuckle::net {

class Signals {
public:
    using Callback = void (*)(void* context, int number);

    Signals(Loop& loop, std::initializer_list<int> numbers, Callback callback, void* context);
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    void close();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace knuckle::net
