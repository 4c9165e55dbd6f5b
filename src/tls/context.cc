// SPDX-License-Identifier: GPL-3.0-or-later
#include "tls/context.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/spares.h"
#include "tls/context_state.h"

namespace knuckle::tls {

namespace {

// The order is ours on both ends: a wolfSSL server follows its own, not the client's. AES-128-GCM
// is what the processor does fastest; the others are for peers that insist.
constexpr char kCipherSuites[] =
    "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256:"
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr short kRsaKeyBitsMin = 2048;
constexpr short kEccKeyBitsMin = 256;

// How long a client may come back with a session ticket. Senders of knocks reconnect every few
// minutes; wolfSSL changes the tickets' key every hour and wants at most half of that.
constexpr int kTicketLifetimeSeconds = 20 * 60;

// wolfSSL takes memory for each record that it reads or writes, so that an idle connection needs
// none. They may end on another thread than they began.
constinit thread_local Spares spares;

void* take_memory(size_t size) { return spares.take(size); }
void* resize_memory(void* piece, size_t size) { return spares.resize(piece, size); }
void give_back_memory(void* piece) { spares.give_back(piece); }

// wolfSSL's tables are set up once per process and stay until its end.
void start_library() {
    static const bool is_started =
        wolfSSL_SetAllocators(take_memory, give_back_memory, resize_memory) == 0 &&
        wolfSSL_Init() == WOLFSSL_SUCCESS;
    KNUCKLE_ASSERT(is_started);
}

// These calls fail only for lack of memory or if we ask for something that was not compiled in.
void must(int result) { KNUCKLE_ASSERT(result == WOLFSSL_SUCCESS); }

int receive_ciphertext(WOLFSSL*, char* to, int size, void* wire) {
    ByteView& in = static_cast<Wire*>(wire)->in;
    if (in.empty()) return WOLFSSL_CBIO_ERR_WANT_READ;
    const size_t taken = std::min(in.size(), static_cast<size_t>(size));
    copy_bytes(reinterpret_cast<uint8_t*>(to), in.first(taken));
    in = in.subspan(taken);
    return static_cast<int>(taken);
}

// Takes everything: whoever owns `out` watches its size.
int send_ciphertext(WOLFSSL*, char* from, int size, void* wire) {
    static_cast<Wire*>(wire)->out->append(std::string_view(from, static_cast<size_t>(size)));
    return size;
}

void set_up(WOLFSSL_CTX* context) {
    int groups[] = {WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1};
    must(wolfSSL_CTX_SetMinVersion(context, WOLFSSL_TLSV1_2));
    must(wolfSSL_CTX_set_cipher_list(context, kCipherSuites));
    must(wolfSSL_CTX_set_groups(context, groups, static_cast<int>(std::size(groups))));
    must(wolfSSL_CTX_SetMinRsaKey_Sz(context, kRsaKeyBitsMin));
    must(wolfSSL_CTX_SetMinEccKey_Sz(context, kEccKeyBitsMin));
    // The cache is one for the whole process, behind locks; tickets need none.
    must(static_cast<int>(wolfSSL_CTX_set_session_cache_mode(context, WOLFSSL_SESS_CACHE_OFF)));
    wolfSSL_CTX_SetIORecv(context, receive_ciphertext);
    wolfSSL_CTX_SetIOSend(context, send_ciphertext);
}

const unsigned char* bytes_of(std::string_view text) { return as_bytes(text).data(); }

long size_of(std::string_view text) { return static_cast<long>(text.size()); }

// Cuts the next certificate out of `pem`, which may hold comments between them.
std::optional<std::string_view> next_certificate(std::string_view& pem) {
    constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
    constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
    const size_t begin = pem.find(kBegin);
    if (begin == std::string_view::npos) return std::nullopt;
    const size_t end = pem.find(kEnd, begin);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view certificate = pem.substr(begin, end + kEnd.size() - begin);
    pem.remove_prefix(end + kEnd.size());
    return certificate;
}

// One by one, because wolfSSL gives up on a bundle at the first certificate it dislikes: an expired
// one, say, or one with an algorithm it was built without. System bundles hold such things.
Result<size_t> load_authorities(WOLFSSL_CTX* context, std::string_view pem) {
    size_t loaded = 0;
    int reason = 0;
    while (const auto certificate = next_certificate(pem)) {
        const int result = wolfSSL_CTX_load_verify_buffer(
            context, bytes_of(*certificate), size_of(*certificate), WOLFSSL_FILETYPE_PEM);
        if (result == WOLFSSL_SUCCESS) {
            ++loaded;
        } else {
            reason = result;
        }
    }
    if (loaded > 0) return loaded;
    if (reason == 0) return fail(Errc::tls, "the CA bundle holds no certificate in PEM form");
    return fail(Errc::tls, "none of the certificates in the CA bundle can be used", reason);
}

Result<void> load_identity(WOLFSSL_CTX* context,
                           std::string_view certificate_pem,
                           std::string_view key_pem) {
    int result = wolfSSL_CTX_use_certificate_chain_buffer(
        context, bytes_of(certificate_pem), size_of(certificate_pem));
    if (result == RSA_KEY_SIZE_E || result == ECC_KEY_SIZE_E) {
        return fail(Errc::tls, "the certificate's key is shorter than RSA 2048 or P-256", result);
    }
    if (result != WOLFSSL_SUCCESS) {
        return fail(Errc::tls, "the certificate cannot be read (PEM, leaf first)", result);
    }
    result = wolfSSL_CTX_use_PrivateKey_buffer(
        context, bytes_of(key_pem), size_of(key_pem), WOLFSSL_FILETYPE_PEM);
    if (result != WOLFSSL_SUCCESS) {
        return fail(Errc::tls, "the private key cannot be read (PEM without a password)", result);
    }
    result = wolfSSL_CTX_check_private_key(context);
    if (result != WOLFSSL_SUCCESS) {
        return fail(Errc::tls, "the private key does not belong to the certificate", result);
    }
    return {};
}

}  // namespace

Result<Context> Context::client(const ClientOptions& options) {
    start_library();
    auto state = std::make_unique<State>();
    state->ssl_context.reset(wolfSSL_CTX_new(wolfTLS_client_method()));
    WOLFSSL_CTX* const context = state->ssl_context.get();
    KNUCKLE_ASSERT(context != nullptr);
    set_up(context);
    wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER, nullptr);
    state->is_client = true;
    state->alpn = options.alpn;
    state->authorities_loaded = KNUCKLE_TRY(load_authorities(context, options.ca_pem));
    if (!options.certificate_pem.empty() || !options.key_pem.empty()) {
        KNUCKLE_TRY(load_identity(context, options.certificate_pem, options.key_pem));
    }
    return Context(std::move(state));
}

Result<Context> Context::server(const ServerOptions& options) {
    start_library();
    auto state = std::make_unique<State>();
    state->ssl_context.reset(wolfSSL_CTX_new(wolfTLS_server_method()));
    WOLFSSL_CTX* const context = state->ssl_context.get();
    KNUCKLE_ASSERT(context != nullptr);
    set_up(context);
    must(wolfSSL_CTX_set_timeout(context, kTicketLifetimeSeconds));
    must(wolfSSL_CTX_set_TicketHint(context, kTicketLifetimeSeconds));
    state->alpn = options.alpn;
    KNUCKLE_TRY(load_identity(context, options.certificate_pem, options.key_pem));
    if (!options.client_ca_pem.empty()) {
        wolfSSL_CTX_set_verify(
            context, WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        state->authorities_loaded = KNUCKLE_TRY(load_authorities(context, options.client_ca_pem));
    }
    return Context(std::move(state));
}

Context::Context(std::unique_ptr<State> state) : state_(std::move(state)) {}
Context::Context(Context&&) noexcept = default;
Context& Context::operator=(Context&&) noexcept = default;
Context::~Context() = default;

size_t Context::authorities_loaded() const { return state_->authorities_loaded; }

}  // namespace knuckle::tls
