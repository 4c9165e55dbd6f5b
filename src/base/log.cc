// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/log.h"

#include <algorithm>
#include <cstring>
#include <unistd.h>

#include "base/text.h"

namespace knuckle::log {

namespace {

void write_to_stderr(std::string_view line) {
    // A log that cannot be written must not stop the gateway, so the result is only looked at.
    const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
    static_cast<void>(written);
}

Sink g_sink = write_to_stderr;
Level g_level = Level::info;

bool is_control(char c) { return (c >= 0 && c < ' ') || c == 0x7f; }

bool needs_quotes(std::string_view value) {
    return value.empty() || std::any_of(value.begin(), value.end(), [](char c) {
               return is_control(c) || c == ' ' || c == '"' || c == '\\' || c == '=';
           });
}

}  // namespace

void set_sink(Sink sink) { g_sink = sink; }
void set_level(Level level) { g_level = level; }

Line::Line(Level level, std::string_view event) : is_wanted_(level <= g_level) {
    const char priority[3] = {'<', static_cast<char>('0' + static_cast<int>(level)), '>'};
    put({priority, sizeof priority});
    put("event=");
    put(event);
}

Line::~Line() {
    if (!is_wanted_) return;
    size_ = std::min(size_, kLineMax - 1);
    text_[size_] = '\n';
    g_sink({text_.data(), size_ + 1});
}

Line& Line::field(std::string_view name, std::string_view value) {
    put(" ");
    put(name);
    put("=");
    value = value.substr(0, kValueMax);
    if (!needs_quotes(value)) {
        put(value);
        return *this;
    }
    put("\"");
    for (const char c : value) {
        if (c == '"' || c == '\\') put("\\");
        put(is_control(c) ? std::string_view(" ") : std::string_view(&c, 1));
    }
    put("\"");
    return *this;
}

Line& Line::field(std::string_view name, uint64_t value) {
    DecimalText storage;
    return field(name, format_decimal(value, storage));
}

Line& Line::field(std::string_view name, Error error) {
    field(name, error.what);
    if (error.detail != 0) {
        DecimalText storage;
        const bool is_negative = error.detail < 0;
        const int64_t detail = error.detail;
        put(is_negative ? " detail=-" : " detail=");
        put(format_decimal(static_cast<uint64_t>(is_negative ? -detail : detail), storage));
    }
    return *this;
}

void Line::put(std::string_view text) {
    const size_t size = std::min(text.size(), text_.size() - size_);
    if (size > 0) std::memcpy(text_.data() + size_, text.data(), size);
    size_ += size;
}

}  // namespace knuckle::log
