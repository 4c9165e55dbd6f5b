// SPDX-License-Identifier: GPL-3.0-or-later
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "config/config.h"

using namespace knuckle;
using namespace knuckle::config;

namespace {

const std::string kText =
    "data_dir = \"data\"\n"
    "[[listen]]\n"
    "address = \"unix:http.sock\"\n"
    "tls_certificate = \"../tls/chain.pem\"\n"
    "tls_key = \"credential:tls.key\"\n"
    "[chatsecure]\n"
    "base_url = \"https://push.example.org/api/v1/\"\n"
    "[apps.chat.apns]\n"
    "topic = \"org.example.chat\"\n"
    "key_file = \"/etc/apns.p8\"\n"
    "ca_file = \"ca.pem\"\n"
    "key_id = \"ABC123DEFG\"\n"
    "team_id = \"DEF123GHIJ\"\n";

// A folder that is there as long as the test.
class Folder {
public:
    Folder() {
        std::string name =
            (std::filesystem::temp_directory_path() / "knuckle-config-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(path_ + "/" + name) << text;
        return path_ + "/" + name;
    }

private:
    std::string path_;
};

std::string only_mistake(const std::string& path) {
    Config config;
    const std::vector<Mistake> mistakes = load(path, config);
    REQUIRE(mistakes.size() == 1);
    return describe("f", mistakes[0]);
}

}  // namespace

TEST_CASE("a configuration can be moved together with the files beside it", "[config]") {
    const Folder folder;
    Config config;
    REQUIRE(load(folder.write("knuckle.toml", kText), config).empty());
    CHECK(config.data_dir == folder.path() + "/data");
    CHECK(config.store_key_file == folder.path() + "/data/store.key");
    CHECK(config.listen[0].address.unix_path == folder.path() + "/http.sock");
    CHECK(config.listen[0].tls_certificate == folder.path() + "/../tls/chain.pem");
    CHECK(config.listen[0].tls_key == "credential:tls.key");
    CHECK(config.apps[0].apns.key_file == "/etc/apns.p8");
    CHECK(config.apps[0].apns.ca_file == folder.path() + "/ca.pem");
}

TEST_CASE("text in memory has no folder", "[config]") {
    Config config;
    REQUIRE(parse(kText, config).empty());
    CHECK(config.data_dir == "data");
    CHECK(config.listen[0].address.unix_path == "http.sock");
}

TEST_CASE("a second load forgets the first", "[config]") {
    Config config;
    REQUIRE(parse("workers = 3\n" + kText, config).empty());
    CHECK(config.workers == 3);
    REQUIRE(parse(kText, config).empty());
    CHECK(config.workers == 0);
    CHECK(config.listen.size() == 1);
    CHECK(config.apps.size() == 1);
}

TEST_CASE("a file that cannot be read says why", "[config]") {
    const Folder folder;
    CHECK(only_mistake(folder.path() + "/none.toml") ==
          "f: cannot be read: No such file or directory");
    CHECK(only_mistake(folder.path()) == "f: cannot be read: Is a directory");
    CHECK(only_mistake(folder.write("big.toml", std::string(1024 * 1024 + 1, '\n'))) ==
          "f: is larger than 1 MiB, so it is no configuration");
    CHECK_THAT(only_mistake(folder.write("bad.toml", "\n[admin\n")),
               Catch::Matchers::StartsWith("f:2:7: "));
}

TEST_CASE("a mistake is described in one line", "[config]") {
    CHECK(describe("/etc/k.toml", {12, 9, "apps.chat.apns.key_id", "must be"}) ==
          "/etc/k.toml:12:9: apps.chat.apns.key_id: must be");
    CHECK(describe("k.toml", {3, 1, "", "expected ="}) == "k.toml:3:1: expected =");
    CHECK(describe("k.toml", {7, 0, "listen.tls_key", "cannot be read"}) ==
          "k.toml:7: listen.tls_key: cannot be read");
    CHECK(describe("k.toml", {0, 0, "apps", "missing"}) == "k.toml: apps: missing");
    CHECK(describe("k.toml", {0, 0, "", "cannot be read"}) == "k.toml: cannot be read");
}

TEST_CASE("the configuration of make run stays inside build/run and on loopback", "[config]") {
    const std::string folder = KNUCKLE_SOURCE_DIR "/conf";
    Config config;
    for (const Mistake& mistake : load(folder + "/dev.toml", config))
        FAIL_CHECK(describe("dev.toml", mistake));
    CHECK(config.workers == 1);
    CHECK(config.data_dir == folder + "/../build/run/data");
    REQUIRE(config.listen.size() == 1);
    CHECK(config.listen[0].address == Address{"127.0.0.1", 8080, ""});
    CHECK(config.admin == Address{"127.0.0.1", 8081, ""});
    REQUIRE(config.apps.size() == 1);
    CHECK(config.apps[0].name == "demo");
    const Apns& apns = config.apps[0].apns;
    CHECK(apns.is_sandbox);
    CHECK(apns.endpoint == Address{"127.0.0.1", 8443, ""});
    CHECK(apns.key_file == folder + "/../build/run/apns.p8");
    CHECK(apns.ca_file == folder + "/../build/run/ca.pem");
}
