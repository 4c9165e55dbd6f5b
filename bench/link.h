// SPDX-License-Identifier: GPL-3.0-or-later
// One non-blocking TCP connection on loopback, with TLS or without, for the programs that stand
// around the gateway under test. TLS is the system's OpenSSL, on purpose another library than the
// gateway's: all candidates meet the same peer, and the floor is the same anchor everywhere.
//
//     TlsContext tls = TlsContext::client();           once
//     Link link = Link::connect(port, &tls);           nullptr: plain
//     link.handshake() == Step::done                   again: when the descriptor is ready
//     link.read(bytes); link.write(bytes)              > 0, kAgain, or kClosed
//
// Throws std::runtime_error at set-up only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>

#include <openssl/ssl.h>

namespace knuckle::bench {

class TlsContext {
public:
    // `protocol` is what ALPN offers or picks, "" for none, and must outlive all. A server takes
    // clients without ALPN, too: some peers offer none.
    static TlsContext client(const char* protocol, bool keep_sessions = false);
    static TlsContext server(const std::string& certificate,
                             const std::string& key,
                             const char* protocol);
    TlsContext(TlsContext&& other) noexcept
        : context_(std::exchange(other.context_, nullptr)), is_server_(other.is_server_) {}
    TlsContext& operator=(TlsContext&&) = delete;
    ~TlsContext();

    // A connection not yet shaken hands. A client that keeps sessions resumes the newest.
    [[nodiscard]] SSL* new_ssl(int fd);

private:
    TlsContext(const SSL_METHOD* method, bool is_server);

    SSL_CTX* context_;
    bool is_server_;
};

enum class Step { done, again, failed };

class Link {
public:
    static constexpr ssize_t kAgain = 0;
    static constexpr ssize_t kClosed = -1;

    Link() = default;
    Link(int fd, TlsContext* tls);
    static Link connect(uint16_t port, TlsContext* tls);
    Link(Link&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), ssl_(std::exchange(other.ssl_, nullptr)) {}
    Link& operator=(Link&& other) noexcept {
        close();
        fd_ = std::exchange(other.fd_, -1);
        ssl_ = std::exchange(other.ssl_, nullptr);
        return *this;
    }
    ~Link() { close(); }

    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] bool is_open() const { return fd_ >= 0; }
    [[nodiscard]] bool is_resumed() const {
        return ssl_ != nullptr && SSL_session_reused(ssl_) == 1;
    }
    [[nodiscard]] Step handshake();
    [[nodiscard]] ssize_t read(std::span<char> into);
    [[nodiscard]] ssize_t write(std::string_view bytes);
    // Bytes that were read from the socket already: no readiness will be reported for them.
    [[nodiscard]] bool has_more() const { return ssl_ != nullptr && SSL_has_pending(ssl_) == 1; }
    void close();

private:
    int fd_ = -1;
    SSL* ssl_ = nullptr;
};

[[nodiscard]] int listen_on(uint16_t port, bool is_shared = false);

// As many connections at once as the system lets this process have.
void take_all_descriptors();

}  // namespace knuckle::bench
