// SPDX-License-Identifier: GPL-3.0-or-later
// An app that has phones in both of Apple's environments (ADR 0022).
#include <string>

#include <catch_amalgamated.hpp>

#include "tests/integration/world.h"
#include "tests/support/http_client.h"

namespace knuckle::test {

namespace {

// Production, and the sandbox beside it. The phone with registration 1 is production's, the one
// with 2 the sandbox's.
struct Both {
    Both() {
        world.config.environment = "both";
        world.config.apns =
            "sandbox_endpoint = \"127.0.0.1:" + std::to_string(sandbox.port()) + "\"\n";
        refuse(world.apns, 2);
        refuse(sandbox, 1);
    }
    static void refuse(ApnsProcess& apns, uint64_t registration) {
        apns.tell("/tokens",
                  R"({"token":")" + registration_of(registration) + R"(","state":"bad"})");
    }

    World world;
    ApnsProcess sandbox = make_apns(world.apns.directory(), 0);
};

}  // namespace

TEST_CASE("phones of both environments ring, each found once, also after a restart",
          "[environments]") {
    Both both;
    World& world = both.world;
    const auto knock_for = [&](const Phone& phone) {
        HttpClient client(world.gateway->port());
        CHECK(client.post("/api/v1/messages/", knock_json(phone)).status == 202);
    };
    HttpClient client(world.start().port());
    const Phone anna = register_phone(client, "anna", 1);
    const Phone bob = register_phone(client, "bob", 2);
    knock_for(anna);
    knock_for(bob);
    CHECK(world.apns.count("/pushes_accepted") == 1);
    CHECK(world.apns.count("/refused") == 1);
    CHECK(both.sandbox.count("/pushes_accepted") == 1);
    CHECK(both.sandbox.count("/refused") == 0);
    CHECK(world.gateway->metric("knuckle_knocks_total{result=\"delivered\"}") == 2);
    CHECK(world.gateway->stop() == 0);

    world.start();
    knock_for(bob);
    knock_for(anna);
    CHECK(world.apns.count("/pushes_accepted") == 2);
    CHECK(world.apns.count("/refused") == 1);
    CHECK(both.sandbox.count("/pushes_accepted") == 2);
    CHECK(both.sandbox.count("/refused") == 0);
    CHECK(world.gateway->stop() == 0);
}

TEST_CASE("while the sandbox is away its phones' pushes wait, and production's do not",
          "[environments]") {
    Both both;
    World& world = both.world;
    world.config.tables = "[knocks]\nack_wait = \"300ms\"\n";
    HttpClient client(world.start().port());
    const Phone anna = register_phone(client, "anna", 1);
    const Phone bob = register_phone(client, "bob", 2);
    const uint16_t port = both.sandbox.port();
    CHECK(both.sandbox.stop() == 0);
    CHECK(client.post("/api/v1/messages/", knock_json(bob)).status == 202);
    CHECK(client.post("/api/v1/messages/", knock_json(anna)).status == 202);
    CHECK(world.gateway->metric("knuckle_knocks_total{result=\"stored\"}") == 1);
    CHECK(world.gateway->metric("knuckle_knocks_total{result=\"delivered\"}") == 1);
    CHECK(world.gateway->readiness().status == 503);

    ApnsProcess again = make_apns(world.apns.directory(), port);
    CHECK(eventually([&] { return again.count("/pushes_accepted") == 1; }));
    CHECK(eventually([&] { return world.gateway->metric("knuckle_pending_pushes") == 0; }));
    CHECK(world.gateway->stop() == 0);
}

}  // namespace knuckle::test
