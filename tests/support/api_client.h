// SPDX-License-Identifier: GPL-3.0-or-later
// A client of the API that speaks as the deployed ones do (chatsecure-push.md 3.1) and is stricter
// than they are: every answer it takes must keep the rules that hold for all answers, see
// broken_rule(), so that a test which uses it checks them with each request.
//
//     ApiClient api(gateway.port());
//     const Member anna = api.sign_up("anna");
//     api.ask(post("tokens/", json(R"({"apns_device":"..."})")).by(anna.auth)).status == 201
//     api.ask(post("accounts/", form({{"username", "anna"}, {"password", "x"}})).as(kAndroid))
//
// Throws std::runtime_error, with request and answer, when a rule is broken. Thread: one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/gateway.h"
#include "tests/support/http_client.h"

namespace knuckle::test {

// Field lines that a kind of client sends with everything.
inline constexpr std::string_view kIos =
    "Accept: application/json\r\nAccept-Encoding: gzip;q=1.0,compress;q=0.5\r\n"
    "Accept-Language: de-DE;q=1.0\r\nUser-Agent: ChatSecure/5.0.4 (iPhone; iOS 14.4)\r\n";
inline constexpr std::string_view kAndroid =
    "Accept-Encoding: gzip\r\nConnection: Keep-Alive\r\nUser-Agent: okhttp/2.4.0\r\n";
inline constexpr std::string_view kRubDub = "Accept: application/json\r\n";

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Body {
    std::string type;  // empty: no Content-Type
    std::string bytes;
};

[[nodiscard]] Body json(std::string_view text);
[[nodiscard]] Body form(const Fields& fields);
[[nodiscard]] Body multipart(const Fields& fields);

struct Request {
    std::string method;
    std::string path;  // "tokens/" lies below /api/v1/, "/tokens/" is as it stands
    std::optional<Body> body = {};
    std::string lines = {};  // more of the head, each ending in CR LF
    std::string host = "push.example.org";

    [[nodiscard]] Request by(std::string_view auth) const;
    [[nodiscard]] Request as(std::string_view client_lines) const;
    // "Accept: */*"
    [[nodiscard]] Request with(std::string_view line) const;
    [[nodiscard]] Request to(std::string_view other_host) const;
};

[[nodiscard]] Request get(std::string path);
[[nodiscard]] Request del(std::string path);
[[nodiscard]] Request post(std::string path, std::optional<Body> body = {});
[[nodiscard]] Request put(std::string path, std::optional<Body> body = {});
[[nodiscard]] Request patch(std::string path, std::optional<Body> body = {});

// Which rule that holds for every answer this one breaks; empty: none. They are those of the
// checklist about transport: no redirect, no 5xx, JSON that is named so, and challenges of the
// Token scheme only.
[[nodiscard]] std::string broken_rule(const Request& request, const HttpResponse& response);

// Somebody who has an account.
struct Member {
    std::string username;
    std::string password;
    std::string id;
    std::string auth;
};

class ApiClient {
public:
    explicit ApiClient(uint16_t port) : port_(port) {}

    HttpResponse ask(const Request& request);
    // For a test that breaks the store on purpose: 503 is an answer like others from here on.
    void expect_unavailability() { may_be_unavailable_ = true; }

    // What apps do before they are of any use. These throw for any answer but success.
    Member sign_up(std::string_view username, std::string_view host = "push.example.org");
    // `kind` is apns or gcm; answers our id of it.
    std::string add_device(std::string_view auth,
                           std::string_view registration,
                           std::string_view kind = "apns");
    std::string make_token(std::string_view auth,
                           std::string_view device,
                           std::string_view kind = "apns");
    Phone add_phone(const Member& owner, uint64_t registration_number);
    int knock(std::string_view token);

private:
    uint16_t port_;
    std::unique_ptr<HttpClient> connection_;  // null: the last one was closed
    bool may_be_unavailable_ = false;
};

// A date as both clients' parsers take it, in ms since 1970; nullopt where it fails.
// iOS: yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z by ICU, on a phone set to UTC. Android: the same pattern by
// SimpleDateFormat, which takes the digits of the fraction for a number of milliseconds.
[[nodiscard]] std::optional<int64_t> read_date_as_ios(const std::string& text);
[[nodiscard]] std::optional<int64_t> read_date_as_android(const std::string& text);

// What apps choose for a password: 100 characters of base64.
[[nodiscard]] std::string app_password();

}  // namespace knuckle::test
