// SPDX-License-Identifier: GPL-3.0-or-later
// One fault of the provider's at a time, each drawn from the checklist of tests/mock/README.md: no
// knock is lost, none is sent twice whose fate was known, and things are well again afterwards.
#include <string>
#include <string_view>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/integration/world.h"
#include "tests/support/knock_load.h"

namespace knuckle::test {

namespace {

constexpr std::string_view kMessages = "/api/v1/messages/";

// Knocks for so many phones, one each at a time, so that none takes another's place.
class Phones {
public:
    Phones(const Gateway& gateway, size_t count) : client_(gateway.port()) {
        for (size_t i = 1; i <= count; ++i)
            phones_.push_back(register_phone(client_, "anna" + std::to_string(i), i));
    }
    void knock_once() {
        for (const Phone& phone : phones_)
            CHECK(client_.post(kMessages, knock_json(phone)).status == 202);
        knocks_ += static_cast<int64_t>(phones_.size());
    }
    [[nodiscard]] int64_t knocks() const { return knocks_; }

private:
    HttpClient client_;
    std::vector<Phone> phones_;
    int64_t knocks_ = 0;
};

bool is_settled(const Gateway& gateway) {
    return gateway.metric("knuckle_pending_pushes") == 0 &&
           gateway.metric("knuckle_jobs_in_flight") == 0;
}

}  // namespace

TEST_CASE("a push that goes wrong on its way arrives", "[faults]") {
    const std::string fault = GENERATE(as<std::string>(),
                                       R"("fault":"reset","code":7)",
                                       R"("fault":"reset","code":2)",
                                       R"("fault":"reset","code":8,"accepted":true)",
                                       R"("fault":"cut_answer","code":2,"accepted":true)",
                                       R"("fault":"silence")",
                                       R"("fault":"silence","accepted":true)",
                                       R"("fault":"late","ms":1200)",
                                       R"("fault":"half_answer")",
                                       R"("fault":"half_answer","accepted":true)",
                                       R"("fault":"hang_up")",
                                       R"("fault":"hang_up","accepted":true)",
                                       R"("fault":"goaway")",
                                       R"("fault":"answer","status":500,"body":"")",
                                       R"("fault":"answer","status":503,"body":"<html>")",
                                       R"("fault":"answer","status":503,"reason":"Shutdown")",
                                       R"("fault":"answer","status":503,"retry_after":"1")");
    CAPTURE(fault);
    World world;
    world.config.tables = "[knocks]\nack_wait = \"100ms\"\nrequest_timeout = \"500ms\"\n";
    Gateway& gateway = world.start();
    Phones phones(gateway, 3);
    phones.knock_once();
    world.apns.tell("/faults", "{" + fault + R"(,"skip":1,"for_requests":1})");
    phones.knock_once();
    CHECK(eventually([&] {
        return world.apns.count("/pushes_accepted") == phones.knocks() && is_settled(gateway);
    }));
    CHECK(world.apns.count("/faults") == 1);
    CHECK(world.apns.count("/duplicates_inexcusable") == 0);
    phones.knock_once();
    CHECK(eventually([&] { return world.apns.count("/pushes_accepted") == phones.knocks(); }));
    CHECK(gateway.stop() == 0);
}

TEST_CASE("an answer that nobody has heard of ends its push and no other", "[faults]") {
    const std::string answer = GENERATE(as<std::string>(),
                                        R"("status":418,"reason":"Teapot")",
                                        R"("status":400,"reason":"SomethingNew")",
                                        R"("status":400,"body":"")",
                                        R"("status":400,"body":"{\"reason\":")",
                                        R"("status":410,"reason":"Unregistered")");
    CAPTURE(answer);
    World world;
    Gateway& gateway = world.start();
    Phones phones(gateway, 3);
    world.apns.tell("/faults", R"({"fault":"answer","for_requests":1,)" + answer + "}");
    phones.knock_once();
    CHECK(eventually([&] { return is_settled(gateway); }));
    CHECK(world.apns.count("/accepted") == 2);
    CHECK(gateway.readiness().status == 200);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("however a provider talks, it is understood", "[faults]") {
    const std::string transport = GENERATE(as<std::string>(),
                                           R"("dribbles":true)",
                                           R"("padding":200,"data_frame_max":3)",
                                           R"("stream_window":16)",
                                           R"("header_table_size":0)",
                                           R"("header_table_size":64,"inspects_hpack":true)",
                                           R"("settings_ms":200)",
                                           R"("streams_max":-1)",
                                           R"("handshake_ms":300)",
                                           R"("says_trailers":true)",
                                           R"("splits_heads":true,"says_trailers":true)",
                                           R"("inspects_hpack":true)");
    CAPTURE(transport);
    World world;
    world.apns.tell("/transport", "{" + transport + "}");
    Gateway& gateway = world.start();
    Phones phones(gateway, 5);
    phones.knock_once();
    phones.knock_once();
    world.apns.tell("/faults", R"({"fault":"answer","status":400,"reason":"BadPriority"})");
    phones.knock_once();
    CHECK(eventually([&] { return world.apns.count("/refused") == 5; }));
    CHECK(world.apns.count("/pushes_accepted") == 10);
    CHECK(world.apns.count("/duplicates") == 0);
    CHECK(world.apns.count("/priority_frames") == 0);
    CHECK(world.apns.count("/heads_too_large") == 0);
    CHECK(world.apns.count("/hpack_offences") == 0);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("streams that the provider takes back are not used", "[faults]") {
    World world;
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    std::vector<Phone> phones;
    for (size_t i = 1; i <= 20; ++i)
        phones.push_back(register_phone(client, "anna" + std::to_string(i), i));
    world.apns.tell("/delay", R"({"ms":10})");
    KnockLoad load({.port = gateway.port(), .connections = 20, .knocks = 600, .phones = phones});
    bool is_low = false;
    bool is_high = false;
    REQUIRE(load.run(seconds(60), [&] {
        if (!is_low && load.answered() > 100) {
            world.apns.tell("/streams", R"({"max":1})");
            is_low = true;
        } else if (!is_high && load.answered() > 200) {
            world.apns.tell("/streams", R"({"max":100})");
            is_high = true;
        }
    }));
    CHECK(load.answered(202) == 600);
    CHECK(eventually([&] {
        return static_cast<double>(world.apns.count("/pushes_accepted")) +
                   gateway.metric("knuckle_pushes_superseded_total") ==
               600;
    }));
    CHECK(world.apns.count("/duplicates") == 0);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("a PING that is answered late is answered", "[faults]") {
    World world;
    world.apns.tell("/transport", R"({"ping_ms":800})");
    Gateway& gateway = world.start();
    Phones phones(gateway, 1);
    phones.knock_once();
    // Nothing else is heard for as long as it takes to be asked.
    world.apns.tell("/faults", R"({"fault":"late","ms":4000,"for_requests":1})");
    phones.knock_once();
    CHECK(eventually([&] {
        return world.apns.count("/pushes_accepted") == phones.knocks() && is_settled(gateway);
    }));
    CHECK(world.apns.count("/pings") == 1);
    CHECK(world.apns.count("/connections_made") == 2);  // one for the phone's first push
    CHECK(world.apns.count("/duplicates") == 0);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("a key of the other environment or of other topics costs nobody a phone", "[faults]") {
    const std::string scope = GENERATE(as<std::string>(),
                                       R"({"environment":"production"})",
                                       R"({"topics":["org.example.other"]})");
    CAPTURE(scope);
    World world;
    Gateway& gateway = world.start();
    Phones phones(gateway, 3);
    phones.knock_once();
    world.apns.tell("/keys", scope);
    phones.knock_once();
    CHECK(eventually([&] { return gateway.readiness().status == 503; }));
    // The operator puts it right, and starts again.
    CHECK(gateway.stop() == 0);
    world.apns.tell("/keys", "{}");
    Gateway& again = world.start();
    CHECK(eventually([&] {
        return world.apns.count("/pushes_accepted") == phones.knocks() && is_settled(again);
    }));
    CHECK(world.apns.count("/duplicates") == 0);
    CHECK(again.stop() == 0);
}

TEST_CASE("a goodbye that is announced, or said in other words, costs nothing", "[faults]") {
    const std::string goodbye = GENERATE(as<std::string>(),
                                         R"({"notice_ms":50})",
                                         R"({"body":""})",
                                         R"({"body":"so long"})",
                                         R"({"body":"Maximum active streams violated"})",
                                         R"({"reason":"BadCertificate"})",
                                         R"({"body":"{\"reason\":"})");
    CAPTURE(goodbye);
    World world;
    Gateway& gateway = world.start();
    Phones phones(gateway, 3);
    phones.knock_once();
    world.apns.tell("/goaway", goodbye);
    phones.knock_once();
    CHECK(eventually([&] { return world.apns.count("/connections_made") >= 3; }));
    phones.knock_once();
    // What waits for the new connection may have become one.
    CHECK(eventually([&] {
        const auto superseded = gateway.metric("knuckle_pushes_superseded_total");
        return static_cast<double>(world.apns.count("/pushes_accepted")) + superseded ==
               static_cast<double>(phones.knocks());
    }));
    CHECK(world.apns.count("/duplicates") == 0);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("a provider that cannot be had for a while is had afterwards", "[faults]") {
    struct Trouble {
        std::string path;
        std::string json;
    };
    const auto trouble = GENERATE(values<Trouble>({
        {"/tls", R"({"mode":"no_alpn"})"},
        {"/tls", R"({"mode":"http1"})"},
        {"/tls", R"({"mode":"wrong_host"})"},
        {"/tls", R"({"mode":"expired"})"},
        {"/tls", R"({"mode":"unknown_ca"})"},
        {"/transport", R"({"closes_on_hello":true})"},
        {"/transport", R"({"refuses":true})"},
    }));
    CAPTURE(trouble.path, trouble.json);
    World world;
    world.apns.tell(trouble.path, trouble.json);
    Gateway& gateway = world.serve();
    REQUIRE(eventually([&] { return gateway.count_in_log("event=provider_unavailable") == 1; }));
    CHECK(gateway.readiness().status == 503);
    Phones phones(gateway, 2);
    phones.knock_once();
    CHECK(world.apns.count("/requests") == 0);
    world.apns.tell("/reset");
    gateway.wait_until_ready();
    CHECK(eventually([&] { return world.apns.count("/pushes_accepted") == phones.knocks(); }));
    CHECK(gateway.stop() == 0);
}

}  // namespace knuckle::test
