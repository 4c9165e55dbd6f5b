// SPDX-License-Identifier: GPL-3.0-or-later
// knuckle doctor: for each thing that can be wrong, what it says and that it exits with 1.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/integration/world.h"
#include "tests/support/json_fields.h"
#include "tests/support/process.h"

namespace knuckle::test {

namespace {

struct Diagnosis {
    int status = -1;
    std::string text;

    [[nodiscard]] bool says(std::string_view words) const {
        return text.find(words) != std::string::npos;
    }
};

Diagnosis ask_doctor(const World& world, const std::vector<std::string>& more = {}) {
    std::vector<std::string> words{KNUCKLE_BINARY, "doctor", "--config", world.config.write()};
    words.insert(words.end(), more.begin(), more.end());
    const std::string output = world.dir / "doctor.txt";
    std::filesystem::remove(output);
    Process process(words, output);
    const int status = process.wait(kPatience).value_or(-1);
    return {status, process.output()};
}

}  // namespace

TEST_CASE("the doctor finds nothing wrong with a gateway that serves, and harms it not",
          "[doctor]") {
    World world;
    Gateway& gateway = world.start();
    const Diagnosis looked = ask_doctor(world);
    INFO(looked.text);
    CHECK(looked.status == 0);
    CHECK(looked.says("all is fine"));
    CHECK(looked.says("name and TCP"));
    CHECK(looked.says("TLS and ALPN h2, certificate good until 2049-12-31 ("));
    CHECK(looked.says("days), issued by \"Simulated APNs CA\""));
    CHECK_FALSE(looked.says("certificate of app chat"));
    CHECK(looked.says("SETTINGS received"));
    CHECK(looked.says("readable, and by no others"));
    CHECK(world.apns.count("/requests") == 0);

    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");
    CHECK(client.post("/api/v1/messages/", knock_json(phone)).status == 202);
    const Diagnosis sent = ask_doctor(world, {"--send", registration_of(7)});
    INFO(sent.text);
    CHECK(sent.status == 0);
    CHECK(sent.says("status 200, the provider has it"));
    const std::vector<std::string> arrivals = world.apns.arrivals();
    REQUIRE(arrivals.size() == 2);
    CHECK(json_string(arrivals[0], "/fields/authorization") ==
          json_string(arrivals[1], "/fields/authorization"));
    CHECK(gateway.stop() == 0);
}

TEST_CASE("the doctor says what the provider has against a push, and what to do", "[doctor]") {
    World world;
    SECTION("a device token of the other environment") {
        world.apns.tell("/tokens", R"({"token":")" + registration_of(7) + R"(","state":"bad"})");
        const Diagnosis sent = ask_doctor(world, {"--send", registration_of(7)});
        INFO(sent.text);
        CHECK(sent.status == 1);
        CHECK(sent.says("status 400 BadDeviceToken"));
        CHECK(sent.says("see 'environment'"));
    }
    SECTION("a wrong key") {
        world.apns.tell("/fail",
                        R"({"status":403,"reason":"InvalidProviderToken","for_requests":1})");
        const Diagnosis sent = ask_doctor(world, {"--send", registration_of(7), "--app", "chat"});
        INFO(sent.text);
        CHECK(sent.status == 1);
        CHECK(sent.says("status 403 InvalidProviderToken"));
        CHECK(sent.says("see 'key_file', 'key_id' and 'team_id'"));
    }
    SECTION("no device token") {
        const Diagnosis sent = ask_doctor(world, {"--send", "../../etc"});
        CHECK(sent.status == 1);
        CHECK(sent.says("in hexadecimal"));
    }
    SECTION("no such app") {
        const Diagnosis sent = ask_doctor(world, {"--send", registration_of(7), "--app", "none"});
        CHECK(sent.status == 1);
        CHECK(sent.says("--send: no such app"));
    }
}

TEST_CASE("the doctor compares the clocks, where the provider says what time it has", "[doctor]") {
    World world;
    world.apns.tell("/transport", R"({"says_date":true})");
    SECTION("which agree") {
        const Diagnosis sent = ask_doctor(world, {"--send", registration_of(7)});
        INFO(sent.text);
        CHECK(sent.status == 0);
        CHECK(sent.says("ok    clock: within "));
        CHECK(sent.says("of the provider's of app chat"));
    }
    SECTION("which do not") {
        const std::string offset = GENERATE("600", "-600");
        world.apns.tell("/clock", R"({"offset_s":)" + offset + "}");
        const Diagnosis sent = ask_doctor(world, {"--send", registration_of(7)});
        INFO(sent.text);
        CHECK(sent.status == 1);
        CHECK(sent.says("WRONG clock: "));
        CHECK(sent.says(offset == "600" ? " behind the provider's" : " ahead of the provider's"));
        CHECK(sent.says("do: set this machine's clock"));
    }
}

TEST_CASE("the doctor says when a client certificate ends, and who issued it", "[doctor]") {
    World world({"--tls", "demands_certificate"});
    world.config.certificate = world.apns.file("client.pem");
    world.config.certificate_key = world.apns.file("client.key");
    const Diagnosis looked = ask_doctor(world);
    INFO(looked.text);
    CHECK(looked.status == 0);
    CHECK(looked.says("ok    certificate of app chat: good until 2049-12-31 ("));
    CHECK(looked.says("days), issued by \"Simulated APNs CA\""));
}

TEST_CASE("the doctor tells a provider that is not there from one that is not who it should be",
          "[doctor]") {
    struct Impostor {
        std::vector<std::string> arguments;
        bool has_other_authority;
        std::string words;
    };
    const auto impostor = GENERATE(values<Impostor>({
        {{}, true, "not trusted"},
        {{"--tls", "unknown_ca"}, false, "it showed a certificate good until"},
        {{"--tls", "expired"}, false, "it showed a certificate expired on 2021-01-01"},
        {{"--name", "api.example.org"}, false, "for another name"},
        {{"--alpn", "none"}, false, "ALPN"},
        {{"--alpn", "http/1.1"}, false, "protocol"},
    }));
    World world;
    ApnsProcess other = make_apns(world.dir / "impostor", 0, impostor.arguments);
    world.config.endpoint = "127.0.0.1:" + std::to_string(other.port());
    if (!impostor.has_other_authority) world.config.ca_file = other.file("ca.pem");
    const Diagnosis looked = ask_doctor(world);
    INFO(looked.text);
    CHECK(looked.status == 1);
    CHECK(looked.says("name and TCP"));
    CHECK(looked.says(impostor.words));
    CHECK(looked.says("see 'endpoint' and 'ca_file'"));
    CHECK(looked.says("something is wrong, see above"));
}

TEST_CASE("the doctor says where nobody listens, and what is wrong with files", "[doctor]") {
    World world;
    SECTION("a closed port") {
        const std::string port = std::to_string(free_port());
        world.config.endpoint = "127.0.0.1:" + port;
        const Diagnosis looked = ask_doctor(world);
        INFO(looked.text);
        CHECK(looked.status == 1);
        CHECK(looked.says("127.0.0.1:" + port + ": cannot connect: Connection refused"));
        CHECK(looked.says("firewall"));
    }
    SECTION("a key that is not there") {
        world.config.key_file = world.dir / "none.p8";
        const Diagnosis looked = ask_doctor(world);
        INFO(looked.text);
        CHECK(looked.status == 1);
        CHECK(looked.says("apps.chat.apns.key_file"));
        CHECK(looked.says("No such file"));
    }
    SECTION("a key file that others can read") {
        CHECK(world.start().stop() == 0);
        std::filesystem::permissions(world.config.data_dir + "/store.key",
                                     std::filesystem::perms::others_read,
                                     std::filesystem::perm_options::add);
        const Diagnosis looked = ask_doctor(world);
        INFO(looked.text);
        CHECK(looked.status == 1);
        CHECK(looked.says("WRONG store_key_file"));
        CHECK(looked.says("mode 600"));
    }
}

}  // namespace knuckle::test
