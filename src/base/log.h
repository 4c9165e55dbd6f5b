// SPDX-License-Identifier: GPL-3.0-or-later
// One structured line per event, for people and for journald:
//
//     log::warning("provider_unavailable").field("app", name).field("error", error);
//     <4>event=provider_unavailable app=chat error="connection refused"
//
// The line goes out when the expression ends. Values are quoted when they need it and cut at 256
// bytes; a line at 1 KiB. The <N> prefix is the journald priority (sd-daemon(3)).
// Rule: never a token, key, password, registration id, request path or Authorization value, at any
// level. The names of events and fields are string literals and are listed in docs/OPERATIONS.md.
// Thread: any; a line is one write. Owner: the process; the sink is set once, before threads start.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace knuckle::log {

enum class Level : uint8_t { error = 3, warning = 4, notice = 5, info = 6, debug = 7 };

class Line {
public:
    Line(Level level, std::string_view event);
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;
    ~Line();

    Line& field(std::string_view name, std::string_view value);
    Line& field(std::string_view name, const char* value) {
        return field(name, std::string_view(value));
    }
    Line& field(std::string_view name, uint64_t value);
    Line& field(std::string_view name, Error error);

private:
    static constexpr size_t kValueMax = 256;
    static constexpr size_t kLineMax = 1024;

    void put(std::string_view text);

    std::array<char, kLineMax> text_;
    size_t size_ = 0;
    bool is_wanted_;
};

inline Line error(std::string_view event) { return {Level::error, event}; }
inline Line warning(std::string_view event) { return {Level::warning, event}; }
inline Line notice(std::string_view event) { return {Level::notice, event}; }
inline Line info(std::string_view event) { return {Level::info, event}; }
inline Line debug(std::string_view event) { return {Level::debug, event}; }

// Where lines go, each with its newline; stderr unless set. Tests and the simulator set their own.
using Sink = void (*)(std::string_view line);
void set_sink(Sink sink);
// Lines less urgent than this are dropped; info unless set.
void set_level(Level level);

}  // namespace knuckle::log
