// SPDX-License-Identifier: GPL-3.0-or-later
// The Apple Push Notification service as a codec: a job becomes an HTTP/2 request, a response an
// Answer. Pure.
//
// Sources: developer.apple.com "Sending notification requests to APNs" and "Handling notification
// responses from APNs"; the payload is chatsecure-push.md 4.3. Compression follows Apple's wishes:
// path and authorization never enter the table, the per-push fields only once per connection.
// Owner and thread: the caller's.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "http2/message.h"
#include "push/job.h"
#include "push/types.h"

namespace knuckle::push::apns {

// Raw bytes; Apple's tokens have 32, and anything shorter is none.
inline constexpr size_t kTokenMin = 32;
inline constexpr size_t kCollapseIdMax = 64;  // bytes

// What all pushes of a lane have in common. The texts must outlive the requests made with them.
struct Service {
    std::string authority;  // "api.push.apple.com"
    std::string topic;
    std::string collapse_id;  // empty: none is sent
    Duration expiration = hours(24);
};

// The texts of one request that are not common; lives on the caller's stack during submit().
struct RequestText {
    std::array<char, 10 + 2 * kDeviceTokenMax> path;
    std::array<char, Uuid::kTextSize> id;
    std::array<char, 20> expiration;
};

// From the hexadecimal text an app registered. Errc::invalid: not a device token, and nothing that
// may ever stand in a path; `token` is as it was.
Result<void> decode_token(std::string_view hex, DeviceToken& token);

// The payload of a knock: whose token it was, and what the sender added. `extra` is a JSON value
// ("null" for none). Errc::limit when it does not fit.
Result<size_t> encode_payload(Style style,
                              std::string_view token,
                              std::string_view extra,
                              std::span<char> storage);

// `authorization` is "bearer " and the provider token, or empty: a client certificate says who we
// are.
[[nodiscard]] http2::RequestHead encode(const Job& job,
                                        const Service& service,
                                        std::string_view authorization,
                                        RequestText& text);

// Decodes responses; keeps the JSON parser's memory.
class Decoder {
public:
    Decoder();
    ~Decoder();
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;

    // The reason in the answer lives until the next call.
    [[nodiscard]] Answer decode(const http2::Event& response);

private:
    struct State;
    std::unique_ptr<State> state_;
};

// Exposed for the table test: what a status and a reason mean.
[[nodiscard]] Outcome classify(uint16_t status, std::string_view reason);

}  // namespace knuckle::push::apns
