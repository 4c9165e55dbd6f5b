// SPDX-License-Identifier: GPL-3.0-or-later
// Accounts, devices and tokens as an app sees them: what it is told, and what is on disk by then.
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "engine/registry.h"
#include "tests/support/engine_world.h"

namespace knuckle::test {

namespace {

using Statuses = std::vector<int>;

std::string log_in(const std::string& username, const std::string& password) {
    return request("POST",
                   "accounts/",
                   R"({"username":")" + username + R"(","password":")" + password + "\"}");
}

std::string post_device(const std::string& auth, const std::string& registration) {
    return request(
        "POST", "device/apns/", R"({"registration_id":")" + registration + "\"}", authorized(auth));
}

std::string post_token(const std::string& auth, const std::string& device) {
    return request("POST", "tokens/", R"({"apns_device":")" + device + "\"}", authorized(auth));
}

}  // namespace

TEST_CASE("from nothing to a ringing phone in four requests", "[registry]") {
    EngineWorld world;
    const HttpAnswer account = world.ask(log_in("anna", "secret"));
    REQUIRE(account.status == 200);
    const std::string auth = account.member("token");
    const HttpAnswer device = world.ask(post_device(auth, store::registration_of("anna")));
    REQUIRE(device.status == 201);
    const HttpAnswer token = world.ask(post_token(auth, device.member("id")));
    REQUIRE(token.status == 201);
    store::Token to_knock;
    to_knock.text = token.member("token");
    CHECK(world.ask(knock(to_knock)).status == 202);
    REQUIRE(world.pushes.size() == 1);
    CHECK(world.pushes[0].device == store::registration_of("anna"));
    world.leave();
}

TEST_CASE("one call creates an account or logs in to it", "[registry]") {
    EngineWorld world;
    const HttpAnswer created = world.ask(log_in("anna", "secret"));
    CHECK(created.status == 200);
    CHECK(created.member("username") == "anna");
    CHECK(created.member("token").size() == 40);
    const HttpAnswer again = world.ask(log_in("anna", "secret"));
    CHECK(again.status == 200);
    CHECK(again.body == created.body);
    const HttpAnswer wrong = world.ask(log_in("anna", "guess"));
    CHECK(wrong.status == 401);
    CHECK(wrong.body == R"({"error":"Invalid credentials"})");
    CHECK(wrong.field("WWW-Authenticate").empty());
    world.leave();
}

TEST_CASE("two who create one name at once: one does, the other logs in or is refused",
          "[registry]") {
    EngineWorld world;
    Client& first = world.connect();
    Client& same = world.connect();
    Client& other = world.connect();
    first.says(log_in("anna", "secret"));
    same.says(log_in("anna", "secret"));
    other.says(log_in("anna", "another"));
    world.run();
    CHECK(first.statuses() == Statuses{200});
    CHECK(same.last().body == first.last().body);
    CHECK(other.statuses() == Statuses{401});
    world.leave();
}

TEST_CASE("an account is created when it is on disk, not before", "[registry]") {
    EngineWorld world;
    world.is_disk_slow = true;
    Client& client = world.connect();
    client.says(log_in("anna", "secret"));
    world.run();
    CHECK(client.heard.empty());
    CHECK_FALSE(world.shelf.account("anna"));
    SECTION("and answered then") {
        world.commit();
        CHECK(world.shelf.account("anna"));
        world.run();
        CHECK(client.statuses() == Statuses{200});
    }
    SECTION("and 503 when the disk will not take it") {
        world.is_disk_broken = true;
        world.commit();
        world.run();
        CHECK(client.statuses() == Statuses{503});
        CHECK_FALSE(client.last().field("Retry-After").empty());
    }
    SECTION("and nobody minds if the client has hung up") {
        client.hangs_up();
        world.run();
        world.commit();
        CHECK(world.shelf.account("anna"));
    }
    world.is_disk_slow = false;
    world.leave();
}

TEST_CASE("when a queue is full the client is told to come again", "[registry]") {
    EngineWorld world;
    SECTION("of the committer") { world.is_store_queue_full = true; }
    SECTION("of the passwords") { world.is_password_queue_full = true; }
    const HttpAnswer answer = world.ask(log_in("anna", "secret"));
    CHECK(answer.status == 503);
    CHECK_FALSE(answer.field("Retry-After").empty());
    CHECK_FALSE(world.shelf.account("anna"));
    world.leave();
}

TEST_CASE("more calls than may wait for a password are turned away", "[registry]") {
    EngineWorld::Setup setup;
    setup.options.connections_max = engine::kCallsMax + 10;
    EngineWorld world(setup);
    world.are_passwords_slow = true;
    for (size_t i = 0; i < engine::kCallsMax; ++i)
        world.connect().says(log_in("user " + std::to_string(i), "secret"));
    world.turn();
    Client& last = world.connect();
    last.says(log_in("anna", "secret"));
    world.turn();
    world.turn();
    CHECK(last.statuses() == Statuses{503});
    world.are_passwords_slow = false;
    world.leave();
}

TEST_CASE("an account shows itself to its owner and to nobody else", "[registry]") {
    EngineWorld world;
    const Phone anna = world.phone("anna");
    const Phone bob = world.phone("bob");
    const auto get = [&](const std::string& path, const std::string& auth) {
        return world.ask(request("GET", path, {}, auth.empty() ? "" : authorized(auth)));
    };
    const HttpAnswer own = get("accounts/anna/", anna.account.auth_token);
    CHECK(own.status == 200);
    CHECK(own.member("email") == "anna@example.org");
    CHECK(own.member("token").empty());
    CHECK(get("accounts/", anna.account.auth_token).body == own.body);
    CHECK(get("accounts/anna/", bob.account.auth_token).status == 404);
    CHECK(get("accounts/nobody/", bob.account.auth_token).status == 404);
    CHECK(get("accounts/anna/", "").status == 401);
    const HttpAnswer invalid = get("accounts/anna/", store::secret_of("guess"));
    CHECK(invalid.status == 401);
    CHECK(invalid.field("WWW-Authenticate") == "Token");
    world.leave();
}

TEST_CASE("an account that is deleted takes everything with it", "[registry]") {
    EngineWorld world;
    const Phone anna = world.phone("anna");
    const Phone bob = world.phone("bob");
    const auto remove = [&](const std::string& auth) {
        return world.ask(request("DELETE", "accounts/anna/", {}, authorized(auth))).status;
    };
    CHECK(remove(bob.account.auth_token) == 404);
    CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(remove(anna.account.auth_token) == 204);
    CHECK(world.ask(knock(anna.token)).status == 404);
    CHECK(remove(anna.account.auth_token) == 401);
    CHECK(world.ask(log_in("anna", "a new life")).status == 200);
    world.leave();
}

TEST_CASE("a device is created, read, changed and deleted by its owner only", "[registry]") {
    EngineWorld world;
    const Phone anna = world.phone("anna");
    const Phone bob = world.phone("bob");
    const std::string hers = authorized(anna.account.auth_token);
    const std::string his = authorized(bob.account.auth_token);
    const HttpAnswer created = world.ask(
        request("POST", "device/apns/", R"({"registration_id":"ab cd","name":"pad"})", hers));
    REQUIRE(created.status == 201);
    CHECK(created.member("registration_id") == "abcd");
    const std::string path = "device/apns/" + created.member("id") + "/";
    CHECK(world.ask(request("GET", path, {}, hers)).body == created.body);

    for (const char* const method : {"GET", "PATCH", "DELETE"}) {
        CHECK(world.ask(request(method, path, "{}", his)).status == 404);
    }
    CHECK(world.ask(request("GET", "device/gcm/" + created.member("id") + "/", {}, hers)).status ==
          404);

    const HttpAnswer patched = world.ask(request("PATCH", path, R"({"active":false})", hers));
    CHECK(patched.status == 200);
    CHECK(patched.member("name") == "pad");
    CHECK(patched.body.find("\"active\":false") != std::string::npos);

    const HttpAnswer list = world.ask(request("GET", "device/apns/", {}, hers));
    CHECK(list.body.find(created.member("id")) != std::string::npos);
    CHECK(world.ask(request("DELETE", path, {}, hers)).status == 204);
    CHECK(world.ask(request("GET", path, {}, hers)).status == 404);
    CHECK(world.ask(request("DELETE", path, {}, hers)).status == 404);
    world.leave();
}

TEST_CASE("an app that registers again revives a phone that was called gone", "[registry]") {
    EngineWorld world;
    const Phone anna = world.phone("anna");
    const auto proven_in = [&] { return world.shelf.devices_of(anna.account).front().proven_in; };
    REQUIRE(world.shelf.write(
                store::MarkDeviceDead{anna.account.id, anna.device.id, anna.device.registered}) ==
            store::WriteStatus::done);
    CHECK(world.ask(knock(anna.token)).status == 202);
    CHECK(world.pushes.empty());
    const std::string registration = store::registration_of("anna's new one");
    CHECK(world
              .ask(request("PUT",
                           "device/apns/" + anna.device.id.text() + "/",
                           R"({"registration_id":")" + registration + "\"}",
                           authorized(anna.account.auth_token)))
              .status == 200);
    CHECK(proven_in() == store::ProvenIn::nowhere);  // it is another one
    CHECK(world.ask(knock(anna.token)).status == 202);
    REQUIRE(world.pushes.size() == 1);
    CHECK(world.pushes[0].device == registration);
    CHECK(proven_in() == store::ProvenIn::production);
    world.leave();
}

TEST_CASE("a token is made for one's own device, renamed, and revoked", "[registry]") {
    EngineWorld world;
    const Phone anna = world.phone("anna");
    const Phone bob = world.phone("bob");
    const std::string hers = authorized(anna.account.auth_token);
    const std::string his = authorized(bob.account.auth_token);
    CHECK(world.ask(post_token(bob.account.auth_token, anna.device.id.text())).status == 400);
    const HttpAnswer created =
        world.ask(post_token(anna.account.auth_token, anna.device.id.text()));
    REQUIRE(created.status == 201);
    CHECK(created.member("apns_device") == anna.device.id.text());
    const std::string path = "tokens/" + created.member("token") + "/";

    CHECK(world.ask(request("GET", path, {}, hers)).status == 200);
    CHECK(world.ask(request("GET", path, {}, his)).status == 404);
    CHECK(world.ask(request("PATCH", path, R"({"name":"bob"})", his)).status == 404);
    CHECK(world.ask(request("DELETE", path, {}, his)).status == 404);
    const HttpAnswer renamed = world.ask(request("PATCH", path, R"({"name":"bob"})", hers));
    CHECK(renamed.status == 200);
    CHECK(renamed.member("name") == "bob");
    CHECK(renamed.member("date_expires") == created.member("date_expires"));
    const HttpAnswer list = world.ask(request("GET", "tokens/", {}, hers));
    CHECK(list.body.find(created.member("token")) != std::string::npos);
    CHECK(list.body.find(anna.token.text) != std::string::npos);

    store::Token revoked;
    revoked.text = created.member("token");
    CHECK(world.ask(knock(revoked)).status == 202);
    CHECK(world.ask(request("DELETE", path, {}, hers)).status == 204);
    CHECK(world.ask(knock(revoked)).status == 404);
    CHECK(world.ask(request("DELETE", path, {}, hers)).status == 404);
    world.leave();
}

TEST_CASE("there is a limit of devices and of tokens", "[registry]") {
    EngineWorld::Setup setup;
    setup.options.devices_max = 2;
    setup.options.tokens_max = 2;
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    const std::string& auth = anna.account.auth_token;
    CHECK(world.ask(post_device(auth, store::registration_of("2"))).status == 201);
    const HttpAnswer one_more = world.ask(post_device(auth, store::registration_of("3")));
    CHECK(one_more.status == 403);
    CHECK(one_more.body.find("devices") != std::string::npos);
    CHECK(world.ask(post_token(auth, anna.device.id.text())).status == 201);
    const HttpAnswer token = world.ask(post_token(auth, anna.device.id.text()));
    CHECK(token.status == 403);
    CHECK(token.body.find("tokens") != std::string::npos);
    world.leave();
}

TEST_CASE("a token expires by the second", "[registry]") {
    EngineWorld::Setup setup;
    setup.options.token_lifetime = hours(1);
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    const std::string hers = authorized(anna.account.auth_token);
    const HttpAnswer created =
        world.ask(post_token(anna.account.auth_token, anna.device.id.text()));
    const std::string path = "tokens/" + created.member("token") + "/";
    world.pass(minutes(59));
    CHECK(world.ask(request("GET", path, {}, hers)).status == 200);
    world.pass(minutes(1));  // the second in which it ends is not over
    CHECK(world.ask(request("GET", path, {}, hers)).status == 200);
    world.pass(seconds(1));
    CHECK(world.ask(request("GET", path, {}, hers)).status == 404);
    CHECK(world.ask(request("PATCH", path, R"({"name":"x"})", hers)).status == 404);
    const HttpAnswer list = world.ask(request("GET", "tokens/", {}, hers));
    CHECK(list.body.find(created.member("token")) == std::string::npos);
    world.leave();
}

TEST_CASE("an account that is used is noted once a day", "[registry]") {
    EngineWorld world;
    const Phone anna = world.phone("anna");
    const std::string look = request("GET", "accounts/", {}, authorized(anna.account.auth_token));
    const auto seen = [&world] { return world.shelf.account("anna")->seen; };
    const UnixTime before = seen();
    CHECK(world.ask(look).status == 200);
    CHECK(seen() == before);
    SECTION("by any call with its auth token") {
        world.pass(store::kSeenGrain + hours(1));
        CHECK(world.ask(look).status == 200);
        CHECK(seen() == world.now.unix);
    }
    SECTION("but not by knocks, nor by those who guess") {
        world.pass(store::kSeenGrain + hours(1));
        CHECK(world.ask(knock(anna.token)).status == 202);
        CHECK(world.ask(log_in("anna", "guess")).status == 401);
        CHECK(seen() == before);
    }
    SECTION("by a login") {
        const HttpAnswer bob = world.ask(log_in("bob", "secret"));
        REQUIRE(bob.status == 200);
        world.pass(store::kSeenGrain + hours(1));
        CHECK(world.ask(log_in("bob", "secret")).body == bob.body);
        CHECK(world.shelf.account("bob")->seen == world.now.unix);
    }
    SECTION("and nobody waits for the note") {
        world.pass(store::kSeenGrain + hours(1));
        world.is_store_queue_full = true;
        CHECK(world.ask(look).status == 200);
        CHECK(seen() == before);
        world.is_store_queue_full = false;
        CHECK(world.ask(look).status == 200);
        CHECK(seen() == world.now.unix);
    }
    world.leave();
}

TEST_CASE("an account that nobody has used for its lifetime is gone for its auth token",
          "[registry]") {
    EngineWorld::Setup setup;
    setup.options.token_lifetime = hours(24);
    setup.options.account_lifetime = hours(48);
    EngineWorld world(setup);
    const HttpAnswer anna = world.ask(log_in("anna", "secret"));
    const std::string look = request("GET", "accounts/", {}, authorized(anna.member("token")));
    // When it was used last is known to the day, so it has a day more.
    world.pass(hours(72) - minutes(1));
    SECTION("and back for good if it is used before") {
        CHECK(world.ask(look).status == 200);
        world.pass(minutes(1));
        CHECK(world.ask(look).status == 200);
    }
    SECTION("but its password has it back, until it is swept") {
        world.pass(minutes(1));
        const HttpAnswer gone = world.ask(look);
        CHECK(gone.status == 401);
        CHECK(gone.body == R"({"detail":"Invalid token."})");
        CHECK(world.ask(log_in("anna", "guess")).status == 401);
        CHECK(world.ask(look).status == 401);
        CHECK(world.ask(log_in("anna", "secret")).body == anna.body);
        CHECK(world.ask(look).status == 200);
    }
    SECTION("and is answered only when it is on disk that it is back") {
        world.pass(minutes(1));
        world.is_disk_slow = true;
        Client& client = world.connect();
        client.says(log_in("anna", "secret"));
        world.run();
        CHECK(client.heard.empty());
        SECTION("which it may be not") {
            world.is_disk_broken = true;
            world.commit();
            world.run();
            CHECK(client.statuses() == Statuses{503});
        }
        SECTION("or the sweep may be quicker, and then it is a new one") {
            REQUIRE(world.shelf.write(store::DeleteAccount{world.shelf.account("anna")->id}) ==
                    store::WriteStatus::done);
            world.commit();
            world.run();
            world.commit();
            world.run();
            CHECK(client.statuses() == Statuses{200});
            CHECK(client.last().member("username") == "anna");
            CHECK(client.last().member("token") != anna.member("token"));
            CHECK(client.last().member("token") == world.shelf.account("anna")->auth_token);
        }
        world.is_disk_slow = world.is_disk_broken = false;
    }
    SECTION("or is told to come again when too much is to be written") {
        world.pass(minutes(1));
        world.is_store_queue_full = true;
        CHECK(world.ask(log_in("anna", "secret")).status == 503);
    }
    world.leave();
}

TEST_CASE("what belongs to one app does not exist for another", "[registry]") {
    EngineWorld::Setup setup;
    setup.options.apps.push_back({.name = "other"});
    setup.options.routes.apps.push_back({"other", {}});
    EngineWorld world(setup);
    const Phone anna = world.phone("anna");
    std::string text = knock(anna.token);
    text.replace(text.find("/api/"), 5, "/other/api/");
    CHECK(world.ask(text).status == 404);
    CHECK(world.ask(knock(anna.token)).status == 202);
    world.leave();
}

}  // namespace knuckle::test
