// SPDX-License-Identifier: GPL-3.0-or-later
// The API's front door for tests: requests in, the command or the refusal out.
//
//     ApiFront front;                                          one app, "chatsecure"
//     front.command<api::Knock>(knock_request).token
//     front.refusal(request).status
//
// What is returned lives until the next request.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <catch_amalgamated.hpp>

#include "api/rest.h"
#include "tests/support/api_request.h"

namespace knuckle::test {

class ApiFront {
public:
    ApiFront() { routes.apps.push_back({"chatsecure", {}}); }

    const api::Call& decode(const ApiRequest& request) {
        decoder_.decode(request.get(), call_);
        return call_;
    }
    // The command's texts lie in the request, so one that nobody else keeps is kept here.
    const api::Call& decode(ApiRequest&& request) {
        kept_.emplace(std::move(request));
        return decode(*kept_);
    }

    template <typename Command>
    const Command& command(const ApiRequest& request) {
        decode(request);
        return expect<Command>();
    }
    template <typename Command>
    const Command& command(ApiRequest&& request) {
        decode(std::move(request));
        return expect<Command>();
    }

    const api::Reply& refusal(const ApiRequest& request) {
        return command<api::Refuse>(request).reply;
    }
    const api::Reply& refusal(ApiRequest&& request) {
        return command<api::Refuse>(std::move(request)).reply;
    }

    [[nodiscard]] const api::Call& call() const { return call_; }

    api::Routes routes;

private:
    template <typename Command>
    const Command& expect() {
        const auto* refuse = std::get_if<api::Refuse>(&call_.command);
        INFO((refuse != nullptr ? refuse->reply.body : "not refused"));
        REQUIRE(std::holds_alternative<Command>(call_.command));
        return std::get<Command>(call_.command);
    }

    api::Decoder decoder_{routes};
    api::Call call_;
    std::optional<ApiRequest> kept_;
};

inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kForm = "application/x-www-form-urlencoded";
inline constexpr std::string_view kMultipart = "multipart/form-data; boundary=b";

inline ApiRequest json_post(std::string_view path, std::string_view body) {
    return {"POST", path, kJson, body};
}

// "name=value" pairs as the parts of a multipart body with the boundary "b".
inline std::string multipart_of(std::initializer_list<std::string_view> pairs) {
    std::string body;
    for (const std::string_view pair : pairs) {
        const size_t equals = pair.find('=');
        body += "--b\r\nContent-Disposition: form-data; name=\"";
        body += pair.substr(0, equals);
        body += "\"\r\n\r\n";
        body += pair.substr(equals + 1);
        body += "\r\n";
    }
    return body + "--b--\r\n";
}

}  // namespace knuckle::test
