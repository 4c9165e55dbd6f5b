// SPDX-License-Identifier: GPL-3.0-or-later
// What must hold for api::Decoder whatever a client sends:
//
//   * it says the same whatever lies behind the body, and whatever it decoded before;
//   * the texts of a command keep the promises of api/command.h: trimmed UTF-8 within the limits,
//     an object that is one;
//   * a refusal is one that the API knows, and its body is JSON;
//   * it takes for JSON exactly what a second, plainer reader takes for JSON.
//
//     std::string complaint = test::check_api_body(input);      empty if all is well
//
// The first byte of an input says which endpoint and format the rest is for, see kApiTargets.
// Used by the unit tests and by the fuzz target.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/rest.h"
#include "api/strip.h"
#include "base/bytes.h"
#include "base/text.h"
#include "tests/support/api_request.h"

namespace knuckle::test {

struct ApiTarget {
    std::string_view method;
    std::string_view path;
    std::string_view content_type;
};

// The n-th is chosen by the digit n; the one behind the last takes lines of a head instead of a
// body: the target, Accept, Authorization, Host, Content-Type.
inline constexpr ApiTarget kApiTargets[] = {
    {"POST", "/api/v1/messages/", "application/json"},
    {"POST", "/api/v1/messages/", "application/x-www-form-urlencoded"},
    {"POST", "/api/v1/messages/", "multipart/form-data; boundary=b"},
    {"POST", "/api/v1/accounts/", "application/json"},
    {"POST", "/api/v1/accounts/", "application/x-www-form-urlencoded"},
    {"POST", "/api/v1/device/apns/", "application/json"},
    {"PUT",
     "/api/v1/device/gcm/638426e6832f4a45ae9adb409ba2fb4d/",
     "multipart/form-data; boundary=b"},
    {"POST", "/api/v1/tokens/", "application/json"},
    {"PATCH", "/api/v1/tokens/dd43/", "application/x-www-form-urlencoded"},
};

// RFC 8259 by recursive descent, one byte at a time: slow and plain.
class PlainJson {
public:
    explicit PlainJson(std::string_view text) : text_(text) {
        is_json_ = is_valid_utf8(text) && value(0) && (skip_space(), at_ == text_.size());
    }
    [[nodiscard]] bool is_json() const { return is_json_; }
    // Lists and objects with something in them, inside each other.
    [[nodiscard]] size_t depth() const { return depth_; }
    // Numbers that 64 bits may not hold: a reader may refuse them.
    [[nodiscard]] bool has_large_number() const { return has_large_number_; }

private:
    [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    bool take(char c) {
        if (at_ == text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    bool take_word(std::string_view word) {
        if (!text_.substr(at_).starts_with(word)) return false;
        at_ += word.size();
        return true;
    }
    void skip_space() {
        while (at_ < text_.size() &&
               std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
            ++at_;
    }
    size_t take_digits() {
        const size_t begin = at_;
        while (peek() >= '0' && peek() <= '9') ++at_;
        return at_ - begin;
    }

    // Python's limit is about a thousand; nobody here goes further.
    static constexpr size_t kDepthMax = 1'000;

    bool value(size_t depth) {
        if (depth > kDepthMax) {
            depth_ = depth;
            return false;
        }
        skip_space();
        switch (peek()) {
            case '{':
                return members(depth);
            case '[':
                return elements(depth);
            case '"':
                return string();
            case 't':
                return take_word("true");
            case 'f':
                return take_word("false");
            case 'n':
                return take_word("null");
            default:
                return number();
        }
    }
    bool members(size_t depth) {
        ++at_;
        skip_space();
        if (take('}')) return true;
        depth_ = std::max(depth_, depth + 1);
        do {
            skip_space();
            if (peek() != '"' || !string()) return false;
            skip_space();
            if (!take(':') || !value(depth + 1)) return false;
            skip_space();
        } while (take(','));
        return take('}');
    }
    bool elements(size_t depth) {
        ++at_;
        skip_space();
        if (take(']')) return true;
        depth_ = std::max(depth_, depth + 1);
        do {
            if (!value(depth + 1)) return false;
            skip_space();
        } while (take(','));
        return take(']');
    }
    // Behind "\u".
    std::optional<uint32_t> code_unit() {
        std::array<uint8_t, 2> bytes;
        if (!decode_hex(text_.substr(at_, 4), bytes)) return std::nullopt;
        at_ += 4;
        return static_cast<uint32_t>(bytes[0] << 8 | bytes[1]);
    }
    bool escape() {
        if (!take('u')) {
            if (std::string_view("\"\\/bfnrt").find(peek()) == std::string_view::npos ||
                peek() == '\0')
                return false;
            ++at_;
            return true;
        }
        const auto unit = code_unit();
        if (!unit || (*unit >= 0xDC00 && *unit <= 0xDFFF)) return false;
        if (*unit < 0xD800 || *unit > 0xDBFF) return true;
        if (!take('\\') || !take('u')) return false;
        const auto low = code_unit();
        return low && *low >= 0xDC00 && *low <= 0xDFFF;
    }
    bool string() {
        ++at_;
        while (at_ < text_.size()) {
            const char c = text_[at_++];
            if (c == '"') return true;
            if (static_cast<unsigned char>(c) < 0x20) return false;
            if (c == '\\' && !escape()) return false;
        }
        return false;
    }
    bool number() {
        take('-');
        const bool begins_with_zero = peek() == '0';
        const size_t digits = take_digits();
        if (digits == 0 || (begins_with_zero && digits > 1)) return false;
        const bool has_fraction = take('.');
        if (has_fraction && take_digits() == 0) return false;
        const bool has_exponent = peek() == 'e' || peek() == 'E';
        size_t exponent_digits = 0;
        if (has_exponent) {
            ++at_;
            if (!take('+')) take('-');
            exponent_digits = take_digits();
            if (exponent_digits == 0) return false;
        }
        if (has_fraction || has_exponent ? digits > 300 || exponent_digits > 2 : digits > 18)
            has_large_number_ = true;
        return true;
    }

    std::string_view text_;
    size_t at_ = 0;
    size_t depth_ = 0;
    bool has_large_number_ = false;
    bool is_json_ = false;
};

// Looks at every promise about a command, and writes the command down.
class CommandReview {
public:
    std::string complaint;
    std::string account_of_it;  // equal for equal commands

    void operator()(const api::Knock& knock) {
        must_be_text("token", knock.token, api::kMessageTokenCharsMax);
        must_be_text("priority", knock.priority, api::kPriorityCharsMax);
        if (knock.extra.kind == api::KnockExtra::Kind::object) {
            must(knock.extra.text.starts_with('{') && PlainJson(knock.extra.text).is_json(),
                 "data is no object");
            must(knock.extra.text.size() <= api::kExtraBytesMax, "data is too long");
        } else {
            must_be_text("data", knock.extra.text, api::kExtraBytesMax);
        }
        std::string body;
        api::encode_knock(knock, body);
        must(PlainJson(body).is_json(), "the answer is no JSON: " + body);
        note(std::to_string(static_cast<int>(knock.urgency)) + body);
    }
    void operator()(const api::LogIn& log_in) {
        must_be_text("username", log_in.username, api::kUsernameCharsMax);
        must_be_text("password", log_in.password, api::kPasswordCharsMax);
        must_be_text("email", log_in.email, api::kEmailCharsMax);
        must(!log_in.username.empty() && !log_in.password.empty(),
             "a login lacks a name or a password");
    }
    void operator()(const api::CreateDevice& device) {
        review(device.kind, device.fields);
        must(device.fields.registration_id.is_present, "a device lacks a registration");
    }
    void operator()(const api::UpdateDevice& device) { review(device.kind, device.fields); }
    void operator()(const api::CreateToken& token) {
        review(token.fields);
        must(token.fields.apns_device.has_value() != token.fields.gcm_device.has_value(),
             "not one device");
    }
    void operator()(const api::UpdateToken& token) {
        review(token.fields);
        must(!token.fields.apns_device || !token.fields.gcm_device, "two devices");
        note(token.token);
    }
    void operator()(const api::GetAccount& account) {
        must_be_name(account.username, store::kNameMax);
    }
    void operator()(const api::DeleteAccount& account) {
        must_be_name(account.username, store::kNameMax);
    }
    void operator()(const api::GetToken& token) { must_be_name(token.token, store::kTokenTextMax); }
    void operator()(const api::DeleteToken& token) {
        must_be_name(token.token, store::kTokenTextMax);
    }
    void operator()(const api::Refuse& refuse) {
        constexpr uint16_t kStatuses[] = {200, 400, 401, 404, 405, 406, 415};
        const api::Reply& reply = refuse.reply;
        must(std::count(std::begin(kStatuses), std::end(kStatuses), reply.status) == 1,
             "an odd status");
        const bool is_page = reply.content_type == "text/html";
        must(is_page ? reply.status == 404 : PlainJson(reply.body).is_json(),
             "a refusal is no JSON: " + reply.body);
        note(std::to_string(reply.status) + reply.body);
    }
    template <typename Other>
    void operator()(const Other&) {}

private:
    void must(bool holds, std::string_view what) {
        if (!holds && complaint.empty()) complaint = what;
    }
    void note(std::string_view text) { account_of_it += "|" + std::string(text); }

    void must_be_name(std::string_view text, size_t max) {
        must(text.size() <= max && is_valid_utf8(text) && text.find('\0') == std::string_view::npos,
             "an odd name");
        note(text);
    }
    void must_be_text(std::string_view name, std::string_view text, size_t chars_max) {
        must(is_valid_utf8(text), std::string(name) + " is not UTF-8");
        must(text.find('\0') == std::string_view::npos, std::string(name) + " has a NUL");
        must(api::strip(text) == text, std::string(name) + " is not trimmed");
        must(count_code_points(text) <= chars_max, std::string(name) + " is too long");
        note(text);
    }
    void must_be_text(std::string_view name, const api::OptionalText& text, size_t chars_max) {
        must_be_text(name, text.text, chars_max);
        must(text.text.empty() || (text.is_present && !text.is_null),
             std::string(name) + " is and is not");
        note(text.is_null ? "null" : text.is_present ? "present" : "absent");
    }
    void review(store::DeviceKind kind, const api::DeviceFields& device) {
        must_be_text("name", device.name, api::kDeviceNameCharsMax);
        must_be_text("device_id", device.device_id, api::kDeviceIdBytesMax);
        must_be_text("registration_id", device.registration_id, api::kRegistrationBytesMax);
        must(device.registration_id.text.size() <= api::kRegistrationBytesMax,
             "a registration is too long");
        must(device.registration_id.is_present != device.registration_id.text.empty(),
             "a registration is blank");
        const bool has_space = device.registration_id.text.find(' ') != std::string_view::npos;
        must(kind == store::DeviceKind::gcm || !has_space, "an APNs registration has a space");
        note(!device.is_active ? "unsaid" : *device.is_active ? "active" : "inactive");
    }
    void review(const api::TokenFields& token) {
        must_be_text("name", token.name, api::kTokenNameCharsMax);
        note(token.apns_device ? token.apns_device->text() : "none");
        note(token.gcm_device ? token.gcm_device->text() : "none");
    }
};

inline ApiRequest api_request_of(ByteView input, char padding) {
    const size_t index = static_cast<uint8_t>(input[0] - '0') % (std::size(kApiTargets) + 1);
    std::string_view rest = as_text(input.subspan(1));
    if (index < std::size(kApiTargets)) {
        const ApiTarget& target = kApiTargets[index];
        return {target.method, target.path, target.content_type, rest, padding};
    }
    const auto take_line = [&rest] {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        return line;
    };
    ApiRequest request("GET", take_line());
    for (const std::string_view name : {"Accept", "Authorization", "Host", "Content-Type"})
        request.with(name, take_line());
    return request;
}

inline std::string check_api_body(ByteView input) {
    if (input.empty()) return {};
    static const api::Routes routes = {{{"chatsecure", {"a.example"}}, {"zom", {}}}, false};
    static api::Decoder used(routes);
    api::Decoder fresh(routes);

    std::string first;
    for (const char padding : {'x', '}', '"'}) {
        const ApiRequest request = api_request_of(input, padding);
        api::Call call;
        (padding == '}' ? fresh : used).decode(request.get(), call);
        CommandReview review;
        std::visit(review, call.command);
        if (!review.complaint.empty()) return review.complaint;
        if (!is_valid_utf8(call.auth_token)) return "the auth token is not UTF-8";
        if (call.app >= routes.apps.size()) return "there is no such app";
        const std::string account = std::to_string(call.command.index()) + review.account_of_it;
        if (padding == 'x') first = account;
        if (account != first)
            return "what is behind the body, or was before it, matters: " + first + " / " + account;

        const auto* refuse = std::get_if<api::Refuse>(&call.command);
        const bool is_refused =
            refuse != nullptr && refuse->reply.body.starts_with(R"({"detail":"JSON parse error)");
        if (request.get().body.empty() || request.get().fields[0].value != "application/json")
            continue;
        const PlainJson json(as_text(request.get().body));
        const bool is_taken = json.is_json() && json.depth() <= api::kNestingMax;
        if (is_refused != !is_taken && !(is_refused && json.has_large_number())) {
            return is_refused ? "JSON was refused: " + refuse->reply.body
                              : "what is no JSON was taken";
        }
    }
    return {};
}

}  // namespace knuckle::test
