// SPDX-License-Identifier: GPL-3.0-or-later
// Wakes a loop from another thread (uv_async_t). Several signals before the loop gets to it are one
// call.
//
//     Wakeup wakeup(loop, callback, context);    on the loop's thread, or before it runs
//     wakeup.signal();                           any thread, until close() was called
//     wakeup.close();                           on the loop's thread; the loop's run() waits for it
//
// Owner: whoever made it; must outlive the loop's run().
#pragma once

#include <memory>

#include "net/loop.h"

namespace knuckle::net {

class Wakeup {
public:
    using Callback = void (*)(void* context);

    Wakeup(Loop& loop, Callback callback, void* context);
    ~Wakeup();
    Wakeup(const Wakeup&) = delete;
    Wakeup& operator=(const Wakeup&) = delete;

    void signal();
    void close();

    struct State;

private:
    std::unique_ptr<State> state_;
};

}  // namespace knuckle::net
