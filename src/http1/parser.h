// SPDX-License-Identifier: GPL-3.0-or-later
// Turns the bytes of one connection into requests, strictly (RFC 9112), without I/O. llhttp inside.
//
//     ByteView input = received;     kBodyPadding readable bytes must follow it in memory
//     switch (parser.next(input)) {  takes from the front of `input`
//         case Step::request:        use parser.request(), then parser.finish(); call again
//         case Step::send_continue:  the client waits for "100 Continue" (RFC 9110 10.1.1); again
//         case Step::need_more:      input is used up
//         case Step::error:          answer parser.error(), close; the parser is dead
//     }
//
// A request that arrives in one piece is never copied, unless its body has several chunks: its
// views point into `input` and live until the caller gives that memory up. One that arrives in
// pieces is gathered in the parser's own storage; its views live until finish(), which gives that
// storage back, so an idle connection is small.
// Refused with 400, because proxies disagree about them (request smuggling): both Content-Length
// and Transfer-Encoding, several Content-Lengths, bare LF or CR, obs-fold, white space before the
// colon, NUL, a transfer coding other than chunked, no Host (or two) in HTTP/1.1, a target that is
// not a path. Refused too: versions but 1.1 and 1.0 (505), CONNECT and unknown methods (501),
// expectations but 100-continue (417), and what exceeds a limit below.
// Ignored: Upgrade, and whatever follows a request without keep_alive.
// Owner: engine::HttpConn.  Thread: its worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "http1/message.h"

namespace knuckle::http1 {

inline constexpr size_t kTargetMax = 2 * 1024;  // 414 beyond
inline constexpr size_t kHeadMax = 8 * 1024;    // 431 beyond: request line and all fields
inline constexpr size_t kFieldsMax = 64;        // 431 beyond
inline constexpr size_t kBodyMax = 64 * 1024;   // 413 beyond
// Chunk extensions and trailers carry nothing for us; more than this in one request is 400.
inline constexpr size_t kChunkOverheadMax = 4 * 1024;

enum class Step : uint8_t { need_more, send_continue, request, error };

// What to answer to a request that cannot be read.
struct ParseError {
    uint16_t status = 400;
    const char* what = "";  // one clear sentence, a string literal
};

class Parser {
public:
    Parser();
    ~Parser();
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;

    [[nodiscard]] Step next(ByteView& input);
    // Call it as soon as nothing of the request is needed: until then it holds 2 KiB for its
    // fields.
    void finish();

    [[nodiscard]] const Request& request() const;
    [[nodiscard]] ParseError error() const;
    // True between the first byte of a request and its end: a silent client is then slow, not idle.
    [[nodiscard]] bool is_in_request() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace knuckle::http1
