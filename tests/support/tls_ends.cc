// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/tls_ends.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "base/bytes.h"

namespace knuckle::test {

OurEnd::OurEnd(const tls::Context& context,
               std::string_view server_name,
               std::vector<tls::CertificateFacts>* shown)
    : engine(context, {.server_name = server_name, .shown = shown}, out) {
    if (const auto started = engine.start(); !started) error = started.error();
}

void OurEnd::take(std::string_view ciphertext) {
    if (error) return;
    std::array<uint8_t, 1000> plain;
    engine.feed(as_bytes(ciphertext));
    for (;;) {
        const Result<size_t> size = engine.open(plain);
        if (!size) {
            error = size.error();
            return;
        }
        if (*size == 0) return;
        heard += as_text(std::span(plain).first(*size));
    }
}

std::string OurEnd::give() {
    std::string bytes;
    std::array<ByteView, 4> views;
    while (const size_t count = out.views(views)) {
        for (const ByteView view : std::span(views).first(count)) {
            bytes += as_text(view);
            out.consume(view.size());
        }
    }
    return bytes;
}

void OurEnd::say(std::string_view text) {
    if (const auto sealed = engine.seal(as_bytes(text)); !sealed) error = sealed.error();
}

namespace {

void must(int result) {
    if (result != WOLFSSL_SUCCESS) throw std::runtime_error("wolfSSL: " + std::to_string(result));
}

const unsigned char* bytes_of(std::string_view text) { return as_bytes(text).data(); }

WOLFSSL_METHOD* method(const ForeignOptions& options) {
    wolfSSL_Init();
    switch (options.version) {
        case WOLFSSL_TLSV1_2:
            return options.is_client ? wolfTLSv1_2_client_method() : wolfTLSv1_2_server_method();
        case WOLFSSL_TLSV1_3:
            return options.is_client ? wolfTLSv1_3_client_method() : wolfTLSv1_3_server_method();
        default:
            return options.is_client ? wolfTLS_client_method() : wolfTLS_server_method();
    }
}

void load(WOLFSSL_CTX* context, const ForeignOptions& options) {
    if (options.identity != nullptr) {
        const auto& [certificate, key] = *options.identity;
        must(wolfSSL_CTX_use_certificate_chain_buffer(
            context, bytes_of(certificate), static_cast<long>(certificate.size())));
        must(wolfSSL_CTX_use_PrivateKey_buffer(
            context, bytes_of(key), static_cast<long>(key.size()), WOLFSSL_FILETYPE_PEM));
    }
    const std::string_view authority = options.authority_pem;
    int verify = WOLFSSL_VERIFY_NONE;
    if (!authority.empty()) {
        verify = WOLFSSL_VERIFY_PEER;
        if (options.demands_certificate) verify |= WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
        must(wolfSSL_CTX_load_verify_buffer(context,
                                            bytes_of(authority),
                                            static_cast<long>(authority.size()),
                                            WOLFSSL_FILETYPE_PEM));
    }
    wolfSSL_CTX_set_verify(context, verify, nullptr);
}

}  // namespace

int foreign_receive(WOLFSSL*, char* to, int size, void* end) {
    std::string& in = static_cast<ForeignEnd*>(end)->in_;
    if (in.empty()) return WOLFSSL_CBIO_ERR_WANT_READ;
    const size_t taken = in.copy(to, static_cast<size_t>(size));
    in.erase(0, taken);
    return static_cast<int>(taken);
}

int foreign_send(WOLFSSL*, char* from, int size, void* end) {
    static_cast<ForeignEnd*>(end)->out_.append(from, static_cast<size_t>(size));
    return size;
}

ForeignEnd::ForeignEnd(const ForeignOptions& options) : context_(wolfSSL_CTX_new(method(options))) {
    load(context_, options);
    if (!options.cipher.empty())
        must(wolfSSL_CTX_set_cipher_list(context_, options.cipher.c_str()));
    int group = options.group;
    if (group != 0) must(wolfSSL_CTX_set_groups(context_, &group, 1));
    if (options.is_client) must(wolfSSL_CTX_UseSessionTicket(context_));
    if (options.max_fragment != 0) {
        must(wolfSSL_CTX_UseMaxFragment(context_, static_cast<uint8_t>(options.max_fragment)));
    }
    wolfSSL_CTX_SetIORecv(context_, foreign_receive);
    wolfSSL_CTX_SetIOSend(context_, foreign_send);
    ssl = wolfSSL_new(context_);
    if (ssl == nullptr) throw std::runtime_error("wolfSSL: no connection");
    wolfSSL_SetIOReadCtx(ssl, this);
    wolfSSL_SetIOWriteCtx(ssl, this);
    if (!options.alpn.empty()) {
        std::string list = options.alpn;
        must(wolfSSL_UseALPN(
            ssl, list.data(), static_cast<unsigned>(list.size()), WOLFSSL_ALPN_FAILED_ON_MISMATCH));
    }
    if (options.session != nullptr) must(wolfSSL_set_session(ssl, options.session));
    if (options.is_client) proceed();
}

ForeignEnd::~ForeignEnd() {
    wolfSSL_free(ssl);
    wolfSSL_CTX_free(context_);
}

void ForeignEnd::take(std::string_view ciphertext) {
    in_ += ciphertext;
    proceed();
}

std::string ForeignEnd::give() { return std::exchange(out_, {}); }

void ForeignEnd::say(std::string_view text) {
    const int size = static_cast<int>(text.size());
    if (wolfSSL_write(ssl, text.data(), size) != size) throw std::runtime_error("wolfSSL: write");
}

void ForeignEnd::proceed() {
    if (error != 0) return;
    if (!is_ready) {
        const int result = wolfSSL_negotiate(ssl);
        is_ready = result == WOLFSSL_SUCCESS;
        if (!is_ready) {
            const int code = wolfSSL_get_error(ssl, result);
            if (code != WOLFSSL_ERROR_WANT_READ) error = code;
            return;
        }
    }
    std::array<char, 1000> plain;
    for (;;) {
        const int size = wolfSSL_read(ssl, plain.data(), static_cast<int>(plain.size()));
        if (size <= 0) {
            const int code = wolfSSL_get_error(ssl, size);
            is_closed = code == WOLFSSL_ERROR_ZERO_RETURN;
            if (code != WOLFSSL_ERROR_WANT_READ && !is_closed) error = code;
            return;
        }
        heard.append(plain.data(), static_cast<size_t>(size));
    }
}

}  // namespace knuckle::test
