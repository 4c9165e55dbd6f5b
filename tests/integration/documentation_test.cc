// SPDX-License-Identifier: GPL-3.0-or-later
// docs/API.md as a reader would use it: each line with curl, pasted into a shell.
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/integration/world.h"

namespace knuckle::test {

namespace {

std::vector<std::string> curl_lines_of(const std::string& file) {
    std::vector<std::string> lines;
    std::ifstream text(file);
    for (std::string line; std::getline(text, line);) {
        if (line.starts_with("curl ")) lines.push_back(line);
    }
    return lines;
}

void replace_all(std::string& text, std::string_view from, const std::string& to) {
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
}

// What stands behind the '#', or 2 for any that begins so.
std::string expected_status(const std::string& line) {
    const size_t comment = line.find("# ");
    return comment == std::string::npos ? "2" : line.substr(comment + 2, 3);
}

bool has_curl(const TempDir& dir) {
    Process process({"/bin/sh", "-c", "command -v curl"}, dir / "has-curl");
    return process.wait(seconds(20)) == 0;
}

}  // namespace

TEST_CASE("every call in docs/API.md does what it says there", "[documentation]") {
    World world;
    if (!has_curl(world.dir)) SKIP("there is no curl");
    world.config.chatsecure = "pubsub_jid = \"pubsub.example.org\"\n";
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const auto lines = curl_lines_of(KNUCKLE_SOURCE_DIR "/docs/API.md");
    CHECK(lines.size() >= 20);
    for (size_t i = 0; i < lines.size(); ++i) {
        // A phone for each line, since some delete theirs.
        const std::string name = "reader" + std::to_string(i);
        const Phone phone = register_phone(client, name, i + 1);
        std::string line = lines[i];
        replace_all(line, "accounts/cape47d26", "accounts/" + name);
        replace_all(line, "638426e6-832f-4a45-ae9a-db409ba2fb4d", phone.device);
        replace_all(line, "dd43cf2510414e44414b0b9d9c11b669cdbe99b2", phone.token);
        replace_all(line, "dd43cf25…", phone.token);
        const std::string script = "API=http://127.0.0.1:" + std::to_string(gateway.port()) +
                                   "/api/v1\nAUTH='Authorization: Token " + phone.auth +
                                   "'\nID=" + phone.device + "\nTOKEN=" + phone.token +
                                   "\ncurl -s --noproxy '*' -o /dev/null -w '%{http_code}' " +
                                   line.substr(5);
        Process shell({"/bin/sh", "-c", script}, world.dir / name);
        REQUIRE(shell.wait(seconds(20)) == 0);
        INFO(line);
        CHECK(shell.output().substr(0, expected_status(line).size()) == expected_status(line));
    }
}

}  // namespace knuckle::test
