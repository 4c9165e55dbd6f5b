// SPDX-License-Identifier: GPL-3.0-or-later
// Reads the status of a response, strictly (RFC 9112), without I/O: for a client that asks one
// thing on one connection and needs to know no more than whether it was done. llhttp inside.
//
//     switch (reader.next(received)) {
//         case ResponseReader::Step::need_more:   call again with what comes next
//         case ResponseReader::Step::status:      reader.status(); close the connection
//         case ResponseReader::Step::error:       that was no response; the reader is dead
//     }
//
// The status counts once the whole head is there; interim responses (1xx) before it are passed
// over, but 101 is final: nobody asked for it. Fields are checked and forgotten; a body is not
// read, so nothing of what it says can be believed, or take memory.
// Limit: kResponseHeadMax bytes until the head of the final response ends.
// Owner: app::Webhook.  Thread: its owner's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"

namespace knuckle::http1 {

inline constexpr size_t kResponseHeadMax = 16 * 1024;

class ResponseReader {
public:
    enum class Step : uint8_t { need_more, status, error };

    ResponseReader();
    ~ResponseReader();
    ResponseReader(const ResponseReader&) = delete;
    ResponseReader& operator=(const ResponseReader&) = delete;

    [[nodiscard]] Step next(ByteView input);
    [[nodiscard]] uint16_t status() const;
    // For the next response, on the next connection.
    void reset();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace knuckle::http1
