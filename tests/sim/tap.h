// SPDX-License-Identifier: GPL-3.0-or-later
// A wiretap on one HTTP/2 connection, at the gateway's end: what the gateway has said, and what it
// has been told, by the heads of the frames alone. It knows neither nghttp2 nor the gateway, so
// that it can judge both.
//
//     tap.on_sent(bytes, when)  tap.on_received(bytes, when)  tap.on_end(when)
//     tap.find(stream)->resolved   when the gateway learned, or decided, that this try is over
//
// `when` is a number that counts up with everything that happens. Owner: a Wire.  Thread: one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace knuckle::sim {

inline constexpr uint64_t kNotYet = UINT64_MAX;

// What the gateway knows of a stream.
struct TappedStream {
    uint64_t begun = kNotYet;
    uint64_t answered = kNotYet;  // the whole answer came before the gateway gave up
    uint64_t resolved = kNotYet;  // answered, reset, given up, refused by GOAWAY, or cut off
    bool is_sent = false;         // the gateway's half is closed
    bool is_open = true;          // counts towards the peer's limit
};

class Tap {
public:
    // `complain`: the gateway broke a rule of the wire. `answered`: it has a whole answer.
    Tap(std::function<void(const std::string&)> complain, std::function<void(int32_t)> answered);

    void on_sent(std::string_view bytes, uint64_t when);
    void on_received(std::string_view bytes, uint64_t when);
    void on_end(uint64_t when);

    [[nodiscard]] const TappedStream* find(int32_t stream) const;
    [[nodiscard]] size_t streams_open() const { return open_; }

private:
    struct Frame {
        uint8_t type = 0;
        uint8_t flags = 0;
        int32_t stream = 0;
        std::string_view payload;
    };
    static bool next_frame(std::string& bytes, size_t& at, Frame& frame);
    void sent(const Frame& frame, uint64_t when);
    void received(const Frame& frame, uint64_t when);
    void open(int32_t stream, uint64_t when);
    void resolve(TappedStream& stream, uint64_t when);
    void close(TappedStream& stream);

    std::function<void(const std::string&)> complain_;
    std::function<void(int32_t)> answered_;
    std::string sent_;
    std::string received_;
    bool has_preface_ = false;
    bool has_response_ = false;
    bool has_goaway_ = false;
    uint32_t limit_ = UINT32_MAX;  // what the peer announced, as far as the gateway has heard
    size_t open_ = 0;
    std::map<int32_t, TappedStream> streams_;
};

}  // namespace knuckle::sim
