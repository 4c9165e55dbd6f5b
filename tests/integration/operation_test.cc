// SPDX-License-Identifier: GPL-3.0-or-later
// What the operator sees, and what a thief or a reader of the log does not.
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/text.h"
#include "tests/integration/world.h"
#include "tests/support/json_fields.h"

namespace knuckle::test {

namespace {

constexpr std::string_view kMessages = "/api/v1/messages/";

// A number in /proc/PID/status, in its own unit.
size_t number_in_status(pid_t pid, std::string_view name) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(name)) return std::stoul(line.substr(name.size() + 1));
    }
    return 0;
}

// Both as text and as the bytes that hexadecimal text stands for.
bool holds(const std::string& bytes, const std::string& secret) {
    if (bytes.find(secret) != std::string::npos) return true;
    std::string raw(secret.size() / 2, '\0');
    const MutableBytes to(reinterpret_cast<uint8_t*>(raw.data()), raw.size());
    return decode_hex(secret, to) && bytes.find(raw) != std::string::npos;
}

}  // namespace

TEST_CASE("the operator's pages tell how the gateway is", "[operation]") {
    World world;
    Gateway& gateway = world.start();
    CHECK(gateway.admin("/healthz").body == "ok\n");
    CHECK(gateway.readiness().body == "ready\n");
    CHECK(gateway.admin("/").status == 404);
    CHECK(gateway.admin("/api/v1/messages/").status == 404);

    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");
    for (int i = 0; i < 3; ++i) {
        CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    }
    CHECK(client.post(kMessages, R"({"token":"0"})").status == 404);

    const HttpResponse metrics = gateway.admin("/metrics");
    CHECK(metrics.status == 200);
    CHECK(metrics.field("content-type").starts_with("text/plain; version=0.0.4"));
    CHECK(gateway.metric("knuckle_knocks_total{result=\"delivered\"}") == 3);
    CHECK(gateway.metric("knuckle_knocks_total{result=\"unknown_token\"}") == 1);
    CHECK(gateway.metric("knuckle_pushes_total{outcome=\"delivered\"}") == 3);
    CHECK(gateway.metric("knuckle_knock_duration_seconds_count") == 3);
    CHECK(gateway.metric("knuckle_knock_duration_seconds_bucket{le=\"+Inf\"}") == 3);
    CHECK(gateway.metric("knuckle_knock_duration_seconds_sum") > 0);
    CHECK(gateway.metric("knuckle_connections_open") == 1);
    CHECK(gateway.metric("knuckle_upstreams_ready") == 2);  // one is for phones that are new
    CHECK(gateway.metric("knuckle_upstream_streams_max") > 1);
    CHECK(gateway.metric("knuckle_store_writes_total") >= 3);
    CHECK(gateway.metric("knuckle_workers") == 1);
    CHECK(gateway.metric("knuckle_ready") == 1);
    // The public listener shows none of it.
    CHECK(client.get("/metrics").status == 404);
    CHECK(client.get("/healthz").status == 404);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("the operator's pages survive odd visitors", "[operation]") {
    World world;
    world.config.admin = "127.0.0.1:0";
    Gateway& gateway = world.start();
    HttpClient rude(gateway.admin_port());
    rude.send("\r\n\r\nnonsense\r\n\r\n");
    CHECK(rude.receive()->status == 400);
    CHECK(rude.is_closed_by_peer());
    HttpClient poster(gateway.admin_port());
    CHECK(poster.post("/metrics", "{}").status == 405);
    std::vector<std::unique_ptr<HttpClient>> crowd;
    for (int i = 0; i < 200; ++i) {
        crowd.push_back(std::make_unique<HttpClient>(gateway.admin_port()));
    }
    crowd.clear();
    CHECK(eventually([&] { return HttpClient(gateway.admin_port()).closes_within({}) == false; }));
    CHECK(gateway.admin("/healthz").status == 200);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("a log and metrics that are shown to others give nobody away", "[operation]") {
    World world;
    world.config.top = "log_level = \"debug\"\n";
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "annas-secret-name", 0xdeadbeefcafe);
    const Phone odd = register_phone(client, phone.auth, "no-device-token-at-all");
    CHECK(client.post(kMessages, knock_json(phone, "secret-data")).status == 202);
    CHECK(client.get("/api/v1/tokens/" + phone.token + "/", phone.auth).status != 500);
    CHECK(client.post("/api/v1/tokens/", "{}", std::string(40, 'e')).status == 401);
    CHECK(client.post(kMessages, R"({"token":")" + std::string(40, 'f') + R"("})").status == 404);
    // Everything that goes wrong, too.
    for (const char* const state : {"bad", "wrong_topic", "unregistered"}) {
        world.apns.tell("/tokens",
                        R"({"token":")" + phone.registration + R"(","state":")" + state + "\"}");
        client.post(kMessages, knock_json(phone, "secret-data"));
    }
    client.send("GET /" + phone.token + " HTTP/1.1\r\nAuthorization: Token " + phone.auth +
                "\r\nBad Field: " + phone.registration + "\r\n\r\n");
    REQUIRE(client.receive());
    world.apns.tell("/goaway");
    CHECK(eventually([&] { return gateway.count_in_log("event=provider_goaway") > 0; }));
    const std::string bearer =
        json_string(world.apns.arrivals().front(), "/fields/authorization").substr(7);
    const std::string metrics = gateway.admin("/metrics").body + gateway.readiness().body;
    CHECK(metrics.find("knuckle_build_info") != std::string::npos);
    CHECK(gateway.stop() == 0);

    const std::string log = gateway.log();
    for (const std::string& secret : {phone.auth,
                                      phone.token,
                                      odd.token,
                                      phone.registration,
                                      odd.registration,
                                      phone.device,
                                      bearer,
                                      bearer.substr(bearer.rfind('.') + 1),
                                      std::string("correct horse"),
                                      std::string("secret-data"),
                                      std::string("annas-secret-name"),
                                      std::string(40, 'e'),
                                      std::string(40, 'f'),
                                      std::string("messages/"),
                                      std::string("Authorization")}) {
        INFO(secret);
        CHECK(log.find(secret) == std::string::npos);
        CHECK(metrics.find(secret) == std::string::npos);
    }
    // One structured line for each event, each with its priority.
    std::istringstream lines(log);
    for (std::string line; std::getline(lines, line);) {
        INFO(line);
        CHECK(line.size() > 10);
        CHECK(line[0] == '<');
        CHECK(line.substr(2, 7) == ">event=");
    }
}

TEST_CASE("a stolen database rings no phone and opens no account", "[operation]") {
    World world;
    world.config.top = "store_key_file = \"" + world.dir / "store.key" + "\"\n";
    // Also knocks that wait for a provider.
    world.config.endpoint = "127.0.0.1:" + std::to_string(free_port());
    Gateway& gateway = world.serve();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "annas-secret-name", 0xdeadbeefcafe);
    REQUIRE(eventually([&] { return gateway.readiness().status == 503; }));
    CHECK(client.post(kMessages, knock_json(phone, "secret-data")).status == 202);
    CHECK(gateway.stop() == 0);

    std::string stolen;
    for (const auto& entry : std::filesystem::directory_iterator(world.config.data_dir)) {
        stolen += read_whole_file(entry.path());
        struct stat status{};
        REQUIRE(::stat(entry.path().c_str(), &status) == 0);
        CHECK((status.st_mode & 0077) == 0);
    }
    CHECK(stolen.size() > 4'096);
    for (const std::string& secret : {phone.auth,
                                      phone.token,
                                      phone.registration,
                                      std::string("correct horse"),
                                      std::string("secret-data"),
                                      std::string("annas-secret-name"),
                                      std::string("New Message!")}) {
        INFO(secret);
        CHECK_FALSE(holds(stolen, secret));
    }
    struct stat status{};
    REQUIRE(::stat((world.dir / "store.key").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("accounts, phones and tokens are there again after a restart", "[operation]") {
    World world;
    Phone phone;
    {
        HttpClient client(world.start().port());
        phone = register_phone(client, "anna");
        CHECK(world.gateway->stop() == 0);
    }
    HttpClient client(world.start().port());
    CHECK(client.post(kMessages, knock_json(phone)).status == 202);
    CHECK(register_account(client, "anna") == phone.auth);
    CHECK(register_phone(client, phone.auth, registration_of(2)).token != phone.token);
    CHECK(client.post("/api/v1/accounts/", R"({"username":"anna","password":"wrong horse"})")
              .status == 401);
}

TEST_CASE("two workers see what either has written", "[operation]") {
    World world;
    world.config.workers = 2;
    Gateway& gateway = world.start();
    // Each connection may be the other worker's.
    for (int i = 0; i < 16; ++i) {
        HttpClient writer(gateway.port());
        const Phone phone = register_phone(writer, "anna-" + std::to_string(i), i);
        for (int j = 0; j < 4; ++j) {
            HttpClient knocker(gateway.port());
            CHECK(knocker.post(kMessages, knock_json(phone)).status == 202);
        }
    }
    CHECK(world.apns.count("/accepted") == 64);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("the same name registered twice at once is one account", "[operation]") {
    World world;
    world.config.workers = 2;
    Gateway& gateway = world.start();
    const std::string body = R"({"username":"anna","password":"correct horse"})";
    const std::string request =
        "POST /api/v1/accounts/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    std::vector<std::unique_ptr<HttpClient>> clients;
    for (int i = 0; i < 8; ++i) {
        clients.push_back(std::make_unique<HttpClient>(gateway.port()));
        clients.back()->send(request);
    }
    std::string first;
    for (const auto& client : clients) {
        const auto response = client->receive();
        REQUIRE(response);
        CHECK(response->status == 200);
        const std::string id = json_string(response->body, "/id");
        if (first.empty()) first = id;
        CHECK(id == first);
    }
    CHECK(gateway.stop() == 0);
}

TEST_CASE("systemd hears when the gateway serves and when it stops", "[operation]") {
    World world;
    const std::string path = world.dir / "notify.sock";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const timeval patience{20, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const auto hears = [fd](std::string_view state) {
        std::array<char, 1'024> datagram;
        for (;;) {
            const ssize_t size = ::recv(fd, datagram.data(), datagram.size(), 0);
            if (size <= 0) return false;
            const std::string_view text(datagram.data(), static_cast<size_t>(size));
            if (text.find(state) != std::string_view::npos) return true;
        }
    };
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    ::setenv("WATCHDOG_USEC", "400000", 1);
    Gateway& gateway = world.serve();
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
    CHECK(hears("READY=1"));
    CHECK(hears("WATCHDOG=1"));
    CHECK(hears("WATCHDOG=1"));
    CHECK(gateway.stop() == 0);
    CHECK(hears("STOPPING=1"));
    ::close(fd);
}

TEST_CASE("an idle gateway is small", "[operation]") {
    World world;
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    CHECK(client.get("/nowhere").status == 404);
    const size_t resident_kib = number_in_status(gateway.process().pid(), "VmRSS:");
    CAPTURE(resident_kib);
    CHECK(resident_kib > 1'000);
    if (kIsProduct) {
        CHECK(resident_kib < 15 * 1'024);
        // The sixteen that look names up sleep, and are no more than their stacks.
        CHECK(number_in_status(gateway.process().pid(), "Threads:") <= 8 + 16);
    }
    CHECK(gateway.stop() == 0);
}

}  // namespace knuckle::test
