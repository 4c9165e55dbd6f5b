// SPDX-License-Identifier: GPL-3.0-or-later
#include "bench/link.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace knuckle::bench {

namespace {

sockaddr_in loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

void set(int fd, int level, int option) {
    const int on = 1;
    ::setsockopt(fd, level, option, &on, sizeof on);
}

int pick(SSL*,
         const unsigned char** out,
         unsigned char* out_size,
         const unsigned char* in,
         unsigned in_size,
         void* wanted) {
    const std::string_view protocol = static_cast<const char*>(wanted);
    for (unsigned at = 0; at + 1 + in[at] <= in_size; at += in[at] + 1u) {
        const std::string_view offer(reinterpret_cast<const char*>(in) + at + 1, in[at]);
        if (offer != protocol) continue;
        *out = in + at + 1;
        *out_size = in[at];
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

// The newest session a client was given: one program talks to one server.
SSL_SESSION* newest = nullptr;

int keep(SSL*, SSL_SESSION* session) {
    if (newest != nullptr) SSL_SESSION_free(newest);
    newest = session;
    return 1;
}

}  // namespace

TlsContext::TlsContext(const SSL_METHOD* method, bool is_server)
    : context_(SSL_CTX_new(method)), is_server_(is_server) {
    if (context_ == nullptr) throw std::runtime_error("no TLS");
    SSL_CTX_set_ciphersuites(context_, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set_read_ahead(context_, 1);
    SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

TlsContext TlsContext::client(const char* protocol, bool keep_sessions) {
    TlsContext tls(TLS_client_method(), false);
    SSL_CTX_set_min_proto_version(tls.context_, TLS1_3_VERSION);
    SSL_CTX_set1_groups_list(tls.context_, "X25519:P-256");
    if (const std::string_view name = protocol; !name.empty()) {
        const std::string offer = static_cast<char>(name.size()) + std::string(name);
        SSL_CTX_set_alpn_protos(tls.context_,
                                reinterpret_cast<const unsigned char*>(offer.data()),
                                static_cast<unsigned>(offer.size()));
    }
    if (keep_sessions) {
        SSL_CTX_set_session_cache_mode(tls.context_,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(tls.context_, keep);
    }
    return tls;
}

TlsContext TlsContext::server(const std::string& certificate,
                              const std::string& key,
                              const char* protocol) {
    TlsContext tls(TLS_server_method(), true);
    SSL_CTX_set_min_proto_version(tls.context_, TLS1_2_VERSION);
    if (SSL_CTX_use_certificate_chain_file(tls.context_, certificate.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls.context_, key.c_str(), SSL_FILETYPE_PEM) != 1) {
        throw std::runtime_error("cannot use " + certificate + " with " + key);
    }
    if (*protocol != '\0') {
        SSL_CTX_set_alpn_select_cb(tls.context_, pick, const_cast<char*>(protocol));
    }
    return tls;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

SSL* TlsContext::new_ssl(int fd) {
    SSL* const ssl = SSL_new(context_);
    SSL_set_fd(ssl, fd);
    if (is_server_) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
        if (newest != nullptr) SSL_set_session(ssl, newest);
    }
    return ssl;
}

Link::Link(int fd, TlsContext* tls) : fd_(fd), ssl_(tls == nullptr ? nullptr : tls->new_ssl(fd)) {
    set(fd, IPPROTO_TCP, TCP_NODELAY);
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

Link Link::connect(uint16_t port, TlsContext* tls) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
    }
    return {fd, tls};
}

Step Link::handshake() {
    if (ssl_ == nullptr) return Step::done;
    const int result = SSL_do_handshake(ssl_);
    if (result == 1) return Step::done;
    const int error = SSL_get_error(ssl_, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? Step::again
                                                                         : Step::failed;
}

ssize_t Link::read(std::span<char> into) {
    if (ssl_ == nullptr) {
        const ssize_t size = ::read(fd_, into.data(), into.size());
        if (size > 0) return size;
        return size < 0 && errno == EAGAIN ? kAgain : kClosed;
    }
    const int size = SSL_read(ssl_, into.data(), static_cast<int>(into.size()));
    if (size > 0) return size;
    return SSL_get_error(ssl_, size) == SSL_ERROR_WANT_READ ? kAgain : kClosed;
}

ssize_t Link::write(std::string_view bytes) {
    if (ssl_ == nullptr) {
        const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (size > 0) return size;
        return size < 0 && errno == EAGAIN ? kAgain : kClosed;
    }
    const int size = SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
    if (size > 0) return size;
    return SSL_get_error(ssl_, size) == SSL_ERROR_WANT_WRITE ? kAgain : kClosed;
}

// Without a TLS goodbye and without TIME_WAIT, of which connections by the thousand would leave
// too many for the ports there are.
void Link::close() {
    if (fd_ < 0) return;
    if (ssl_ != nullptr) {
        SSL_set_quiet_shutdown(ssl_, 1);
        SSL_shutdown(ssl_);  // a session that was not shut down would not be resumed
        SSL_free(ssl_);
    }
    const linger reset{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    ::close(fd_);
    fd_ = -1;
    ssl_ = nullptr;
}

int listen_on(uint16_t port, bool is_shared) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    set(fd, SOL_SOCKET, SO_REUSEADDR);
    if (is_shared) set(fd, SOL_SOCKET, SO_REUSEPORT);
    const sockaddr_in address = loopback(port);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(fd, 4096) != 0) {
        throw std::runtime_error(std::string("listen: ") + std::strerror(errno));
    }
    return fd;
}

void take_all_descriptors() {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace knuckle::bench
