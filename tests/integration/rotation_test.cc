// SPDX-License-Identifier: GPL-3.0-or-later
// The key that the database is sealed with is changed while the gateway serves.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <sys/stat.h>

#include <catch_amalgamated.hpp>

#include "tests/integration/world.h"

namespace knuckle::test {

namespace {

constexpr std::string_view kMessages = "/api/v1/messages/";

struct Rotation {
    [[nodiscard]] std::string key_file() const { return world.config.data_dir + "/store.key"; }

    int rotate() {
        Process process({KNUCKLE_BINARY, "rotate-key", "--config", world.config.write()},
                        world.dir / "rotation");
        const int status = process.wait(seconds(20)).value_or(-1);
        said = process.output();
        return status;
    }

    World world;
    std::string said;  // by the last rotation
};

}  // namespace

TEST_CASE("the key is changed while the gateway serves, and every phone still rings",
          "[rotation]") {
    Rotation rotation;
    World& world = rotation.world;
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone anna = register_phone(client, "anna", 1);
    const std::string old_key = read_whole_file(rotation.key_file());

    REQUIRE(rotation.rotate() == 0);
    CHECK(rotation.said.find("key 2 is in front now") != std::string::npos);
    CHECK(rotation.said.find("systemctl restart knuckle") != std::string::npos);
    const std::string both_keys = read_whole_file(rotation.key_file());
    CHECK(both_keys.find("\nseal 2 ") < both_keys.find("\nseal 1 "));
    CHECK(both_keys.ends_with(old_key.substr(old_key.find("seal 1 "))));
    struct stat status{};
    REQUIRE(::stat(rotation.key_file().c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);

    // The gateway that runs goes on with the old key.
    CHECK(client.post(kMessages, knock_json(anna)).status == 202);
    const Phone bob = register_phone(client, "bob", 2);
    // One rotation at a time.
    CHECK(rotation.rotate() == 1);
    CHECK(rotation.said.find("a rotation is under way") != std::string::npos);
    CHECK(read_whole_file(rotation.key_file()) == both_keys);
    CHECK(gateway.stop() == 0);

    HttpClient again(world.start().port());
    CHECK(again.post(kMessages, knock_json(anna)).status == 202);
    CHECK(again.post(kMessages, knock_json(bob)).status == 202);
    CHECK(register_account(again, "anna") == anna.auth);
    const Phone carol = register_phone(again, "carol", 3);
    CHECK(eventually([&] { return world.gateway->count_in_log("event=key_rotation_ended") == 1; }));
    CHECK(world.gateway->metric("knuckle_store_key_rotation") == 0);
    CHECK(world.gateway->metric("knuckle_store_resealed_rows_total") > 0);
    const std::string new_key = both_keys.substr(0, both_keys.find("seal 1 "));
    CHECK(eventually([&] { return read_whole_file(rotation.key_file()) == new_key; }));
    world.gateway->process().signal(SIGKILL);
    CHECK(world.gateway->process().wait(seconds(20)) == 128 + SIGKILL);

    HttpClient once_more(world.start().port());
    for (const Phone& phone : {anna, bob, carol}) {
        CHECK(once_more.post(kMessages, knock_json(phone)).status == 202);
    }
    CHECK(world.gateway->metric("knuckle_knocks_total{result=\"delivered\"}") == 3);
    CHECK(world.gateway->stop() == 0);
    const std::string log = read_whole_file(world.dir / "rotation") + world.gateway->log();
    for (const std::string& secret : {old_key.substr(7, 64), both_keys.substr(79, 64)}) {
        CHECK(log.find(secret) == std::string::npos);
    }

    // A copy of the key file from before does not serve a half of the rows.
    std::ofstream(rotation.key_file(), std::ios::trunc) << old_key;
    Process refused({KNUCKLE_BINARY, "serve", "--config", world.config.write()},
                    world.dir / "refused");
    CHECK(refused.wait(seconds(20)) == 1);
    CHECK(refused.output().find("the key file lacks a seal key that the database needs") !=
          std::string::npos);
}

TEST_CASE("a key that cannot be changed is left as it is, and the command says why", "[rotation]") {
    Rotation rotation;
    World& world = rotation.world;
    CHECK(rotation.rotate() == 1);
    CHECK(rotation.said.find(rotation.key_file() + ": the key file does not exist") !=
          std::string::npos);

    world.config.top = "store_key_file = \"credential:store.key\"\n";
    CHECK(rotation.rotate() == 1);
    CHECK(rotation.said.find("set CREDENTIALS_DIRECTORY") != std::string::npos);
}

}  // namespace knuckle::test
