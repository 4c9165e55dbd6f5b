// SPDX-License-Identifier: GPL-3.0-or-later
#include "tls/engine.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <climits>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/assert.h"
#include "base/text.h"
#include "tls/context_state.h"
#include "tls/failure.h"

namespace knuckle::tls {

namespace {

// The most plaintext that one TLS record may hold (RFC 8446 section 5.1).
constexpr size_t kRecordSizeMax = 16 * 1024;

struct FreeConnection {
    void operator()(WOLFSSL* connection) const { wolfSSL_free(connection); }
};

// Every TLS record begins with its type, and these are all there are.
bool could_be_tls(uint8_t first) { return first >= 20 && first <= 24; }

// An IP address in the words that wolfSSL uses for those in a certificate, or nothing if `name` is
// a host name. wolfSSL compares the texts, so "::1" as such would never match.
std::string as_ip_address(const std::string& name) {
    std::array<uint8_t, 16> address{};
    if (inet_pton(AF_INET, name.c_str(), address.data()) == 1) return name;
    if (inet_pton(AF_INET6, name.c_str(), address.data()) != 1) return {};
    const std::string digits = to_hex(address);
    std::string text;
    for (size_t i = 0; i < digits.size(); i += 4) {
        if (i > 0) text += ':';
        text += digits.substr(i, 4);
    }
    return text;
}

// SNI carries host names only (RFC 6066 section 3), without the dot that may end them.
bool expect_name(WOLFSSL* connection, std::string_view server_name) {
    std::string name(server_name);
    if (const std::string address = as_ip_address(name); !address.empty()) {
        return wolfSSL_check_ip_address(connection, address.c_str()) == WOLFSSL_SUCCESS;
    }
    if (name.ends_with('.')) name.pop_back();
    return wolfSSL_check_domain_name(connection, name.c_str()) == WOLFSSL_SUCCESS &&
           wolfSSL_UseSNI(connection,
                          WOLFSSL_SNI_HOST_NAME,
                          name.data(),
                          static_cast<unsigned short>(name.size())) == WOLFSSL_SUCCESS;
}

// wolfSSL without its OpenSSL layer keeps no chain; this is the one time that it shows it.
// The verdict stays wolfSSL's own. Called for the peer's own certificate and for each failure.
int note_chain(int verdict, WOLFSSL_X509_STORE_CTX* store) {
    auto& shown = *static_cast<std::vector<CertificateFacts>*>(store->userCtx);
    shown.clear();
    for (int i = 0; i < store->totalCerts; ++i) {
        const WOLFSSL_BUFFER_INFO& der = store->certs[i];
        Result<CertificateFacts> facts = read_certificate_der({der.buffer, der.length});
        if (facts) shown.push_back(std::move(*facts));
    }
    return verdict;
}

}  // namespace

struct Engine::State {
    Wire wire;
    std::unique_ptr<WOLFSSL, FreeConnection> connection;
    std::optional<Error> failure;  // once there is one, nothing more comes in
    bool has_input = false;
    bool speaks_tls = true;  // as far as the peer's first byte can tell
    bool is_client = false;
    bool wants_alpn = false;
    bool is_ready = false;
    bool is_closed = false;

    Error die(Error error);
    Error explain(int code) const;
    Result<void> shake_hands();

    // The peer's close_notify ends only what comes from there (RFC 8446 section 6.1).
    [[nodiscard]] bool may_answer() const {
        return is_ready && (!failure || failure->code == Errc::unavailable);
    }
};

Error Engine::State::die(Error error) {
    failure = error;
    wire.in = {};
    return error;
}

Error Engine::State::explain(int code) const {
    if (code == WOLFSSL_ERROR_ZERO_RETURN) {
        return fail(Errc::unavailable, "the peer closed the connection");
    }
    if (!speaks_tls) return fail(Errc::tls, "the peer does not speak TLS", code);
    WOLFSSL_ALERT_HISTORY alerts;
    if (code == FATAL_ERROR &&
        wolfSSL_get_alert_history(connection.get(), &alerts) == WOLFSSL_SUCCESS) {
        return failure_of_alert(alerts.last_rx.code);
    }
    return failure_of_code(code);
}

// Goes as far as the input allows; is_ready says whether that was all the way.
Result<void> Engine::State::shake_hands() {
    WOLFSSL* const ssl = connection.get();
    const int result = is_client ? wolfSSL_connect(ssl) : wolfSSL_accept(ssl);
    if (result != WOLFSSL_SUCCESS) {
        const int code = wolfSSL_get_error(ssl, result);
        if (code == WOLFSSL_ERROR_WANT_READ) return {};
        return die(explain(code));
    }
    // wolfSSL refuses a protocol that was not offered, but a server may also ignore the question.
    if (wants_alpn) {
        char* name = nullptr;
        unsigned short size = 0;
        if (wolfSSL_ALPN_GetProtocol(ssl, &name, &size) != WOLFSSL_SUCCESS) {
            wolfSSL_shutdown(ssl);
            return die(no_protocol_agreed());
        }
    }
    is_ready = true;
    return {};
}

Engine::Engine(const Context& context, const EngineOptions& options, Buffer& out)
    : state_(std::make_unique<State>()) {
    State& s = *state_;
    s.wire.out = &out;
    s.connection.reset(wolfSSL_new(context.state_->ssl_context.get()));
    WOLFSSL* const ssl = s.connection.get();
    if (ssl == nullptr) {
        s.failure = fail(Errc::tls, "no memory or no random numbers for a TLS connection");
        return;
    }
    wolfSSL_SetIOReadCtx(ssl, &s.wire);
    wolfSSL_SetIOWriteCtx(ssl, &s.wire);
    s.is_client = context.state_->is_client;
    if (options.shown != nullptr) {
        wolfSSL_SetCertCbCtx(ssl, options.shown);
        // As the context has it.
        const int demand = s.is_client ? 0 : WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
        wolfSSL_set_verify(ssl, WOLFSSL_VERIFY_PEER | demand, note_chain);
    }
    std::string alpn = context.state_->alpn;
    if (!alpn.empty()) {
        const int result = wolfSSL_UseALPN(
            ssl, alpn.data(), static_cast<unsigned>(alpn.size()), WOLFSSL_ALPN_FAILED_ON_MISMATCH);
        KNUCKLE_ASSERT(result == WOLFSSL_SUCCESS);
        s.wants_alpn = s.is_client;
    }
    if (s.is_client && !expect_name(ssl, options.server_name)) {
        s.failure =
            fail(Errc::tls, "the server's name is neither a full host name nor an IP address");
    }
}

Engine::~Engine() = default;

Result<void> Engine::start() {
    State& s = *state_;
    if (s.failure) return *s.failure;
    if (s.is_client && !s.is_ready) return s.shake_hands();
    return {};
}

void Engine::feed(ByteView ciphertext) {
    State& s = *state_;
    KNUCKLE_ASSERT(s.wire.in.empty());
    if (s.failure || ciphertext.empty()) return;
    if (!s.has_input) {
        s.has_input = true;
        s.speaks_tls = could_be_tls(ciphertext.front());
    }
    s.wire.in = ciphertext;
}

Result<size_t> Engine::open(MutableBytes plain) {
    KNUCKLE_ASSERT(!plain.empty());
    State& s = *state_;
    if (s.failure) return *s.failure;
    if (!s.is_ready) {
        KNUCKLE_TRY(s.shake_hands());
        if (!s.is_ready) return size_t{0};
    }
    // Tickets, key updates and records without content are dealt with in here.
    WOLFSSL* const ssl = s.connection.get();
    const size_t room = std::min(plain.size(), size_t{INT_MAX});
    const int size = wolfSSL_read(ssl, plain.data(), static_cast<int>(room));
    if (size > 0) return static_cast<size_t>(size);
    const int code = wolfSSL_get_error(ssl, size);
    if (code == WOLFSSL_ERROR_WANT_READ) return size_t{0};
    return s.die(s.explain(code));
}

Result<void> Engine::seal(ByteView plaintext) {
    State& s = *state_;
    if (s.failure && !s.may_answer()) return *s.failure;
    KNUCKLE_ASSERT(s.is_ready && !s.is_closed);
    WOLFSSL* const ssl = s.connection.get();
    while (!plaintext.empty()) {
        const ByteView piece = plaintext.first(std::min(plaintext.size(), kRecordSizeMax));
        const int size = wolfSSL_write(ssl, piece.data(), static_cast<int>(piece.size()));
        if (size <= 0) return s.die(s.explain(wolfSSL_get_error(ssl, size)));
        plaintext = plaintext.subspan(static_cast<size_t>(size));
    }
    return {};
}

Result<void> Engine::seal(Buffer& plaintext) {
    std::array<ByteView, 8> views;
    while (!plaintext.is_empty()) {
        const size_t count = plaintext.views(views);
        size_t sealed = 0;
        for (const ByteView view : std::span(views).first(count)) {
            KNUCKLE_TRY(seal(view));
            sealed += view.size();
        }
        plaintext.consume(sealed);
    }
    return {};
}

void Engine::close() {
    State& s = *state_;
    if (s.is_closed || (s.failure && !s.may_answer())) return;
    s.is_closed = true;
    wolfSSL_shutdown(s.connection.get());
}

bool Engine::is_ready() const { return state_->is_ready; }

std::string_view Engine::alpn() const {
    char* name = nullptr;
    unsigned short size = 0;
    WOLFSSL* const ssl = state_->connection.get();
    if (ssl == nullptr || wolfSSL_ALPN_GetProtocol(ssl, &name, &size) != WOLFSSL_SUCCESS) return {};
    return {name, size};
}

bool Engine::was_resumed() const {
    return state_->is_ready && wolfSSL_session_reused(state_->connection.get()) == 1;
}

}  // namespace knuckle::tls
