// SPDX-License-Identifier: GPL-3.0-or-later
// What clients of all kinds, well-behaved or not, see of the gateway's HTTP on real sockets.
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/integration/world.h"
#include "tests/support/certificates.h"
#include "tests/support/json_fields.h"

namespace knuckle::test {

namespace {

std::string knock_request(const Phone& phone, std::string_view data, std::string_view more = "") {
    const std::string body = knock_json(phone, data);
    return "POST /api/v1/messages/ HTTP/1.1\r\nHost: push.example.org\r\n" + std::string(more) +
           "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}

}  // namespace

TEST_CASE("one connection carries one request after the other", "[http]") {
    World world;
    Gateway& gateway = world.start();
    HttpClient client(gateway.port());
    const Phone phone = register_phone(client, "anna");
    for (int i = 0; i < 20; ++i) {
        CHECK(client.post("/api/v1/messages/", knock_json(phone)).status == 202);
    }
    CHECK(client.get("/nowhere").status == 404);
    CHECK(client.post("/api/v1/messages/", knock_json(phone)).status == 202);
    // The three calls of the registration came on the same one.
    CHECK(gateway.metric("knuckle_connections_accepted_total") == 1);
    CHECK(gateway.metric("knuckle_http_requests_total") == 25);
}

TEST_CASE("the client decides when a connection ends", "[http]") {
    World world;
    HttpClient setup(world.start().port());
    const Phone phone = register_phone(setup, "anna");
    SECTION("Connection: close") {
        HttpClient client(world.gateway->port());
        client.send(knock_request(phone, "", "Connection: close\r\n"));
        const auto response = client.receive();
        REQUIRE(response);
        CHECK(response->status == 202);
        CHECK(response->field("connection") == "close");
        CHECK(client.is_closed_by_peer());
    }
    SECTION("HTTP/1.0") {
        HttpClient client(world.gateway->port());
        client.send("GET /api/v1/pubsub/ HTTP/1.0\r\n\r\n");
        REQUIRE(client.receive());
        CHECK(client.is_closed_by_peer());
    }
    SECTION("an aborted upload does no harm") {
        {
            HttpClient client(world.gateway->port());
            client.send(
                "POST /api/v1/messages/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
        }
        CHECK(setup.post("/api/v1/messages/", knock_json(phone)).status == 202);
    }
    SECTION("a sender that does not wait for its answer has knocked all the same") {
        world.apns.tell("/delay", R"({"ms":200})");
        {
            HttpClient client(world.gateway->port());
            client.send(knock_request(phone, ""));
            REQUIRE(eventually([&] { return world.apns.count("/requests") == 1; }));
        }
        CHECK(eventually([&] {
            return world.gateway->metric("knuckle_knocks_total{result=\"abandoned\"}") == 1;
        }));
        CHECK(world.apns.count("/accepted") == 1);
    }
}

TEST_CASE("pipelined requests are answered in their order", "[http]") {
    World world;
    HttpClient client(world.start().port());
    const Phone phone = register_phone(client, "anna");
    std::string requests;
    for (int i = 0; i < 100; ++i) requests += knock_request(phone, std::to_string(i));
    requests += "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n";
    requests += knock_request(phone, "last");
    client.send(requests);
    for (int i = 0; i < 100; ++i) {
        const auto response = client.receive();
        REQUIRE(response);
        CHECK(response->status == 202);
        CHECK(json_string(response->body, "/data") == std::to_string(i));
    }
    CHECK(client.receive()->status == 404);
    CHECK(json_string(client.receive()->body, "/data") == "last");
    CHECK(world.apns.count("/accepted") == 101);
}

TEST_CASE("a body may come in chunks, and a request byte by byte", "[http]") {
    World world;
    HttpClient client(world.start().port());
    const Phone phone = register_phone(client, "anna");
    const std::string head =
        "POST /api/v1/messages/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n";
    const std::string body = knock_json(phone, "in chunks");
    std::string chunks;
    for (size_t at = 0; at < body.size(); at += 10) {
        const std::string piece = body.substr(at, 10);
        chunks +=
            (piece.size() < 10 ? std::to_string(piece.size()) : "A") + "\r\n" + piece + "\r\n";
    }
    client.send(head + chunks + "0\r\n\r\n");
    CHECK(client.receive()->status == 202);

    for (const char byte : head + chunks + "0\r\nTrailer: ignored\r\n\r\n") {
        client.send({&byte, 1});
    }
    CHECK(client.receive()->status == 202);
    CHECK(world.apns.count("/accepted") == 2);
}

TEST_CASE("a client that asks before it uploads is told to go on", "[http]") {
    World world;
    HttpClient client(world.start().port());
    const Phone phone = register_phone(client, "anna");
    const std::string request = knock_request(phone, "", "Expect: 100-continue\r\n");
    const size_t head_size = request.find("\r\n\r\n") + 4;
    client.send(request.substr(0, head_size));
    const auto interim = client.receive();
    REQUIRE(interim);
    CHECK(interim->status == 100);
    client.send(request.substr(head_size));
    CHECK(client.receive()->status == 202);

    client.send(
        "POST /api/v1/messages/ HTTP/1.1\r\nHost: x\r\nExpect: a miracle\r\n"
        "Content-Length: 2\r\n\r\n{}");
    CHECK(client.receive()->status == 417);
    CHECK(client.is_closed_by_peer());
}

TEST_CASE("what is too large or no request is refused, and the connection ends", "[http]") {
    World world;
    Gateway& gateway = world.start();
    struct Refused {
        std::string what;
        std::string bytes;
        int status;
    };
    const std::string post = "POST /api/v1/messages/ HTTP/1.1\r\n";
    const std::vector<Refused> all = {
        {"a head beyond the limit",
         "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(9'000, 'x') + "\r\n\r\n",
         431},
        {"a head that never ends", "GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x'), 431},
        {"a target beyond the limit", "GET /" + std::string(3'000, 'x') + " HTTP/1.1\r\n\r\n", 414},
        {"a body beyond the limit", post + "Host: x\r\nContent-Length: 65537\r\n\r\n", 413},
        {"a body that grows beyond the limit",
         post + "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n",
         413},
        {"a length that fits no number",
         post + "Host: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
         400},
        {"both lengths",
         post + "Host: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400},
        {"two lengths", post + "Host: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400},
        {"a list of lengths", post + "Host: x\r\nContent-Length: 2, 2\r\n\r\n{}", 400},
        {"a length with a sign", post + "Host: x\r\nContent-Length: +2\r\n\r\n{}", 400},
        {"a bare line feed", "GET / HTTP/1.1\nHost: x\n\n", 400},
        {"a bare line feed behind a field", "GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", 400},
        {"a folded field", "GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n z\r\n\r\n", 400},
        {"white space before the colon",
         post + "Host: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
         400},
        {"another transfer coding",
         post + "Host: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
         400},
        {"chunked twice",
         post + "Host: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
         400},
        {"a chunk with a bare line feed",
         post + "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
         400},
        {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
        {"two hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
        {"another version", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
        {"a proxy request", "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n", 501},
        {"something else entirely", std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8), 400},
    };
    for (const Refused& refused : all) {
        INFO(refused.what);
        HttpClient client(gateway.port());
        client.send(refused.bytes + "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
        const auto response = client.receive();
        REQUIRE(response);
        CHECK(response->status == refused.status);
        CHECK(response->field("connection") == "close");
        CHECK(response->field("content-type") == "application/json");
        CHECK(client.is_closed_by_peer());
    }
    CHECK(gateway.metric("knuckle_http_requests_malformed_total") == all.size());
    CHECK(gateway.metric("knuckle_http_requests_total") == 0);
    CHECK(gateway.metric("knuckle_connections_open") == 0);
}

TEST_CASE("a client that says nothing is let go", "[http]") {
    World world;
    world.config.tables = "[http]\nidle_timeout = \"300ms\"\n";
    Gateway& gateway = world.start();
    HttpClient silent(gateway.port());
    HttpClient half(gateway.port());
    half.send("GET / HT");
    HttpClient done(gateway.port());
    CHECK(done.get("/nowhere").status == 404);
    CHECK(silent.is_closed_by_peer());
    CHECK(done.is_closed_by_peer());
    // In the middle of a request there is something to be said.
    const auto response = half.receive();
    REQUIRE(response);
    CHECK(response->status == 408);
    CHECK(half.is_closed_by_peer());
    CHECK(gateway.metric("knuckle_connections_open") == 0);
}

TEST_CASE("beyond the limit of connections new ones are closed, the others work on", "[http]") {
    World world;
    world.config.limits += "connections_max = 4\n";
    Gateway& gateway = world.start();
    std::vector<std::unique_ptr<HttpClient>> clients;
    for (int i = 0; i < 4; ++i) {
        clients.push_back(std::make_unique<HttpClient>(gateway.port()));
        CHECK(clients.back()->get("/nowhere").status == 404);
    }
    HttpClient surplus(gateway.port());
    CHECK(surplus.is_closed_by_peer());
    for (const auto& client : clients) CHECK(client->get("/nowhere").status == 404);
    clients.pop_back();
    CHECK(eventually([&] { return gateway.metric("knuckle_connections_open") == 3; }));
    CHECK(HttpClient(gateway.port()).get("/nowhere").status == 404);
}

TEST_CASE("a listener may speak TLS, beside one that does not", "[http]") {
    World world;
    const Authority authority = make_authority("Knuckle's CA");
    const KeyKind kind = GENERATE(KeyKind::p256, KeyKind::rsa2048);
    const Identity server = issue_server(authority, {"push.example.org"}, {.key = kind});
    world.config.listeners += "[[listen]]\naddress = \"127.0.0.1:0\"\ntls_certificate = \"" +
                              world.dir.write("server.pem", server.certificate_pem) +
                              "\"\ntls_key = \"" + world.dir.write("server.key", server.key_pem) +
                              "\"\n";
    Gateway& gateway = world.start();
    const uint16_t tls_port = gateway.port(1);
    REQUIRE(tls_port != 0);
    const TlsWish wish{.ca_pem = authority.certificate_pem, .server_name = "push.example.org"};

    HttpClient plain(gateway.port());
    const Phone phone = register_phone(plain, "anna");
    HttpClient client(tls_port, wish);
    for (int i = 0; i < 3; ++i) {
        CHECK(client.post("/api/v1/messages/", knock_json(phone)).status == 202);
    }
    std::string pipelined;
    for (int i = 0; i < 50; ++i) pipelined += knock_request(phone, std::to_string(i));
    client.send(pipelined);
    for (int i = 0; i < 50; ++i) {
        CHECK(json_string(client.receive()->body, "/data") == std::to_string(i));
    }
    CHECK(world.apns.count("/accepted") == 53);

    // More than a TLS record holds, refused in the middle.
    HttpClient large(tls_port, wish);
    large.send("GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x'));
    CHECK(large.receive()->status == 431);
    CHECK(large.is_closed_by_peer());

    // Plain HTTP on the port of TLS, and somebody who trusts somebody else.
    HttpClient confused(tls_port);
    confused.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(confused.is_closed_by_peer());
    const TlsWish other{.ca_pem = make_authority().certificate_pem,
                        .server_name = "push.example.org"};
    CHECK_THROWS(HttpClient(tls_port, other));
    CHECK(client.post("/api/v1/messages/", knock_json(phone)).status == 202);
    CHECK(gateway.metric("knuckle_tls_failures_total") == 2);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("a listener may be a Unix socket, which a killed gateway leaves usable", "[http]") {
    World world;
    const std::string path = world.dir / "knuckle.sock";
    world.config.listeners = "[[listen]]\naddress = \"unix:" + path + "\"\n";
    world.config.workers = 2;
    world.start();
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK(S_ISSOCK(status.st_mode));
    CHECK((status.st_mode & 0777) == 0660);
    Phone phone;
    {
        HttpClient client(path);
        phone = register_phone(client, "anna");
        CHECK(client.post("/api/v1/messages/", knock_json(phone)).status == 202);
    }
    world.gateway->process().signal(SIGKILL);
    CHECK(world.gateway->process().wait(kPatience) == 128 + SIGKILL);
    world.start();
    HttpClient client(path);
    CHECK(client.post("/api/v1/messages/", knock_json(phone)).status == 202);
    CHECK(world.apns.count("/accepted") == 2);
    CHECK(world.gateway->stop() == 0);
}

}  // namespace knuckle::test
