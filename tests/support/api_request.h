// SPDX-License-Identifier: GPL-3.0-or-later
// Requests as http1 hands them over, for tests of api:: and of what stands on it.
//
//     ApiRequest request("POST", "/api/v1/messages/", "application/json", R"({"token":"t"})");
//     request.with("Authorization", "Token abc");
//     decoder.decode(request.get(), call);
//
// The body lies in a heap block of its own, followed by exactly the padding that is promised,
// filled with a character of the test's choice: what is behind a body must not matter.
#pragma once

#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "http1/message.h"

namespace knuckle::test {

inline http1::Method method_named(std::string_view name) {
    if (name == "GET") return http1::Method::get;
    if (name == "HEAD") return http1::Method::head;
    if (name == "POST") return http1::Method::post;
    if (name == "PUT") return http1::Method::put;
    if (name == "PATCH") return http1::Method::patch;
    if (name == "DELETE") return http1::Method::del;
    if (name == "OPTIONS") return http1::Method::options;
    return http1::Method::other;
}

class ApiRequest {
public:
    ApiRequest(std::string_view method,
               std::string_view target,
               std::string_view content_type = {},
               std::string_view body = {},
               char padding = 'x') {
        request_.method = method_named(method);
        request_.method_name = keep(method);
        const std::string_view kept = keep(target);
        request_.path = kept.substr(0, kept.find('?'));
        if (request_.path.size() < kept.size())
            request_.query = kept.substr(request_.path.size() + 1);
        memory_.reset(new uint8_t[body.size() + http1::Request::kBodyPadding]);
        copy_bytes(memory_.get(), as_bytes(body));
        std::memset(memory_.get() + body.size(), padding, http1::Request::kBodyPadding);
        request_.body = {memory_.get(), body.size()};
        if (!content_type.empty()) with("Content-Type", content_type);
    }

    ApiRequest& with(std::string_view name, std::string_view value) & {
        fields_.push_back({keep(name), keep(value)});
        request_.fields = fields_;
        return *this;
    }
    ApiRequest&& with(std::string_view name, std::string_view value) && {
        return std::move(with(name, value));
    }

    [[nodiscard]] const http1::Request& get() const { return request_; }

private:
    std::string_view keep(std::string_view text) { return texts_.emplace_back(text); }

    std::deque<std::string> texts_;
    std::vector<http1::Field> fields_;
    std::unique_ptr<uint8_t[]> memory_;
    http1::Request request_;
};

}  // namespace knuckle::test
