// SPDX-License-Identifier: GPL-3.0-or-later
// An intrusive doubly linked list: the links live inside the objects, so joining and leaving never
// allocate and a thing can leave without a search. One Link member per list a thing may be in.
//
//     struct Job { Link link; ... };
//     List<Job, &Job::link> waiting;
//     waiting.push_back(job);  waiting.erase(job);  Job* first = waiting.front();
//
// Owner: the list owns nothing.  Thread: one.
// Invariant: an object is in at most one list per Link; joining twice or leaving a list one is not
// in is our own bug and asserts.
#pragma once

#include <cstddef>

#include "base/assert.h"

namespace knuckle {

struct Link {
    Link() = default;
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    [[nodiscard]] bool is_linked() const { return prev != this; }

    // The object before this one, or nullptr. In no list: the link itself, which is none.
    void* prev = this;
    void* next = nullptr;
};

template <typename T, Link T::* Member>
class List {
public:
    List() = default;
    List(const List&) = delete;
    List& operator=(const List&) = delete;

    void push_back(T& item) {
        Link& link = item.*Member;
        KNUCKLE_ASSERT(!link.is_linked());
        link.prev = last_;
        link.next = nullptr;
        if (last_ != nullptr) {
            (last_->*Member).next = &item;
        } else {
            first_ = &item;
        }
        last_ = &item;
        ++count_;
    }

    void push_front(T& item) {
        Link& link = item.*Member;
        KNUCKLE_ASSERT(!link.is_linked());
        link.prev = nullptr;
        link.next = first_;
        if (first_ != nullptr) {
            (first_->*Member).prev = &item;
        } else {
            last_ = &item;
        }
        first_ = &item;
        ++count_;
    }

    void erase(T& item) {
        Link& link = item.*Member;
        KNUCKLE_ASSERT(link.is_linked());
        T* const prev = static_cast<T*>(link.prev);
        T* const next = static_cast<T*>(link.next);
        if (prev != nullptr) {
            (prev->*Member).next = next;
        } else {
            first_ = next;
        }
        if (next != nullptr) {
            (next->*Member).prev = prev;
        } else {
            last_ = prev;
        }
        link.prev = &link;
        link.next = nullptr;
        --count_;
    }

    T* pop_front() {
        T* const item = first_;
        if (item != nullptr) erase(*item);
        return item;
    }

    [[nodiscard]] T* front() const { return first_; }
    [[nodiscard]] static T* next(const T& item) { return static_cast<T*>((item.*Member).next); }
    [[nodiscard]] static bool contains(const T& item) { return (item.*Member).is_linked(); }
    [[nodiscard]] bool is_empty() const { return first_ == nullptr; }
    [[nodiscard]] size_t count() const { return count_; }

private:
    T* first_ = nullptr;
    T* last_ = nullptr;
    size_t count_ = 0;
};

}  // namespace knuckle
