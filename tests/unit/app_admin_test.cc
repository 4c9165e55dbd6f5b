// SPDX-License-Identifier: GPL-3.0-or-later
#include <csignal>
#include <string>
#include <thread>

#include <catch_amalgamated.hpp>

#include "app/admin.h"
#include "tests/support/loop_thread.h"

namespace knuckle::app {

namespace {

using test::Peer;

// The operator's page of nothing in particular, on a loop of its own.
class Office {
public:
    Office() {
        ::signal(SIGPIPE, SIG_IGN);
        const Result<int> fd = net::bind_listener({"127.0.0.1", 0, {}});
        REQUIRE(fd);
        port = net::bound_port(*fd);
        REQUIRE(loop_.listen(*fd, false));
        thread_ = std::thread([this] { loop_.run(admin_); });
    }
    ~Office() {
        static_cast<void>(end_.post({}));
        thread_.join();
    }

    uint16_t port = 0;

private:
    struct End {};
    static Page show(void*, std::string_view path, std::string_view query) {
        if (path == "/feedback") return {.status = 200, .body = std::string(query) + "\n"};
        if (path == "/large") return {.status = 200, .body = std::string(100'000, 'x')};
        return path == "/healthz" ? Page{.status = 200, .body = "ok\n"} : Page{};
    }
    static void leave(void* self, End&&) {
        static_cast<Office*>(self)->end_.close();
        static_cast<Office*>(self)->loop_.stop();
    }

    net::Loop loop_{{.connections_max = kAdminConnectionsMax + 8}};
    Admin admin_{loop_, show, [](void*, Now) {}, nullptr};
    net::Mailbox<End> end_{loop_, 1, &Office::leave, this};
    std::thread thread_;
};

std::string get(const std::string& path) {
    return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

}  // namespace

TEST_CASE("the operator asks and is answered, as often as he likes", "[app]") {
    Office office;
    Peer operator_(office.port);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(operator_.says(get("/healthz")));
        std::string answer;
        while (!answer.ends_with("ok\n")) answer += operator_.hears(1);
        CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    REQUIRE(operator_.says(get("/feedback?after=7")));
    std::string answer;
    while (!answer.ends_with("after=7\n")) answer += operator_.hears(1);
    REQUIRE(
        operator_.says("DELETE /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    CHECK(operator_.hears_all().starts_with("HTTP/1.1 405 "));
    Peer stray(office.port);
    REQUIRE(stray.says("\x16\x03\x01 what is this"));
    CHECK(stray.hears_all().starts_with("HTTP/1.1 400 "));
}

TEST_CASE("who asks and never reads is sent away before it costs much", "[app]") {
    Office office;
    Peer greedy(office.port);
    std::string many;
    for (int i = 0; i < 1'000; ++i) many += get("/large");
    greedy.says(many);
    const size_t size = greedy.hears_all().size();
    CHECK(size > 100'000);
    // What the kernel holds, what we hold, and no more.
    CHECK(size < 20'000'000);
    Peer other(office.port);
    REQUIRE(other.says(get("/healthz")));
    CHECK(other.hears(12) == "HTTP/1.1 200");
}

}  // namespace knuckle::app
