// SPDX-License-Identifier: GPL-3.0-or-later
#include "net/signals.h"

#include <array>

#include <uv.h>

#include "base/assert.h"
#include "net/loop_state.h"

namespace knuckle::net {

struct Signals::State {
    std::array<uv_signal_t, 8> handles{};
    size_t count = 0;
    Callback callback = nullptr;
    void* context = nullptr;
    bool is_closed = false;
};

Signals::Signals(Loop& loop, std::initializer_list<int> numbers, Callback callback, void* context)
    : state_(std::make_unique<State>()) {
    KNUCKLE_ASSERT(numbers.size() <= state_->handles.size());
    state_->callback = callback;
    state_->context = context;
    for (const int number : numbers) {
        uv_signal_t& handle = state_->handles[state_->count++];
        uv_signal_init(&loop.state().uv, &handle);
        handle.data = state_.get();
        uv_signal_start(
            &handle,
            [](uv_signal_t* signal, int raised) {
                const State& state = *static_cast<State*>(signal->data);
                state.callback(state.context, raised);
            },
            number);
    }
}

Signals::~Signals() { KNUCKLE_ASSERT(state_->is_closed); }

void Signals::close() {
    if (state_->is_closed) return;
    state_->is_closed = true;
    for (size_t i = 0; i < state_->count; ++i) {
        uv_close(reinterpret_cast<uv_handle_t*>(&state_->handles[i]), nullptr);
    }
}

}  // namespace knuckle::net
