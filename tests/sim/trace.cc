// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/trace.h"

#include <algorithm>
#include <cstdarg>

namespace knuckle::sim {

Trace::Trace(bool is_printed) : is_printed_(is_printed), kept_(kLinesKept) {}

void Trace::note(const char* format, ...) {
    std::array<char, kLineMax> text;
    va_list arguments;
    va_start(arguments, format);
    const int wanted = std::vsnprintf(text.data(), text.size(), format, arguments);
    va_end(arguments);
    const size_t size = std::min(static_cast<size_t>(std::max(wanted, 0)), text.size() - 1);

    // FNV-1a, over the time too.
    const auto mix = [this](uint64_t octet) { hash_ = (hash_ ^ octet) * 0x100000001b3; };
    mix(static_cast<uint64_t>(now_.ns));
    for (size_t i = 0; i < size; ++i) mix(static_cast<unsigned char>(text[i]));

    std::string& line = kept_[lines_++ % kLinesKept];
    std::array<char, 32> time;
    std::snprintf(time.data(), time.size(), "%14.6f  ", static_cast<double>(now_.ns) / 1e9);
    line.assign(time.data()).append(text.data(), size);
    if (is_printed_) std::printf("%s\n", line.c_str());
}

void Trace::show_last(std::FILE* to) const {
    for (uint64_t i = lines_ - std::min<uint64_t>(lines_, kLinesKept); i < lines_; ++i)
        std::fprintf(to, "%s\n", kept_[i % kLinesKept].c_str());
}

}  // namespace knuckle::sim
