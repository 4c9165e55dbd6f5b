// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>
#include <numeric>
#include <string>

#include <catch_amalgamated.hpp>

#include "base/text.h"
#include "push/apns.h"

namespace knuckle::push {
namespace {

const std::string kToken = "710460d56dc99ef4568cc3287119e62eab13e194";

std::string payload(Style style, std::string_view extra = "null") {
    std::array<char, kPayloadMax> storage;
    const Result<size_t> size = apns::encode_payload(style, kToken, extra, storage);
    REQUIRE(size);
    return {storage.data(), *size};
}

struct Request {
    Job job;
    apns::Service service{"api.push.apple.com", "org.example.chat", "knock", hours(24)};
    apns::RequestText text;
    http2::RequestHead head;

    Request() {
        std::array<uint8_t, 32> token;
        std::iota(token.begin(), token.end(), uint8_t{0});
        job.token.assign(token);
        job.push = *Uuid::parse("123e4567-e89b-42d3-a456-426614174000");
        job.accepted = from_unix_seconds(1'800'000'000);
    }
    void encode(std::string_view authorization = "bearer a.b.c") {
        head = apns::encode(job, service, authorization, text);
    }
    const http2::HeaderField* field(std::string_view name) const {
        for (size_t i = 0; i < head.fields_count; ++i) {
            if (head.fields[i].name == name) return &head.fields[i];
        }
        return nullptr;
    }
    std::string_view value(std::string_view name) const {
        const http2::HeaderField* const found = field(name);
        return found != nullptr ? found->value : "(none)";
    }
};

Answer decode(uint16_t status, std::string_view body, std::string_view retry_after = {}) {
    static apns::Decoder decoder;
    http2::Event event;
    event.status = status;
    event.body = as_bytes(body);
    event.retry_after = retry_after;
    return decoder.decode(event);
}

TEST_CASE("a visible knock carries what every installed app looks for", "[push]") {
    CHECK(
        payload(Style::alert) ==
        R"({"aps":{"alert":{"body":"New Message!","loc-key":"New Message!","message":{"token":")" +
            kToken + R"(","data":null}},"sound":"default","content-available":1,)" +
            R"("thread-id":"New Message!"}})");
}

TEST_CASE("a background knock has nothing that Apple forbids there", "[push]") {
    CHECK(payload(Style::background, R"({"a":1})") ==
          R"({"aps":{"content-available":1},"message":{"token":")" + kToken +
              R"(","data":{"a":1}}})");
}

TEST_CASE("a payload that APNs would refuse is refused here", "[push]") {
    std::array<char, kPayloadMax * 2> storage;
    const std::string extra = "\"" + std::string(kPayloadMax, 'x') + "\"";
    const Result<size_t> size = apns::encode_payload(Style::alert, kToken, extra, storage);
    REQUIRE_FALSE(size);
    CHECK(size.error().code == Errc::limit);
}

TEST_CASE("only what can be a device token becomes one", "[push]") {
    DeviceToken token;
    const auto size_of = [&](const std::string& hex) {
        return apns::decode_token(hex, token) ? token.view().size() : 0;
    };
    CHECK(size_of(std::string(64, 'a')) == 32);
    CHECK(size_of(std::string(64, 'A')) == 32);
    CHECK(size_of(std::string(200, '0')) == 100);
    for (const std::string& bad : {std::string(),
                                   std::string("1234asdf"),
                                   std::string(62, 'a'),
                                   std::string(65, 'a'),
                                   std::string(202, 'a'),
                                   std::string(63, 'a') + "/",
                                   "../" + std::string(61, 'a')}) {
        CAPTURE(bad);
        CHECK_FALSE(apns::decode_token(bad, token));
        CHECK(token.view().size() == 100);
    }
}

TEST_CASE("a token of any size keeps its octets, and another may take its place", "[push]") {
    DeviceToken token;
    CHECK(token.view().empty());
    for (const size_t size : {size_t{32}, size_t{33}, kDeviceTokenMax, size_t{33}, size_t{31}}) {
        const std::string octets(size, static_cast<char>('0' + size % 10));
        token.assign(as_bytes(octets));
        CHECK(as_text(token.view()) == octets);
    }
}

TEST_CASE("a visible push is a request as Apple describes it", "[push]") {
    Request request;
    request.encode();
    CHECK(request.head.authority == "api.push.apple.com");
    CHECK(request.head.path ==
          "/3/device/000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    CHECK(request.value("authorization") == "bearer a.b.c");
    CHECK(request.value("apns-topic") == "org.example.chat");
    CHECK(request.value("apns-push-type") == "alert");
    CHECK(request.value("apns-priority") == "10");
    CHECK(request.value("apns-expiration") == "1800086400");
    CHECK(request.value("apns-id") == "123e4567-e89b-42d3-a456-426614174000");
    CHECK(request.value("apns-collapse-id") == "knock");
}

TEST_CASE("who shows a client certificate sends no provider token", "[push]") {
    Request request;
    request.encode();
    const size_t fields_with_token = request.head.fields_count;
    request.encode("");
    CHECK(request.field("authorization") == nullptr);
    CHECK(request.head.fields_count == fields_with_token - 1);
    CHECK(request.value("apns-topic") == "org.example.chat");
}

TEST_CASE("a background push has priority 5 and nothing to collapse", "[push]") {
    Request request;
    request.job.is_background = true;
    request.encode();
    CHECK(request.value("apns-push-type") == "background");
    CHECK(request.value("apns-priority") == "5");
    CHECK(request.value("apns-collapse-id") == "(none)");
}

TEST_CASE("compression follows Apple's wishes", "[push]") {
    Request request;
    request.encode();
    CHECK(request.field("authorization")->indexing == http2::Indexing::never);
    for (const char* const name : {"apns-id", "apns-expiration", "apns-collapse-id"}) {
        CAPTURE(name);
        CHECK(request.field(name)->indexing == http2::Indexing::once);
    }
    CHECK(request.field("apns-topic")->indexing == http2::Indexing::allowed);
}

TEST_CASE("every reason of Apple's has its meaning", "[push]") {
    struct Row {
        uint16_t status;
        const char* reason;
        Outcome outcome;
    };
    const Row rows[] = {
        {400, "BadCollapseId", Outcome::rejected},
        {400, "BadDeviceToken", Outcome::bad_token},
        {400, "BadExpirationDate", Outcome::rejected},
        {400, "BadMessageId", Outcome::rejected},
        {400, "BadPriority", Outcome::rejected},
        {400, "BadTopic", Outcome::misconfigured},
        {400, "DeviceTokenNotForTopic", Outcome::wrong_topic},
        {400, "DuplicateHeaders", Outcome::rejected},
        {400, "IdleTimeout", Outcome::provider_leaving},
        {400, "InvalidPushType", Outcome::rejected},
        {400, "MissingDeviceToken", Outcome::rejected},
        {400, "MissingTopic", Outcome::misconfigured},
        {400, "PayloadEmpty", Outcome::rejected},
        {400, "TopicDisallowed", Outcome::misconfigured},
        {403, "BadCertificate", Outcome::misconfigured},
        {403, "BadCertificateEnvironment", Outcome::misconfigured},
        {403, "ExpiredProviderToken", Outcome::credential_expired},
        {403, "Forbidden", Outcome::misconfigured},
        {403, "InvalidProviderToken", Outcome::misconfigured},
        {403, "MissingProviderToken", Outcome::misconfigured},
        {403, "UnrelatedKeyIdInToken", Outcome::misconfigured},
        {403, "BadEnvironmentKeyIdInToken", Outcome::misconfigured},
        {403, "BadEnvironmentKeyInToken", Outcome::misconfigured},
        {404, "BadPath", Outcome::rejected},
        {405, "MethodNotAllowed", Outcome::rejected},
        {410, "ExpiredToken", Outcome::unregistered},
        {410, "Unregistered", Outcome::unregistered},
        {413, "PayloadTooLarge", Outcome::rejected},
        {429, "TooManyProviderTokenUpdates", Outcome::credential_throttled},
        {429, "TooManyRequests", Outcome::throttled},
        {500, "InternalServerError", Outcome::provider_failed},
        {503, "ServiceUnavailable", Outcome::provider_failed},
        {503, "Shutdown", Outcome::provider_leaving},
        // What Apple may say one day.
        {400, "SomethingNew", Outcome::rejected},
        {403, "SomethingNew", Outcome::misconfigured},
        {410, "SomethingNew", Outcome::unregistered},
        {418, "SomethingNew", Outcome::rejected},
        {429, "SomethingNew", Outcome::throttled},
        {502, "SomethingNew", Outcome::provider_failed},
    };
    for (const Row& row : rows) {
        CAPTURE(row.status, row.reason);
        const Answer answer =
            decode(row.status, std::string(R"({"reason":")") + row.reason + "\"}");
        CHECK(answer.outcome == row.outcome);
        CHECK(answer.reason == row.reason);
        CHECK(answer.status == row.status);
    }
    CHECK(decode(200, "").outcome == Outcome::delivered);
}

TEST_CASE("a dead registration says since when", "[push]") {
    const Answer answer = decode(410, R"({"reason":"Unregistered","timestamp":1800000000123})");
    CHECK(answer.outcome == Outcome::unregistered);
    CHECK(answer.dead_since == UnixTime{1'800'000'000'123'000});
    CHECK(decode(410, R"({"timestamp":1800000000123,"reason":"Unregistered"})").dead_since.us != 0);
    CHECK(decode(410, R"({"reason":"Unregistered"})").dead_since.us == 0);
    CHECK(decode(410, R"({"reason":"Unregistered","timestamp":-5})").dead_since.us == 0);
    CHECK(decode(410, R"({"reason":"Unregistered","timestamp":18446744073709551615})")
              .dead_since.us == 0);
}

TEST_CASE("any body at all leaves the status to decide", "[push]") {
    const std::string large(5'000, '[');
    for (const std::string& body : {std::string(),
                                    std::string("{"),
                                    std::string("not json"),
                                    std::string("[1,2]"),
                                    std::string("{\"reason\":7}"),
                                    std::string("\x00\xff", 2),
                                    large}) {
        CAPTURE(body.size());
        CHECK(decode(503, body).outcome == Outcome::provider_failed);
        CHECK(decode(410, body).outcome == Outcome::unregistered);
        CHECK(decode(400, body).outcome == Outcome::rejected);
    }
}

TEST_CASE("a provider may say when to come back", "[push]") {
    CHECK(decode(503, "", "120").retry_after == seconds(120));
    CHECK(decode(503, "", "99999999").retry_after == seconds(86'400));
    CHECK(decode(503, "", "soon").retry_after == Duration{});
}

}  // namespace
}  // namespace knuckle::push
