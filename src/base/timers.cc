// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/timers.h"

namespace knuckle {

void Timers::arm(Timer& timer, Instant deadline) {
    const bool is_later = deadline >= timer.deadline;
    timer.deadline = deadline;
    if (!timer.is_armed()) {
        heap_.push_back(&timer);
        timer.position = static_cast<uint32_t>(heap_.size() - 1);
        sift_up(timer.position);
    } else if (is_later) {
        sift_down(timer.position);
    } else {
        sift_up(timer.position);
    }
}

void Timers::disarm(Timer& timer) {
    if (!timer.is_armed()) return;
    const size_t hole = timer.position;
    timer.position = Timer::kIdle;
    Timer* const last = heap_.back();
    heap_.pop_back();
    if (last == &timer) return;
    place(hole, *last);
    sift_up(hole);
    sift_down(last->position);
}

Timer* Timers::pop_due(Instant now) {
    if (heap_.empty() || heap_.front()->deadline > now) return nullptr;
    Timer* const due = heap_.front();
    disarm(*due);
    return due;
}

void Timers::sift_up(size_t position) {
    Timer* const timer = heap_[position];
    while (position > 0) {
        const size_t parent = (position - 1) / 2;
        if (heap_[parent]->deadline <= timer->deadline) break;
        place(position, *heap_[parent]);
        position = parent;
    }
    place(position, *timer);
}

void Timers::sift_down(size_t position) {
    Timer* const timer = heap_[position];
    for (;;) {
        size_t child = position * 2 + 1;
        if (child >= heap_.size()) break;
        const size_t other = child + 1;
        if (other < heap_.size() && heap_[other]->deadline < heap_[child]->deadline) child = other;
        if (timer->deadline <= heap_[child]->deadline) break;
        place(position, *heap_[child]);
        position = child;
    }
    place(position, *timer);
}

void Timers::place(size_t position, Timer& timer) {
    heap_[position] = &timer;
    timer.position = static_cast<uint32_t>(position);
}

}  // namespace knuckle
