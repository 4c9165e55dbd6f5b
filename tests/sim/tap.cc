// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/tap.h"

#include <utility>

namespace knuckle::sim {

namespace {

// RFC 9113 section 6.
constexpr uint8_t kData = 0;
constexpr uint8_t kHeaders = 1;
constexpr uint8_t kReset = 3;
constexpr uint8_t kSettings = 4;
constexpr uint8_t kGoaway = 7;
constexpr uint8_t kEndStream = 0x1;
constexpr uint8_t kAck = 0x1;
constexpr uint32_t kMaxConcurrentStreams = 3;
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr size_t kFrameHead = 9;

uint32_t number(std::string_view bytes) {
    uint32_t value = 0;
    for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    return value;
}

}  // namespace

Tap::Tap(std::function<void(const std::string&)> complain, std::function<void(int32_t)> answered)
    : complain_(std::move(complain)), answered_(std::move(answered)) {}

bool Tap::next_frame(std::string& bytes, size_t& at, Frame& frame) {
    const std::string_view rest = std::string_view(bytes).substr(at);
    if (rest.size() < kFrameHead) return false;
    const size_t size = number(rest.substr(0, 3));
    if (rest.size() < kFrameHead + size) return false;
    frame = {.type = static_cast<uint8_t>(rest[3]),
             .flags = static_cast<uint8_t>(rest[4]),
             .stream = static_cast<int32_t>(number(rest.substr(5, 4)) & 0x7fff'ffff),
             .payload = rest.substr(kFrameHead, size)};
    at += kFrameHead + size;
    return true;
}

void Tap::on_sent(std::string_view bytes, uint64_t when) {
    sent_ += bytes;
    size_t at = 0;
    if (!has_preface_) {
        if (sent_.size() < kPreface.size()) return;
        if (!sent_.starts_with(kPreface)) complain_("no HTTP/2 preface");
        has_preface_ = true;
        at = kPreface.size();
    }
    Frame frame;
    while (next_frame(sent_, at, frame)) sent(frame, when);
    sent_.erase(0, at);
}

void Tap::on_received(std::string_view bytes, uint64_t when) {
    received_ += bytes;
    size_t at = 0;
    Frame frame;
    while (next_frame(received_, at, frame)) received(frame, when);
    received_.erase(0, at);
}

void Tap::sent(const Frame& frame, uint64_t when) {
    if (frame.type == kHeaders && !streams_.contains(frame.stream)) open(frame.stream, when);
    const auto found = streams_.find(frame.stream);
    if (found == streams_.end()) return;
    TappedStream& stream = found->second;
    if ((frame.type == kHeaders || frame.type == kData) && (frame.flags & kEndStream) != 0) {
        stream.is_sent = true;
        if (stream.answered != kNotYet) close(stream);
    }
    if (frame.type == kReset) {
        resolve(stream, when);
        close(stream);
    }
}

void Tap::open(int32_t id, uint64_t when) {
    if (has_goaway_) complain_("a stream was opened after GOAWAY came");
    const uint32_t limit = has_response_ ? limit_ : std::min<uint32_t>(limit_, 1);
    if (open_ >= limit) {
        complain_("stream " + std::to_string(id) + " was opened beside " + std::to_string(open_) +
                  " others; the peer allows " + std::to_string(limit));
    }
    streams_[id].begun = when;
    ++open_;
}

void Tap::received(const Frame& frame, uint64_t when) {
    if (frame.type == kSettings && (frame.flags & kAck) == 0) {
        for (size_t at = 0; at + 6 <= frame.payload.size(); at += 6) {
            if (number(frame.payload.substr(at, 2)) == kMaxConcurrentStreams)
                limit_ = number(frame.payload.substr(at + 2, 4));
        }
        return;
    }
    if (frame.type == kGoaway && frame.payload.size() >= 8) {
        has_goaway_ = true;
        const auto last = static_cast<int32_t>(number(frame.payload.substr(0, 4)) & 0x7fff'ffff);
        for (auto stream = streams_.upper_bound(last); stream != streams_.end(); ++stream) {
            resolve(stream->second, when);
            close(stream->second);
        }
        return;
    }
    const auto found = streams_.find(frame.stream);
    if (found == streams_.end()) return;
    TappedStream& stream = found->second;
    if (frame.type == kHeaders && stream.resolved == kNotYet) has_response_ = true;
    if (frame.type == kReset) {
        resolve(stream, when);
        close(stream);
    }
    if ((frame.type == kHeaders || frame.type == kData) && (frame.flags & kEndStream) != 0 &&
        stream.resolved == kNotYet) {
        stream.answered = when;
        resolve(stream, when);
        if (stream.is_sent) close(stream);
        answered_(frame.stream);
    }
}

void Tap::on_end(uint64_t when) {
    for (auto& [id, stream] : streams_) {
        resolve(stream, when);
        close(stream);
    }
}

void Tap::resolve(TappedStream& stream, uint64_t when) {
    if (stream.resolved == kNotYet) stream.resolved = when;
}

void Tap::close(TappedStream& stream) {
    if (!std::exchange(stream.is_open, false)) return;
    --open_;
}

const TappedStream* Tap::find(int32_t stream) const {
    const auto found = streams_.find(stream);
    return found != streams_.end() ? &found->second : nullptr;
}

}  // namespace knuckle::sim
