// SPDX-License-Identifier: GPL-3.0-or-later
// ChatSecure Push v1 as a codec: requests in, commands out; results in, replies out. Pure but for
// its scratch memory.
//
//     Decoder decoder(routes);
//     Call call;
//     decoder.decode(request, call);      never fails: a bad request decodes to Refuse
//     authenticate as command.h says at Call, then std::visit(..., call.command);
//
// Fast path: a knock decodes and encodes without allocating, once both have seen one as large.
// docs/API.md has every text and status, and where we differ from the dead reference server.
//
// Owner: engine::Worker.  Thread: its worker's.  Limits: below, and http1's.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/command.h"
#include "base/time.h"
#include "http1/message.h"

namespace knuckle::api {

inline constexpr size_t kUsernameCharsMax = 30;
inline constexpr size_t kPasswordCharsMax = 100;
inline constexpr size_t kEmailCharsMax = 100;
inline constexpr size_t kDeviceNameCharsMax = 255;
inline constexpr size_t kDeviceIdBytesMax = 1'024;
inline constexpr size_t kRegistrationBytesMax = 4'096;
inline constexpr size_t kTokenNameCharsMax = 100;
inline constexpr size_t kMessageTokenCharsMax = 200;
inline constexpr size_t kExtraBytesMax =
    1'024;  // of `data` as JSON, an object's or that between a text's quotes
inline constexpr size_t kPriorityCharsMax = 100;
inline constexpr size_t kNestingMax =
    32;  // objects and lists inside each other, the outermost included

// Which app a request is for: that of its Host, else that of the path prefix /NAME/api/v1/, else
// the first.
struct AppRoute {
    std::string name;
    std::vector<std::string> hosts;  // lower case, without port
};

struct Routes {
    std::vector<AppRoute> apps;  // at least one
    bool has_bare_lists =
        false;  // device/ and tokens/ lists as bare arrays, as the reference's last version did
};

class Decoder {
public:
    // `routes` must outlive the decoder.
    explicit Decoder(const Routes& routes);
    ~Decoder();
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;

    void decode(const http1::Request& request, Call& call);

private:
    struct State;
    std::unique_ptr<State> state_;
};

// Answers. Each replaces `body`; the knock's reuses its memory.
void encode_knock(const Knock& knock, std::string& body);
[[nodiscard]] Reply encode_account(const store::Account& account, bool with_auth_token);
[[nodiscard]] Reply encode_device(const store::Device& device, uint16_t status);
[[nodiscard]] Reply encode_devices(std::span<const store::Device> devices,
                                   store::DeviceKind kind,
                                   const Routes& routes);
[[nodiscard]] Reply encode_token(const store::Token& token, uint16_t status);  // POST, PUT, PATCH
// GET tokens/<token>/: with the token once more in `results`, the only place where the iOS SDK
// looks for it.
[[nodiscard]] Reply encode_found_token(const store::Token& token);
[[nodiscard]] Reply encode_tokens(std::span<const store::Token> tokens, const Routes& routes);
// Empty `jid`: there is none, 404.
[[nodiscard]] Reply encode_pubsub(std::string_view jid);
// `base_url` ends in "/api/v1/".
[[nodiscard]] Reply encode_root(std::string_view base_url);

// Refusals that only the engine can know of.
[[nodiscard]] Reply no_content();
[[nodiscard]] Reply
token_not_found();                // messages/: 404 without body, for which alone iOS drops a token
[[nodiscard]] Reply not_found();  // {"detail":"Not found."}
[[nodiscard]] Reply credentials_missing();  // 401
[[nodiscard]] Reply auth_token_invalid();   // 401
[[nodiscard]] Reply login_refused();  // 401 {"error":"Invalid credentials"}, without a challenge
[[nodiscard]] Reply device_does_not_exist(store::DeviceKind kind,
                                          const Uuid& id);  // 400 on tokens/
[[nodiscard]] Reply quota_reached(std::string_view what);   // 403; `what`: "devices" or "tokens"
[[nodiscard]] Reply throttled(Duration wait);               // 429; whole seconds, rounded up
[[nodiscard]] Reply unavailable(std::string_view detail, uint32_t retry_after_seconds);
// For a request that http1 could not read.
[[nodiscard]] Reply malformed(uint16_t status, std::string_view detail);

}  // namespace knuckle::api
