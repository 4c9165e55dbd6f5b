// SPDX-License-Identifier: GPL-3.0-or-later
// How a function says that the world did not play along: a value or an Error.
//
//     Result<Config> load(...);
//     auto config = load(path);
//     if (!config) return config.error();          // pass up unchanged
//     Config value = KNUCKLE_TRY(load(path));      // the same in one line
//
// Members carry the names of std::expected, which g++ 12 lacks in C++20 mode; the day we move to
// C++23 only this header changes. Result<T> is move-only and [[nodiscard]]. Any thread.
#pragma once

#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "base/assert.h"

namespace knuckle {

enum class Errc : uint8_t {
    system,       // detail: errno
    invalid,      // an argument, a file or a message is malformed
    not_found,    // a thing that was named does not exist
    limit,        // one of our own limits is reached
    unavailable,  // a peer cannot be reached, or went away
    protocol,     // a peer broke its protocol; detail: the library's code
    tls,          // detail: wolfSSL's code
    storage,      // detail: LMDB's code
    corrupt,      // stored bytes do not decode or do not authenticate
};

// 16 bytes, trivially copyable, never allocates. `what` is a string literal for people.
struct [[nodiscard]] Error {
    const char* what = "";
    int32_t detail = 0;
    Errc code = Errc::system;
};
static_assert(sizeof(Error) == 16);

[[nodiscard]] constexpr Error fail(Errc code, const char* what, int32_t detail = 0) {
    return Error{what, detail, code};
}

template <typename T>
class [[nodiscard]] Result {
public:
    // Both are implicit so that `return value;` and `return fail(...);` read alike.
    // NOLINTBEGIN(google-explicit-constructor)
    Result(T value) : has_value_(true) { new (&value_) T(std::move(value)); }
    Result(Error error) : error_(error), has_value_(false) {}
    // NOLINTEND(google-explicit-constructor)

    Result(Result&& other) noexcept : has_value_(other.has_value_) {
        if (has_value_) {
            new (&value_) T(std::move(other.value_));
        } else {
            error_ = other.error_;
        }
    }
    Result& operator=(Result&& other) noexcept {
        if (this != &other) {
            this->~Result();
            new (this) Result(std::move(other));
        }
        return *this;
    }
    Result(const Result&) = delete;
    Result& operator=(const Result&) = delete;
    ~Result() {
        if (has_value_) value_.~T();
    }

    [[nodiscard]] bool has_value() const { return has_value_; }
    explicit operator bool() const { return has_value_; }

    T& operator*() {
        KNUCKLE_ASSERT(has_value_);
        return value_;
    }
    const T& operator*() const {
        KNUCKLE_ASSERT(has_value_);
        return value_;
    }
    T* operator->() { return &**this; }
    const T* operator->() const { return &**this; }

    [[nodiscard]] Error error() const {
        KNUCKLE_ASSERT(!has_value_);
        return error_;
    }
    [[nodiscard]] T value_or(T fallback) && {
        return has_value_ ? std::move(value_) : std::move(fallback);
    }

private:
    union {
        T value_;
        Error error_;
    };
    bool has_value_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    // NOLINTNEXTLINE(google-explicit-constructor)
    Result(Error error) : error_(error), has_value_(false) {}

    [[nodiscard]] bool has_value() const { return has_value_; }
    explicit operator bool() const { return has_value_; }
    void operator*() const { KNUCKLE_ASSERT(has_value_); }
    [[nodiscard]] Error error() const {
        KNUCKLE_ASSERT(!has_value_);
        return error_;
    }

private:
    Error error_;
    bool has_value_ = true;
};

template <typename T>
T take_value(Result<T>& result) {
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace knuckle

// Unwraps a Result or returns its error from the enclosing function (after SerenityOS' TRY).
#define KNUCKLE_TRY(expression)                             \
    __extension__({                                         \
        auto knuckle_result = (expression);                 \
        if (!knuckle_result) return knuckle_result.error(); \
        ::knuckle::take_value(knuckle_result);              \
    })
