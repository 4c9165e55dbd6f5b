// SPDX-License-Identifier: GPL-3.0-or-later
// The simulated APNs judged by itself: what it must refuse is what makes it worth testing against
// (providers.md F).
#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <wolfssl/wolfcrypt/settings.h>
#include <catch_amalgamated.hpp>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/random.h>

#include "crypto/digest.h"
#include "crypto/jwt.h"
#include "tests/mock/apns_behavior.h"
#include "tests/support/certificates.h"

namespace knuckle::mock {

namespace {

constexpr Now kNoon{.instant = {1'000'000'000'000}, .unix = {1'795'953'600'000'000}};
constexpr std::string_view kTopic = "org.example.chat";

Now after(Duration time) { return {kNoon.instant + time, kNoon.unix + time}; }

// Signs whatever it is given, unlike our own signer.
class Pen {
public:
    Pen() : pem_(test::issue_client(test::make_authority(), "provider").key_pem) {
        std::vector<uint8_t> der(pem_.size());
        const int size = wc_KeyPemToDer(as_bytes(pem_).data(),
                                        static_cast<int>(pem_.size()),
                                        der.data(),
                                        static_cast<int>(der.size()),
                                        "");
        word32 at = 0;
        wc_InitRng(&random_);
        wc_ecc_init(&key_);
        REQUIRE(wc_EccPrivateKeyDecode(der.data(), &at, &key_, static_cast<word32>(size)) == 0);
        wc_ecc_set_rng(&key_, &random_);
    }
    Pen(const Pen&) = delete;
    Pen& operator=(const Pen&) = delete;
    ~Pen() {
        wc_ecc_free(&key_);
        wc_FreeRng(&random_);
    }

    // As wolfCrypt, OpenSSL and others give it: ASN.1 in DER.
    std::string sign_der(std::string_view text) {
        const crypto::Sha256Digest digest = crypto::sha256(as_bytes(text));
        std::array<uint8_t, 80> signature;
        word32 size = signature.size();
        REQUIRE(wc_ecc_sign_hash(
                    digest.data(), digest.size(), signature.data(), &size, &random_, &key_) == 0);
        return std::string(as_text({signature.data(), size}));
    }
    // R | S of 32 bytes each, as RFC 7518 wants it.
    std::string sign(std::string_view text) {
        const std::string der = sign_der(text);
        std::string raw(64, '\0');
        std::string r(40, '\0');
        std::string s(40, '\0');
        word32 r_size = 40;
        word32 s_size = 40;
        REQUIRE(wc_ecc_sig_to_rs(as_bytes(der).data(),
                                 static_cast<word32>(der.size()),
                                 reinterpret_cast<byte*>(r.data()),
                                 &r_size,
                                 reinterpret_cast<byte*>(s.data()),
                                 &s_size) == 0);
        raw.replace(32 - r_size, r_size, r, 0, r_size);
        raw.replace(64 - s_size, s_size, s, 0, s_size);
        return raw;
    }
    std::string jwt(std::string_view header, std::string_view claims) {
        const std::string text = encode(header) + "." + encode(claims);
        return text + "." + encode(sign(text));
    }
    static std::string encode(std::string_view text) {
        return crypto::encode_base64url(as_bytes(text));
    }

    [[nodiscard]] const std::string& pem() const { return pem_; }

private:
    std::string pem_;
    WC_RNG random_;
    ecc_key key_;
};

Pen& pen() {
    static Pen one;
    return one;
}

std::string claims_at(Now now, std::string_view team = "TEAM123456") {
    return R"({"iss":")" + std::string(team) + R"(","iat":)" +
           std::to_string(to_unix_seconds(now.unix)) + "}";
}

// Signing twice gives two texts, so that the one of a moment is kept.
std::string token_at(Now now,
                     std::string_view key = "KEY1234567",
                     std::string_view team = "TEAM123456") {
    static std::map<std::string, std::string> signed_before;
    const std::string header = R"({"alg":"ES256","kid":")" + std::string(key) + R"("})";
    const std::string claims = claims_at(now, team);
    std::string& token = signed_before[header + claims];
    if (token.empty()) token = pen().jwt(header, claims);
    return token;
}

// A push that is right in every way, to be spoiled by a test.
struct Push {
    std::string method = "POST";
    std::string path = "/3/device/" + std::string(64, 'a');
    std::vector<std::pair<std::string, std::string>> fields = {
        {"authorization", "bearer " + token_at(kNoon)},
        {"apns-id", "eabeae54-14a8-11e5-b60b-1697f925ec7b"},
        {"apns-expiration", "0"},
        {"apns-priority", "10"},
        {"apns-push-type", "alert"},
        {"apns-topic", std::string(kTopic)},
        {"apns-collapse-id", "knock"},
    };
    std::string payload = R"({"aps":{"alert":"New Message!"}})";
    bool has_duplicate_field = false;

    Push& set(const std::string& name, const std::string& value) {
        drop(name);
        fields.emplace_back(name, value);
        return *this;
    }
    Push& drop(const std::string& name) {
        std::erase_if(fields, [&](const auto& field) { return field.first == name; });
        return *this;
    }
    Push& with_token(const std::string& jwt) { return set("authorization", "bearer " + jwt); }
    Push& with_payload(const std::string& text) {
        payload = text;
        return *this;
    }
    Push& to(const std::string& path_text) {
        path = path_text;
        return *this;
    }
};

Push background() {
    Push push;
    push.set("apns-push-type", "background").set("apns-priority", "5");
    push.payload = R"({"aps":{"content-available":1}})";
    return push;
}

struct World {
    explicit World(ApnsOptions options = {}) : apns(with_topic(std::move(options))) {
        REQUIRE(apns.add_key({"KEY1234567", "TEAM123456", pen().pem()}));
        REQUIRE(apns.add_key({"KEY7654321", "TEAM123456", pen().pem()}));
        REQUIRE(apns.add_key({"KEYFOREIGN", "TEAM654321", pen().pem()}));
    }
    static ApnsOptions with_topic(ApnsOptions options) {
        options.topics = {std::string(kTopic)};
        return options;
    }

    ApnsAnswer send(const Push& push, Now now = kNoon) { return send(push, connection, now); }
    ApnsAnswer send(const Push& push, ApnsConnection& on, Now now = kNoon) {
        std::vector<Http2Field> fields;
        for (const auto& [name, value] : push.fields) fields.push_back({name, value});
        return apns.answer({.stream = 1,
                            .method = push.method,
                            .path = push.path,
                            .authority = "api.push.apple.com",
                            .fields = fields,
                            .body = as_bytes(push.payload),
                            .body_size = push.payload.size(),
                            .has_duplicate_field = push.has_duplicate_field},
                           on,
                           now);
    }
    // "200", or "403 ExpiredProviderToken".
    std::string say(const Push& push, Now now = kNoon) { return say(push, connection, now); }
    std::string say(const Push& push, ApnsConnection& on, Now now = kNoon) {
        const ApnsAnswer answer = send(push, on, now);
        const std::string reason(answer.reason);
        return std::to_string(answer.status) + (reason.empty() ? "" : " " + reason);
    }

    ApnsBehavior apns;
    ApnsConnection connection;
};

// The answer to a push on a connection of its own.
std::string answer_to(const Push& push, Now now = kNoon) {
    World world;
    return world.say(push, now);
}

}  // namespace

TEST_CASE("APNs accepts a push that is right in every way", "[apns]") {
    World world;
    const ApnsAnswer answer = world.send(Push());
    CHECK(answer.status == 200);
    CHECK(answer.reason.empty());
    CHECK(answer.id == "eabeae54-14a8-11e5-b60b-1697f925ec7b");
    CHECK(answer.unique_id.size() == 36);
    std::array<char, 128> storage;
    CHECK(answer.body(storage).empty());
    CHECK(answer_to(background()) == "200");
}

TEST_CASE("APNs makes up the id that a push lacks", "[apns]") {
    World world;
    const std::string first(world.send(Push().drop("apns-id")).id);
    const std::string second(world.send(Push().drop("apns-id")).id);
    CHECK(first.size() == 36);
    CHECK(first != second);
}

TEST_CASE("APNs knows one method and one path", "[apns]") {
    Push get;
    get.method = "GET";
    CHECK(answer_to(get) == "405 MethodNotAllowed");
    CHECK(answer_to(Push().to("/")) == "404 BadPath");
    CHECK(answer_to(Push().to("/4/device/" + std::string(64, 'a'))) == "404 BadPath");
    CHECK(answer_to(Push().to("/3/device")) == "404 BadPath");
    CHECK(answer_to(Push().to("/3/device/")) == "400 MissingDeviceToken");
    for (const std::string& token : {std::string(63, 'a'),
                                     std::string(65, 'a'),
                                     std::string(62, 'a'),
                                     std::string(202, 'a'),
                                     std::string(64, 'A'),
                                     std::string(64, 'g'),
                                     std::string(62, 'a') + "%a",
                                     std::string(62, 'a') + "/a"}) {
        CHECK(answer_to(Push().to("/3/device/" + token)) == "400 BadDeviceToken");
    }
    CHECK(answer_to(Push().to("/3/device/" + std::string(200, 'a'))) == "200");
}

TEST_CASE("APNs refuses a field that comes twice", "[apns]") {
    Push push;
    push.has_duplicate_field = true;
    CHECK(answer_to(push) == "400 DuplicateHeaders");
}

TEST_CASE("APNs wants a provider token in the words of its documentation", "[apns]") {
    const std::string jwt = token_at(kNoon);
    CHECK(answer_to(Push().drop("authorization")) == "403 MissingProviderToken");
    for (const std::string& value : {std::string(),
                                     std::string("bearer "),
                                     std::string("bearer"),
                                     "Bearer " + jwt,
                                     "token " + jwt,
                                     jwt}) {
        CHECK(answer_to(Push().set("authorization", value)) == "403 MissingProviderToken");
    }
}

TEST_CASE("APNs reads provider tokens as strictly as the standards allow", "[apns]") {
    const std::string header = R"({"alg":"ES256","kid":"KEY1234567"})";
    const std::string claims = claims_at(kNoon);
    const std::string seconds = std::to_string(to_unix_seconds(kNoon.unix));
    const auto refused = [](const std::string& jwt) {
        return answer_to(Push().with_token(jwt)) == "403 InvalidProviderToken";
    };
    const auto claim = [](const std::string& iat) {
        return R"({"iss":"TEAM123456","iat":)" + iat + "}";
    };
    const std::string good = pen().jwt(header, claims);
    REQUIRE(answer_to(Push().with_token(good)) == "200");

    SECTION("a type may be named, and is JWT") {
        CHECK_FALSE(
            refused(pen().jwt(R"({"alg":"ES256","kid":"KEY1234567","typ":"JWT"})", claims)));
        CHECK(refused(pen().jwt(R"({"alg":"ES256","kid":"KEY1234567","typ":"JOSE"})", claims)));
    }
    SECTION("our own signer is understood") {
        auto signer = crypto::Es256Signer::load(pen().pem());
        REQUIRE(signer);
        for (int i = 0; i < 50; ++i) {
            const auto jwt =
                signer->sign("KEY1234567", "TEAM123456", after(knuckle::seconds(i)).unix);
            REQUIRE(jwt);
            CHECK(answer_to(Push().with_token(*jwt), after(minutes(1))) == "200");
        }
    }
    SECTION("the header") {
        CHECK(refused(pen().jwt(R"({"kid":"KEY1234567"})", claims)));
        CHECK(refused(pen().jwt(R"({"alg":"none","kid":"KEY1234567"})", claims)));
        CHECK(refused(pen().jwt(R"({"alg":"ES384","kid":"KEY1234567"})", claims)));
        CHECK(refused(pen().jwt(R"({"alg":"ES256"})", claims)));
        CHECK(refused(pen().jwt(R"({"alg":"ES256","kid":"KEY0000000"})", claims)));
        CHECK(refused(pen().jwt(R"(["ES256"])", claims)));
    }
    SECTION("the claims") {
        CHECK(refused(pen().jwt(header, claims_at(kNoon, "TEAM000000"))));
        CHECK(refused(pen().jwt(header, R"({"iat":)" + seconds + "}")));
        CHECK(refused(pen().jwt(header, R"({"iss":"TEAM123456"})")));
        CHECK(refused(pen().jwt(header, claim("\"" + seconds + "\""))));
        CHECK(refused(pen().jwt(header, claim(seconds + ".0"))));
        CHECK(refused(pen().jwt(header, claim(seconds + "e0"))));
        CHECK(refused(pen().jwt(header, claim(seconds + "000"))));  // milliseconds
        CHECK(refused(pen().jwt(header, claims + " x")));
    }
    SECTION("the signature") {
        const std::string text = Pen::encode(header) + "." + Pen::encode(claims);
        std::string flipped = pen().sign(text);
        flipped[40] = static_cast<char>(flipped[40] ^ 1);
        CHECK(refused(text + "."));
        CHECK(refused(text + "." + Pen::encode(flipped)));
        CHECK(refused(text + "." + Pen::encode(pen().sign(text).substr(1))));
        CHECK(refused(text + "." + Pen::encode(pen().sign_der(text))));
        CHECK(refused(text + "." + Pen::encode(std::string(64, '\0'))));
        CHECK(refused(Pen::encode(header) + "." +
                      Pen::encode(claims_at(after(knuckle::seconds(1)))) +
                      good.substr(good.rfind('.'))));
    }
    SECTION("the encoding") {
        CHECK(refused(good + "="));
        CHECK(refused(good + "=="));
        CHECK(refused(good + " "));
        CHECK(refused(good + "."));
        CHECK(refused("." + good));
        CHECK(refused(good.substr(0, good.rfind('.'))));
        CHECK(refused("x"));
        CHECK(refused(".."));
        CHECK(refused(std::string(5'000, 'a') + ".a.a"));
    }
}

TEST_CASE("APNs takes a provider token for an hour", "[apns]") {
    CHECK(answer_to(Push(), after(hours(1))) == "200");
    CHECK(answer_to(Push(), after(hours(1) + seconds(1))) == "403 ExpiredProviderToken");
    const auto from_future = [](Duration ahead) {
        return answer_to(Push().with_token(token_at(after(ahead))));
    };
    CHECK(from_future(minutes(1)) == "200");
    CHECK(from_future(minutes(1) + seconds(1)) == "403 InvalidProviderToken");

    World world({.future_token_reason = "ExpiredProviderToken"});
    CHECK(world.say(Push().with_token(token_at(after(hours(1))))) == "403 ExpiredProviderToken");
}

TEST_CASE("a connection that saw an expired token never works again", "[apns]") {
    World world;
    const Now later = after(hours(2));
    const Push renewed = Push().with_token(token_at(later));
    CHECK(world.say(Push(), later) == "403 ExpiredProviderToken");
    CHECK(world.say(renewed, later) == "403 ExpiredProviderToken");
    ApnsConnection fresh;
    CHECK(world.say(renewed, fresh, later) == "200");
}

TEST_CASE("a provider token may be replaced after twenty minutes, not before", "[apns]") {
    World world;
    CHECK(world.say(Push()) == "200");
    const auto renewed_at = [](Duration age) { return Push().with_token(token_at(after(age))); };

    CHECK(world.say(renewed_at(minutes(20)), after(minutes(20))) == "200");
    const std::string penalty = "429 TooManyProviderTokenUpdates";
    const Push hasty = renewed_at(minutes(30));
    CHECK(world.say(hasty, after(minutes(30))) == penalty);
    // Also the token that was fine, until the twenty minutes are over.
    CHECK(world.say(renewed_at(minutes(20)), after(minutes(35))) == penalty);
    CHECK(world.say(hasty, after(minutes(39))) == penalty);
    CHECK(world.say(hasty, after(minutes(40))) == "200");

    ApnsConnection other;
    CHECK(world.say(renewed_at(minutes(31)), other, after(minutes(31))) == "200");
}

TEST_CASE("the first push binds a connection to its team and key", "[apns]") {
    World world;
    const Now later = after(minutes(21));
    CHECK(world.say(Push()) == "200");
    CHECK(world.say(Push().with_token(token_at(later, "KEY7654321")), later) ==
          "403 UnrelatedKeyIdInToken");
    ApnsConnection other;
    CHECK(world.say(Push(), other) == "200");
    CHECK(world.say(Push().with_token(token_at(later, "KEYFOREIGN", "TEAM654321")), other, later) ==
          "403 InvalidProviderToken");
    // A push that was refused binds nothing.
    ApnsConnection third;
    CHECK(world.say(Push().to("/3/device/"), third) == "400 MissingDeviceToken");
    CHECK(world.say(Push().with_token(token_at(later, "KEY7654321")), third, later) == "200");
}

TEST_CASE("more than one stream is allowed after the first valid provider token", "[apns]") {
    World world;
    CHECK_FALSE(world.send(Push().drop("authorization")).streams_max);
    CHECK_FALSE(world.send(Push().with_token("a.b.c")).streams_max);
    CHECK(world.send(Push().to("/3/device/")).streams_max == 1'000);
    CHECK_FALSE(world.send(Push()).streams_max);
    ApnsConnection wedged;
    CHECK_FALSE(world.send(Push(), wedged, after(hours(2))).streams_max);
}

TEST_CASE("APNs checks what the fields say", "[apns]") {
    const auto with = [](const std::string& name, const std::string& value) {
        return answer_to(Push().set(name, value));
    };
    SECTION("the id is a UUID in its canonical spelling") {
        for (const char* const id : {"",
                                     "1",
                                     "EABEAE54-14A8-11E5-B60B-1697F925EC7B",
                                     "eabeae5414a811e5b60b1697f925ec7b",
                                     "{eabeae54-14a8-11e5-b60b-1697f925ec7b}",
                                     "eabeae54-14a8-11e5-b60b-1697f925ec7g"}) {
            CHECK(with("apns-id", id) == "400 BadMessageId");
        }
    }
    SECTION("the expiration is a whole number") {
        CHECK(answer_to(Push().drop("apns-expiration")) == "200");
        CHECK(with("apns-expiration", "1795953601") == "200");
        for (const char* const time :
             {"", "-1", "1.5", "soon", "1e9", " 1", "99999999999999999999"}) {
            CHECK(with("apns-expiration", time) == "400 BadExpirationDate");
        }
    }
    SECTION("there are three priorities, and a background push has one") {
        CHECK(answer_to(Push().drop("apns-priority")) == "200");
        for (const char* const priority : {"1", "5", "10"}) {
            CHECK(with("apns-priority", priority) == "200");
        }
        for (const char* const priority : {"", "0", "2", "05", "10 ", "high", "1 5"}) {
            CHECK(with("apns-priority", priority) == "400 BadPriority");
        }
        CHECK(answer_to(background().set("apns-priority", "10")) == "400 BadPriority");
        CHECK(answer_to(background().set("apns-priority", "1")) == "400 BadPriority");
        CHECK(answer_to(background().drop("apns-priority")) == "400 BadPriority");
    }
    SECTION("the push type is one of Apple's") {
        CHECK(answer_to(Push().drop("apns-push-type")) == "400 InvalidPushType");
        CHECK(with("apns-push-type", "") == "400 InvalidPushType");
        CHECK(with("apns-push-type", "Alert") == "400 InvalidPushType");
        CHECK(with("apns-push-type", "knock") == "400 InvalidPushType");
    }
    SECTION("the collapse id has at most 64 bytes") {
        CHECK(answer_to(Push().drop("apns-collapse-id")) == "200");
        CHECK(with("apns-collapse-id", std::string(64, 'x')) == "200");
        CHECK(with("apns-collapse-id", std::string(65, 'x')) == "400 BadCollapseId");
        std::string umlauts;
        for (int i = 0; i < 33; ++i) umlauts += "\xc3\xb6";
        CHECK(with("apns-collapse-id", umlauts) == "400 BadCollapseId");
    }
}

TEST_CASE("the topic is the team's and fits the push type", "[apns]") {
    const std::string topic(kTopic);
    const auto with_topic = [](const std::string& value) {
        return answer_to(Push().set("apns-topic", value));
    };
    CHECK(answer_to(Push().drop("apns-topic")) == "400 MissingTopic");
    CHECK(with_topic("") == "400 MissingTopic");
    CHECK(with_topic("org.example.other") == "400 TopicDisallowed");
    CHECK(with_topic("org.example.chatty") == "400 TopicDisallowed");
    CHECK(with_topic("org.example") == "400 TopicDisallowed");
    CHECK(with_topic(topic + ".voip") == "400 BadTopic");

    const std::vector<std::pair<std::string, std::string>> suffixes = {
        {"voip", ".voip"},
        {"complication", ".complication"},
        {"fileprovider", ".pushkit.fileprovider"},
        {"location", ".location-query"},
        {"liveactivity", ".push-type.liveactivity"},
        {"pushtotalk", ".voip-ptt"},
        {"widgets", ".push-type.widgets"},
        {"controls", ".push-type.controls"},
    };
    for (const auto& [type, suffix] : suffixes) {
        INFO(type);
        const Push push = Push().set("apns-push-type", type);
        CHECK(answer_to(Push(push).set("apns-topic", topic + suffix)) == "200");
        CHECK(answer_to(push) == "400 BadTopic");
    }
    CHECK(answer_to(background().set("apns-topic", topic + ".voip")) == "400 BadTopic");
}

TEST_CASE("the payload is a JSON object of at most 4096 bytes", "[apns]") {
    const auto payload_of = [](size_t size) {
        const std::string frame = R"({"aps":{"alert":""}})";
        return std::string(frame).insert(17, size - frame.size(), 'x');
    };
    const auto with = [](const std::string& payload) {
        return answer_to(Push().with_payload(payload));
    };
    REQUIRE(payload_of(4'096).size() == 4'096);
    CHECK(with(payload_of(4'096)) == "200");
    CHECK(with(payload_of(4'097)) == "413 PayloadTooLarge");
    const Push call =
        Push().set("apns-push-type", "voip").set("apns-topic", "org.example.chat.voip");
    CHECK(answer_to(Push(call).with_payload(payload_of(5'120))) == "200");
    CHECK(answer_to(Push(call).with_payload(payload_of(5'121))) == "413 PayloadTooLarge");

    for (const char* const payload : {"",
                                      "{",
                                      "[]",
                                      "null",
                                      "knock",
                                      "{\"aps\":{\"alert\":\"\xff\"}}",
                                      R"({"aps":{"alert":"x"}} x)",
                                      "\x1f\x8b\x08"}) {
        INFO(payload);
        CHECK(with(payload) == "400 PayloadEmpty");
    }
    CHECK(answer_to(Push().set("content-encoding", "gzip")) == "400 PayloadEmpty");
}

TEST_CASE("the payload fits the push type", "[apns]") {
    const auto is_refused = [](Push push, const std::string& payload) {
        return answer_to(push.with_payload(payload)) == "400 InvalidPushType";
    };
    CHECK(is_refused(background(), R"({"aps":{"content-available":1,"alert":"x"}})"));
    CHECK(is_refused(background(), R"({"aps":{"content-available":1,"badge":1}})"));
    CHECK(is_refused(background(), R"({"aps":{"content-available":1,"sound":"x"}})"));
    CHECK(is_refused(background(), R"({"aps":{}})"));
    CHECK(is_refused(background(), R"({"knock":1})"));
    CHECK(is_refused(Push(), R"({"aps":{"content-available":1}})"));
    CHECK_FALSE(
        is_refused(background(), R"({"aps":{"content-available":1},"message":{"alert":1}})"));
    CHECK_FALSE(is_refused(Push(), R"({"aps":{"badge":0}})"));
    CHECK_FALSE(is_refused(Push(), R"({"aps":{"alert":{"body":"x"},"content-available":1}})"));
}

TEST_CASE("a device is good until something else is known of it", "[apns]") {
    World world;
    const std::string device(64, 'a');
    const Push push;
    std::array<char, 128> storage;

    world.apns.set_device(device, {DeviceState::unregistered, 1'795'953'599'000});
    const ApnsAnswer gone = world.send(push);
    CHECK(gone.status == 410);
    CHECK(gone.body(storage) == R"({"reason":"Unregistered","timestamp":1795953599000})");
    world.apns.set_device(device, {DeviceState::unregistered, std::nullopt});
    CHECK(world.send(push).body(storage) == R"({"reason":"Unregistered"})");
    world.apns.set_device(device, {DeviceState::expired, 5});
    CHECK(world.send(push).body(storage) == R"({"reason":"ExpiredToken","timestamp":5})");
    world.apns.set_device(device, {DeviceState::bad, std::nullopt});
    CHECK(world.say(push) == "400 BadDeviceToken");
    world.apns.set_device(device, {DeviceState::wrong_topic, std::nullopt});
    CHECK(world.say(push) == "400 DeviceTokenNotForTopic");
    world.apns.set_device(device, {DeviceState::good, std::nullopt});
    CHECK(world.say(push) == "200");
    CHECK(world.say(Push().to("/3/device/" + std::string(64, 'b'))) == "200");
}

TEST_CASE("a device belongs to one environment", "[apns]") {
    World sandbox;
    World production({.is_sandbox = false});
    for (World* world : {&sandbox, &production})
        world->apns.set_device(std::string(64, 'a'), {.is_sandbox = true});
    CHECK(sandbox.say(Push()) == "200");
    CHECK(production.say(Push()) == "400 BadDeviceToken");
    CHECK(production.say(Push().to("/3/device/" + std::string(64, 'b'))) == "200");
}

TEST_CASE("a key may be good for one environment or for some topics only", "[apns]") {
    World world;
    world.apns.set_key_scope({.is_sandbox = false});
    CHECK(world.say(Push()) == "403 BadEnvironmentKeyInToken");
    world.apns.set_key_scope({.is_sandbox = true, .topics = {"org.example.other"}});
    CHECK(world.say(Push()) == "400 TopicDisallowed");
    world.apns.set_key_scope({.topics = {"org.example.other", std::string(kTopic)}});
    CHECK(world.say(Push()) == "200");
}

TEST_CASE("a client certificate is good for its topics", "[apns]") {
    World world;
    Push push;
    push.drop("authorization");
    world.connection.has_certificate = true;
    world.connection.certificate_topics = {"org.example.other"};
    CHECK(world.say(push) == "400 TopicDisallowed");
    world.connection.certificate_topics = {std::string(kTopic)};
    CHECK(world.say(push) == "200");
}

TEST_CASE("too many refusals end a connection, sooner for bad device tokens", "[apns]") {
    const auto pushes_until_end = [](const Push& push, DeviceState state) {
        World world({.error_budget = 10});
        world.apns.set_device(std::string(64, 'a'), {state, std::nullopt});
        for (int i = 1; i <= 20; ++i) {
            if (world.send(push).ends_connection) return i;
        }
        return 0;
    };
    CHECK(pushes_until_end(Push(), DeviceState::good) == 0);
    CHECK(pushes_until_end(Push(), DeviceState::unregistered) == 0);
    CHECK(pushes_until_end(Push(), DeviceState::bad) == 5);
    CHECK(pushes_until_end(Push().drop("apns-topic"), DeviceState::good) == 10);

    World patient;
    for (int i = 0; i < 100; ++i)
        CHECK_FALSE(patient.send(Push().drop("apns-topic")).ends_connection);
}

TEST_CASE("a failure can be injected, for some requests or for some time", "[apns]") {
    World world;
    world.apns.set_failure({.requests = 2});
    CHECK(world.say(Push()) == "503 ServiceUnavailable");
    CHECK(world.say(Push().drop("apns-topic")) == "503 ServiceUnavailable");
    CHECK(world.say(Push()) == "200");
    world.apns.set_failure({429, "TooManyRequests", UINT64_MAX, kNoon.instant + seconds(5)});
    CHECK(world.say(Push(), after(seconds(4))) == "429 TooManyRequests");
    CHECK(world.say(Push(), after(seconds(5))) == "200");
    world.apns.set_failure({});
    CHECK(world.say(Push()) == "503 ServiceUnavailable");
    world.apns.reset();
    CHECK(world.say(Push()) == "200");
}

TEST_CASE("the ledger tells the truth about every push", "[apns]") {
    World world;
    const std::string first = "eabeae54-14a8-11e5-b60b-1697f925ec7b";
    const std::string second = "eabeae54-14a8-11e5-b60b-1697f925ec7c";
    world.apns.set_failure({.requests = 1});
    world.send(Push());
    world.send(Push(), after(seconds(1)));
    world.send(Push(), after(seconds(2)));
    world.send(Push().set("apns-id", second), after(seconds(3)));

    const ApnsLedger& ledger = world.apns.ledger();
    CHECK(ledger.counts().requests == 4);
    CHECK(ledger.counts().accepted == 3);
    CHECK(ledger.counts().refused == 1);
    CHECK(ledger.counts().duplicates == 1);
    CHECK(ledger.pushes() == 2);
    CHECK(ledger.pushes_accepted() == 2);
    CHECK(ledger.devices() == 1);
    CHECK(ledger.reasons().at("ServiceUnavailable") == 1);
    REQUIRE(ledger.find_push(first) != nullptr);
    CHECK(ledger.find_push(first)->received == 3);
    CHECK(ledger.find_push(first)->accepted == 2);
    CHECK(ledger.find_push(first)->first == kNoon.instant);
    CHECK(ledger.find_push(first)->last == after(seconds(2)).instant);
    CHECK(ledger.find_device(std::string(64, 'a'))->accepted == 3);
    CHECK(ledger.find_device(std::string(64, 'b')) == nullptr);

    world.apns.reset();
    CHECK(ledger.counts().requests == 0);
    CHECK(ledger.find_push(first) == nullptr);
}

TEST_CASE("the ledger notices pushes that had expired before they came", "[apns]") {
    World world;
    world.send(Push().set("apns-expiration", "300"));
    world.send(Push().set("apns-expiration", "0"));
    world.send(Push().set("apns-expiration", std::to_string(to_unix_seconds(kNoon.unix))));
    CHECK(world.apns.ledger().counts().expired_on_arrival == 1);
}

TEST_CASE("the last requests are kept as they came", "[apns]") {
    World world({.arrivals_max = 2});
    for (const char* const id : {"knock-1", "knock-2", "knock-3"}) {
        world.send(Push().set("apns-collapse-id", id));
    }
    const auto& arrivals = world.apns.ledger().arrivals();
    REQUIRE(arrivals.size() == 2);
    CHECK(arrivals[0].field("apns-collapse-id") == "knock-2");
    CHECK(arrivals[1].field("apns-collapse-id") == "knock-3");
    CHECK(arrivals[1].path == "/3/device/" + std::string(64, 'a'));
    CHECK(arrivals[1].payload == R"({"aps":{"alert":"New Message!"}})");
    CHECK(arrivals[1].status == 200);
}

TEST_CASE("without checks everything is accepted and still counted", "[apns]") {
    World world({.checks_requests = false, .arrivals_max = 0});
    const ApnsAnswer answer = world.send(Push().drop("authorization"));
    CHECK(answer.status == 200);
    CHECK(answer.streams_max == 1'000);
    CHECK(world.apns.ledger().counts().accepted == 1);
    CHECK(world.apns.ledger().arrivals().empty());
}

}  // namespace knuckle::mock
