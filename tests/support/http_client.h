// SPDX-License-Identifier: GPL-3.0-or-later
// One blocking HTTP/1.1 connection of a test, over TCP, a Unix socket or TLS. What is sent is under
// the test's control to the byte; what comes back is read by Content-Length.
//
//     HttpClient client(port);
//     HttpResponse response = client.post("/api/v1/messages/", R"({"token":"..."})");
//     client.send("GET / HT"); ... client.receive()           for what is not so well-behaved
//
// Every wait is bounded by kPatience. Throws std::runtime_error when the other end does not play
// along; `receive` returns nullopt when it closed without another response. Thread: one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"

namespace knuckle::test {

inline constexpr Duration kPatience = seconds(20);

struct HttpResponse {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> fields;  // names in lower case
    std::string body;

    // The first of that name, or empty.
    [[nodiscard]] std::string field(std::string_view name) const;
};

struct TlsWish {
    std::string ca_pem;
    std::string server_name = "localhost";
    std::string alpn = {};
};

class HttpClient {
public:
    explicit HttpClient(uint16_t port);
    explicit HttpClient(const std::string& unix_path);
    HttpClient(uint16_t port, const TlsWish& tls);
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;
    ~HttpClient();

    void send(std::string_view bytes);
    // Ends our side of the connection.
    void finish();
    // Interim responses (1xx) are responses too.
    [[nodiscard]] std::optional<HttpResponse> receive(bool is_to_head = false);
    // True when the other end has closed and nothing is left to read.
    [[nodiscard]] bool is_closed_by_peer();
    // How long nothing more comes: true if the peer closed within it.
    [[nodiscard]] bool closes_within(Duration limit);

    HttpResponse get(std::string_view path, std::string_view authorization = {});
    HttpResponse post(std::string_view path,
                      std::string_view json,
                      std::string_view authorization = {});
    HttpResponse put(std::string_view path,
                     std::string_view json,
                     std::string_view authorization = {});

    // Whom get(), post() and put() ask for; push.example.org if nothing is said.
    void set_host(std::string_view host) { host_ = host; }

    [[nodiscard]] int descriptor() const { return fd_; }

private:
    struct Tls;

    [[nodiscard]] bool read_more(Duration limit);
    void write_all(std::string_view bytes);
    HttpResponse ask(std::string_view head, std::string_view authorization, std::string_view json);

    int fd_ = -1;
    std::unique_ptr<Tls> tls_;
    std::string received_;
    std::string host_ = "push.example.org";
    bool is_over_ = false;
};

// A port of 127.0.0.1 on which nobody listens at the moment.
[[nodiscard]] uint16_t free_port();

}  // namespace knuckle::test
