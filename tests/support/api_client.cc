// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/api_client.h"

#include <cstdio>
#include <ctime>
#include <stdexcept>

#include "base/text.h"
#include "tests/support/json_fields.h"

namespace knuckle::test {

namespace {

constexpr std::string_view kBoundary = "--------------------------515890814546601021194782";

std::string text_of(const Request& request) {
    std::string text = request.method + " " + (request.path.starts_with('/') ? "" : "/api/v1/") +
                       request.path + " HTTP/1.1\r\nHost: " + request.host + "\r\n" + request.lines;
    if (!request.body) return text + "\r\n";
    if (!request.body->type.empty()) text += "Content-Type: " + request.body->type + "\r\n";
    return text + "Content-Length: " + std::to_string(request.body->bytes.size()) + "\r\n\r\n" +
           request.body->bytes;
}

// As java.net.URLEncoder does it, which is how the Android client encodes.
std::string form_encoded(std::string_view text) {
    std::string encoded;
    for (const char c : text) {
        const bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                              (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.' ||
                              c == '*';
        char hex[4];
        std::snprintf(hex, sizeof hex, "%%%02X", static_cast<unsigned char>(c));
        encoded += is_plain ? std::string(1, c) : c == ' ' ? "+" : hex;
    }
    return encoded;
}

bool is_json(const std::string& text) {
    try {
        return !json_shape(text).empty();
    } catch (const std::runtime_error&) {
        return false;
    }
}

std::string broken_rule_about_body(const HttpResponse& response) {
    constexpr std::string_view kUnknownPath =
        "<h1>Not Found</h1><p>The requested resource was not found on this server.</p>";
    const std::string type = response.field("content-type");
    if (!response.field("content-encoding").empty()) return "a body is sent as it is";
    if (response.status == 204 && response.body.size() > 0) return "204 has no body";
    if (response.body.empty()) return {};
    if (response.status == 404 && type == "text/html")
        return response.body == kUnknownPath ? "" : "only an unknown path is answered in HTML";
    if (type != "application/json") return "a body is JSON and says so";
    return is_json(response.body) ? "" : "what calls itself JSON is JSON";
}

struct DateParts {
    std::tm to_second{};
    std::string fraction;  // its digits
};

// Both clients' pattern: everything must be there, the Z as a letter, and nothing behind it.
std::optional<DateParts> read_date(const std::string& text) {
    DateParts parts;
    std::tm& tm = parts.to_second;
    int size = 0;
    const int found = std::sscanf(text.c_str(),
                                  "%4d-%2d-%2dT%2d:%2d:%2d.%n",
                                  &tm.tm_year,
                                  &tm.tm_mon,
                                  &tm.tm_mday,
                                  &tm.tm_hour,
                                  &tm.tm_min,
                                  &tm.tm_sec,
                                  &size);
    if (found != 6 || size == 0) return std::nullopt;
    const auto at = static_cast<size_t>(size);
    const size_t end = text.find_first_not_of("0123456789", at);
    if (end == std::string::npos || end == at || text.substr(end) != "Z") return std::nullopt;
    tm.tm_year -= 1'900;
    tm.tm_mon -= 1;
    parts.fraction = text.substr(at, end - at);
    return parts;
}

int64_t ms_of(DateParts& parts, const std::string& ms_digits) {
    return int64_t{::timegm(&parts.to_second)} * 1'000 + std::stoll(ms_digits);
}

}  // namespace

Body json(std::string_view text) { return {"application/json", std::string(text)}; }

Body form(const Fields& fields) {
    std::string bytes;
    for (const auto& [name, value] : fields) {
        if (!bytes.empty()) bytes += '&';
        bytes += form_encoded(name) + "=" + form_encoded(value);
    }
    return {"application/x-www-form-urlencoded", bytes};
}

Body multipart(const Fields& fields) {
    const std::string delimiter = "--" + std::string(kBoundary);
    std::string bytes;
    for (const auto& [name, value] : fields) {
        bytes += delimiter + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" +
                 value + "\r\n";
    }
    return {"multipart/form-data; boundary=" + std::string(kBoundary),
            bytes + delimiter + "--\r\n"};
}

Request Request::by(std::string_view auth) const {
    return with("Authorization: Token " + std::string(auth));
}

Request Request::as(std::string_view client_lines) const {
    Request changed = *this;
    changed.lines += client_lines;
    return changed;
}

Request Request::with(std::string_view line) const {
    Request changed = *this;
    changed.lines.append(line).append("\r\n");
    return changed;
}

Request Request::to(std::string_view other_host) const {
    Request changed = *this;
    changed.host = other_host;
    return changed;
}

Request get(std::string path) { return {.method = "GET", .path = std::move(path)}; }
Request del(std::string path) { return {.method = "DELETE", .path = std::move(path)}; }
Request post(std::string path, std::optional<Body> body) {
    return {.method = "POST", .path = std::move(path), .body = std::move(body)};
}
Request put(std::string path, std::optional<Body> body) {
    return {.method = "PUT", .path = std::move(path), .body = std::move(body)};
}
Request patch(std::string path, std::optional<Body> body) {
    return {.method = "PATCH", .path = std::move(path), .body = std::move(body)};
}

std::string broken_rule(const Request& request, const HttpResponse& response) {
    const std::string challenge = response.field("www-authenticate");
    const std::string allow = response.field("allow");
    if (response.status >= 500) return "94: nothing is answered 5xx";
    if (response.status >= 300 && response.status < 400) return "93: nothing is redirected";
    if (!response.field("location").empty()) return "93: nothing leads elsewhere";
    if (!challenge.empty() && (challenge != "Token" || response.status != 401))
        return "7: only 401 asks for credentials, and only for a Token";
    if (response.status == 405 && (allow.empty() || allow.find(request.method) != allow.npos))
        return "405 says which methods are allowed";
    return broken_rule_about_body(response);
}

HttpResponse ApiClient::ask(const Request& request) {
    if (connection_ == nullptr) connection_ = std::make_unique<HttpClient>(port_);
    connection_->send(text_of(request));
    const std::optional<HttpResponse> response = connection_->receive(request.method == "HEAD");
    const std::string what = request.method + " " + request.path + ": ";
    if (!response) throw std::runtime_error(what + "closed instead of an answer");
    if (response->field("connection") == "close") connection_.reset();
    if (may_be_unavailable_ && response->status == 503) {
        if (response->field("retry-after").empty())
            throw std::runtime_error(what + "503 says when to come back");
        return *response;
    }
    if (const std::string rule = broken_rule(request, *response); !rule.empty()) {
        throw std::runtime_error(what + rule + ", but: " + std::to_string(response->status) + " " +
                                 response->body);
    }
    return *response;
}

Member ApiClient::sign_up(std::string_view username, std::string_view host) {
    Member member;
    member.username = username;
    member.password = app_password();
    const HttpResponse made =
        ask(post("accounts/", form({{"username", member.username}, {"password", member.password}}))
                .to(host));
    if (made.status != 200) throw std::runtime_error("no account: " + made.body);
    member.id = json_string(made.body, "/id");
    member.auth = json_string(made.body, "/token");
    return member;
}

std::string ApiClient::add_device(std::string_view auth,
                                  std::string_view registration,
                                  std::string_view kind) {
    const HttpResponse made = ask(post("device/" + std::string(kind) + "/",
                                       form({{"registration_id", std::string(registration)}}))
                                      .by(auth));
    if (made.status != 201) throw std::runtime_error("no device: " + made.body);
    return json_string(made.body, "/id");
}

std::string ApiClient::make_token(std::string_view auth,
                                  std::string_view device,
                                  std::string_view kind) {
    const HttpResponse made =
        ask(post("tokens/", form({{std::string(kind) + "_device", std::string(device)}})).by(auth));
    if (made.status != 201) throw std::runtime_error("no token: " + made.body);
    return json_string(made.body, "/token");
}

Phone ApiClient::add_phone(const Member& owner, uint64_t registration_number) {
    Phone phone{.auth = owner.auth,
                .device = {},
                .registration = registration_of(registration_number),
                .token = {}};
    phone.device = add_device(owner.auth, phone.registration);
    phone.token = make_token(owner.auth, phone.device);
    return phone;
}

int ApiClient::knock(std::string_view token) {
    return ask(post("messages/", json(R"({"token":")" + std::string(token) + R"("})"))).status;
}

std::optional<int64_t> read_date_as_ios(const std::string& text) {
    std::optional<DateParts> parts = read_date(text);
    if (!parts) return std::nullopt;
    return ms_of(*parts, (parts->fraction + "00").substr(0, 3));
}

std::optional<int64_t> read_date_as_android(const std::string& text) {
    std::optional<DateParts> parts = read_date(text);
    if (!parts) return std::nullopt;
    return ms_of(*parts, parts->fraction);
}

std::string app_password() {
    const std::string piece = "q83/7w+Qa1Zs0pTn5VbXc2";
    std::string password;
    while (password.size() < 100) password += piece;
    return password.substr(0, 100);
}

}  // namespace knuckle::test
