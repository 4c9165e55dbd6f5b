// SPDX-License-Identifier: GPL-3.0-or-later
// Time as the core sees it: always a parameter, never read. The rim reads both clocks once per loop
// turn and hands them in as Now; the simulator hands in whatever it likes.
//
// Instant: monotonic, for deadlines and latencies.  UnixTime: civil, for what leaves the process
// (provider tokens, expiries, dates) and what outlives it.  Raw integers never mean time.
#pragma once

#include <compare>
#include <cstdint>

namespace knuckle {

struct Duration {
    int64_t ns = 0;
    auto operator<=>(const Duration&) const = default;
};

constexpr Duration microseconds(int64_t n) { return {n * 1'000}; }
constexpr Duration milliseconds(int64_t n) { return {n * 1'000'000}; }
constexpr Duration seconds(int64_t n) { return {n * 1'000'000'000}; }
constexpr Duration minutes(int64_t n) { return seconds(n * 60); }
constexpr Duration hours(int64_t n) { return seconds(n * 3600); }

constexpr int64_t to_us(Duration d) { return d.ns / 1'000; }
constexpr int64_t to_ms(Duration d) { return d.ns / 1'000'000; }
constexpr int64_t to_seconds(Duration d) { return d.ns / 1'000'000'000; }

constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
constexpr Duration operator*(Duration a, int64_t n) { return {a.ns * n}; }

struct Instant {
    int64_t ns = 0;
    auto operator<=>(const Instant&) const = default;
};

inline constexpr Instant kNever{INT64_MAX};

constexpr Instant operator+(Instant t, Duration d) { return {t.ns + d.ns}; }
constexpr Duration operator-(Instant a, Instant b) { return {a.ns - b.ns}; }

// Microseconds since 1970-01-01 UTC, leap seconds ignored.
struct UnixTime {
    int64_t us = 0;
    auto operator<=>(const UnixTime&) const = default;
};

constexpr int64_t to_unix_seconds(UnixTime t) { return t.us / 1'000'000; }
constexpr UnixTime from_unix_seconds(int64_t s) { return {s * 1'000'000}; }
constexpr UnixTime operator+(UnixTime t, Duration d) { return {t.us + d.ns / 1'000}; }
constexpr Duration operator-(UnixTime a, UnixTime b) { return {(a.us - b.us) * 1'000}; }

struct Now {
    Instant instant;
    UnixTime unix;
};

}  // namespace knuckle
