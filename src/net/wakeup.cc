// SPDX-License-Identifier: GPL-3.0-or-later
#include "net/wakeup.h"

#include <mutex>

#include <uv.h>

#include "base/assert.h"
#include "net/loop_state.h"

namespace knuckle::net {

struct Wakeup::State {
    uv_async_t async{};
    Callback callback = nullptr;
    void* context = nullptr;
    // uv_async_send() on a handle that is being closed is undefined, hence the lock around both.
    std::mutex mutex;
    bool is_closed = false;
};

Wakeup::Wakeup(Loop& loop, Callback callback, void* context) : state_(std::make_unique<State>()) {
    state_->callback = callback;
    state_->context = context;
    const int error = uv_async_init(&loop.state().uv, &state_->async, [](uv_async_t* async) {
        State& state = *static_cast<State*>(async->data);
        if (!state.is_closed) state.callback(state.context);
    });
    KNUCKLE_ASSERT(error == 0);
    state_->async.data = state_.get();
}

Wakeup::~Wakeup() { KNUCKLE_ASSERT(state_->is_closed); }

void Wakeup::signal() {
    const std::lock_guard lock(state_->mutex);
    if (!state_->is_closed) uv_async_send(&state_->async);
}

void Wakeup::close() {
    const std::lock_guard lock(state_->mutex);
    if (state_->is_closed) return;
    state_->is_closed = true;
    uv_close(reinterpret_cast<uv_handle_t*>(&state_->async), nullptr);
}

}  // namespace knuckle::net
