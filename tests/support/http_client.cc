// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/http_client.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/text.h"
#include "tests/support/process.h"
#include "tls/context.h"
#include "tls/engine.h"

namespace knuckle::test {

namespace {

[[noreturn]] void give_up(const std::string& what) {
    throw std::runtime_error("http client: " + what);
}

sockaddr_in loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int connect_to(const sockaddr* address, socklen_t size) {
    const int fd = ::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) give_up("no socket");
    if (::connect(fd, address, size) != 0) {
        const std::string why = std::strerror(errno);
        ::close(fd);
        give_up("cannot connect: " + why);
    }
    return fd;
}

int connect_to(uint16_t port) {
    const sockaddr_in address = loopback(port);
    return connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

}  // namespace

std::string HttpResponse::field(std::string_view name) const {
    for (const auto& [key, value] : fields) {
        if (key == name) return value;
    }
    return {};
}

struct HttpClient::Tls {
    static tls::Context make_context(const TlsWish& wish) {
        Result<tls::Context> made =
            tls::Context::client({.ca_pem = wish.ca_pem, .alpn = wish.alpn});
        if (!made) give_up(made.error().what);
        return std::move(*made);
    }

    explicit Tls(const TlsWish& wish)
        : context(make_context(wish)), engine(context, {.server_name = wish.server_name}, out) {}

    // What is to be sent, as text.
    std::string take_output() {
        std::string bytes;
        out.for_each_view([&](ByteView view) { bytes += as_text(view); });
        out.clear();
        return bytes;
    }

    tls::Context context;
    ChunkPool chunks;
    Buffer out{chunks};
    tls::Engine engine;
};

HttpClient::HttpClient(uint16_t port) : fd_(connect_to(port)) {}

HttpClient::HttpClient(const std::string& unix_path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (unix_path.size() >= sizeof address.sun_path) give_up("the path is too long");
    std::memcpy(address.sun_path, unix_path.data(), unix_path.size());
    fd_ = connect_to(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

HttpClient::HttpClient(uint16_t port, const TlsWish& tls)
    : fd_(connect_to(port)), tls_(std::make_unique<Tls>(tls)) {
    if (const Result<void> started = tls_->engine.start(); !started) give_up(started.error().what);
    write_all(tls_->take_output());
    while (!tls_->engine.is_ready()) {
        if (!read_more(kPatience)) give_up("the TLS handshake did not end");
    }
}

HttpClient::~HttpClient() { ::close(fd_); }

void HttpClient::send(std::string_view bytes) {
    if (tls_ == nullptr) {
        write_all(bytes);
        return;
    }
    if (const Result<void> sealed = tls_->engine.seal(as_bytes(bytes)); !sealed) {
        give_up(sealed.error().what);
    }
    write_all(tls_->take_output());
}

void HttpClient::write_all(std::string_view bytes) {
    while (!bytes.empty()) {
        pollfd entry{fd_, POLLOUT, 0};
        if (::poll(&entry, 1, static_cast<int>(to_ms(kPatience))) != 1) give_up("cannot send");
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) return;  // closed by the other end: receive() tells
        if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
    }
}

void HttpClient::finish() { ::shutdown(fd_, SHUT_WR); }

// False: nothing came within the limit, or the other end closed (is_over_).
bool HttpClient::read_more(Duration limit) {
    if (is_over_) return false;
    pollfd entry{fd_, POLLIN, 0};
    if (::poll(&entry, 1, static_cast<int>(to_ms(limit))) != 1) return false;
    std::array<uint8_t, 16 * 1024> bytes;
    const ssize_t size = ::recv(fd_, bytes.data(), bytes.size(), 0);
    if (size <= 0) {
        is_over_ = true;
        return false;
    }
    const auto count = static_cast<size_t>(size);
    if (tls_ == nullptr) {
        received_ += as_text({bytes.data(), count});
        return true;
    }
    tls_->engine.feed({bytes.data(), count});
    for (;;) {
        std::array<uint8_t, 16 * 1024> plain;
        const Result<size_t> opened = tls_->engine.open(plain);
        if (const std::string out = tls_->take_output(); !out.empty()) write_all(out);
        if (!opened && opened.error().code == Errc::unavailable) {
            is_over_ = true;
            return true;
        }
        if (!opened) give_up(opened.error().what);
        if (*opened == 0) return true;
        received_ += as_text({plain.data(), *opened});
    }
}

std::optional<HttpResponse> HttpClient::receive(bool is_to_head) {
    size_t head_size = 0;
    while ((head_size = received_.find("\r\n\r\n")) == std::string::npos) {
        if (read_more(kPatience)) continue;
        if (is_over_ && received_.empty()) return std::nullopt;
        give_up("half a response: " + received_);
    }
    HttpResponse response;
    std::string_view head = std::string_view(received_).substr(0, head_size + 2);
    if (!head.starts_with("HTTP/1.1 ")) give_up("no response: " + received_);
    response.status = static_cast<int>(parse_decimal(head.substr(9, 3)).value_or(0));
    head.remove_prefix(head.find("\r\n") + 2);
    while (!head.empty()) {
        const std::string_view line = head.substr(0, head.find("\r\n"));
        const size_t colon = line.find(':');
        if (colon == std::string_view::npos) give_up("no field: " + std::string(line));
        response.fields.emplace_back(to_lower(line.substr(0, colon)), trim(line.substr(colon + 1)));
        head.remove_prefix(line.size() + 2);
    }
    const bool has_body = !is_to_head && response.status >= 200 && response.status != 204;
    const size_t body_size =
        has_body ? parse_decimal(response.field("content-length")).value_or(0) : 0;
    const size_t size = head_size + 4 + body_size;
    while (received_.size() < size) {
        if (!read_more(kPatience)) give_up("half a body: " + received_);
    }
    response.body = received_.substr(head_size + 4, body_size);
    received_.erase(0, size);
    return response;
}

bool HttpClient::is_closed_by_peer() { return closes_within(kPatience); }

bool HttpClient::closes_within(Duration limit) {
    const Instant deadline = monotonic_now() + limit;
    while (!is_over_ && monotonic_now() < deadline) {
        if (!read_more(deadline - monotonic_now()) && !is_over_) break;
    }
    return is_over_ && received_.empty();
}

HttpResponse HttpClient::ask(std::string_view head,
                             std::string_view authorization,
                             std::string_view json) {
    std::string request = std::string(head) + " HTTP/1.1\r\nHost: " + host_ + "\r\n";
    if (!authorization.empty()) {
        request += "Authorization: Token " + std::string(authorization) + "\r\n";
    }
    if (!json.empty()) {
        request +=
            "Content-Type: application/json\r\nContent-Length: " + std::to_string(json.size()) +
            "\r\n";
    }
    send(request + "\r\n" + std::string(json));
    const std::optional<HttpResponse> response = receive();
    if (!response) give_up("closed instead of a response");
    return *response;
}

HttpResponse HttpClient::get(std::string_view path, std::string_view authorization) {
    return ask("GET " + std::string(path), authorization, {});
}

HttpResponse HttpClient::post(std::string_view path,
                              std::string_view json,
                              std::string_view authorization) {
    return ask("POST " + std::string(path), authorization, json);
}

HttpResponse HttpClient::put(std::string_view path,
                             std::string_view json,
                             std::string_view authorization) {
    return ask("PUT " + std::string(path), authorization, json);
}

uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        give_up("no free port");
    }
    ::close(fd);
    return ntohs(address.sin_port);
}

}  // namespace knuckle::test
