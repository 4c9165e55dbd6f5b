// SPDX-License-Identifier: GPL-3.0-or-later
#include "crypto/jwt.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/rsa.h>

#include "base/json.h"
#include "crypto/digest.h"

namespace knuckle::crypto {

namespace {

// Bytes of R and of S on P-256.
constexpr size_t kFieldSize = 32;
// Characters of the header or the claims, which with Apple's identifiers need 36.
constexpr size_t kPartSizeMax = 256;

// Tells whoever put the wrong file there what to put there instead.
Result<void> check_pem(std::string_view pem) {
    const auto has = [pem](std::string_view part) {
        return pem.find(part) != std::string_view::npos;
    };
    if (pem.size() > kKeyFileSizeMax) {
        return fail(Errc::invalid, "the file is too large for a private key");
    }
    if (!has("-----BEGIN ")) {
        return fail(Errc::invalid, "the file is not PEM (no -----BEGIN PRIVATE KEY-----)");
    }
    if (has("-----BEGIN ENCRYPTED PRIVATE KEY-----") || has("Proc-Type: 4,ENCRYPTED")) {
        return fail(Errc::invalid,
                    "the key is encrypted; decrypt it with: openssl pkcs8 -topk8 -nocrypt");
    }
    if (!has(" PRIVATE KEY-----")) {
        return fail(Errc::invalid, "the file holds no private key, only something public");
    }
    if (!has("-----END ")) {
        return fail(Errc::invalid, "the key file is cut off (no -----END PRIVATE KEY-----)");
    }
    return {};
}

// Keeps the PKCS#8 wrapping, which the decoder of the key takes off itself. The passphrase is never
// asked for: check_pem() has refused the files that need one.
Result<std::vector<uint8_t>> to_der(std::string_view pem) {
    std::vector<uint8_t> der(pem.size());
    const auto size_max = static_cast<int>(pem.size());
    const int size = wc_KeyPemToDer(as_bytes(pem).data(), size_max, der.data(), size_max, "");
    if (size <= 0) return fail(Errc::invalid, "the key file is damaged: no valid base64", size);
    der.resize(static_cast<size_t>(size));
    return der;
}

bool is_rsa_key(ByteView der) {
    word32 at = 0;
    int modulus_size = 0;
    const auto size = static_cast<word32>(der.size());
    return wc_RsaPrivateKeyValidate(der.data(), &at, &modulus_size, size) == 0;
}

// The decoder goes by the size of a key whose curve it does not know, and takes secp256k1 for
// P-256. Hence this look at the name that is written in the file.
bool names_p256(ByteView der) {
    constexpr std::array<uint8_t, 10> kName = {
        0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    return std::search(der.begin(), der.end(), kName.begin(), kName.end()) != der.end();
}

}  // namespace

struct Es256Signer::State {
    WC_RNG random;  // the library wants one to fall back on; see load()
    ecc_key key;
    bool has_random = false;
    bool has_key = false;

    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
        if (has_key) wc_ecc_free(&key);
        if (has_random) wc_FreeRng(&random);
    }

    Result<void> load(ByteView der);
    Result<void> decode(ByteView der);
    // R | S, the form RFC 7518 section 3.4 asks for.
    Result<std::array<uint8_t, 2 * kFieldSize>> sign(ByteView message);
};

Result<void> Es256Signer::State::load(ByteView der) {
    has_random = wc_InitRng(&random) == 0;
    has_key = wc_ecc_init(&key) == 0;
    if (!has_random || !has_key) return fail(Errc::system, "the signer cannot be set up");
    KNUCKLE_TRY(decode(der));

    // Derives a public half that the file leaves out, then checks that both belong together: a
    // damaged file may well decode, and Apple would only say InvalidProviderToken.
    if (key.type == ECC_PRIVATEKEY_ONLY) wc_ecc_make_pub_ex(&key, nullptr, &random);
    if (const int error = wc_ecc_check_key(&key); error != 0) {
        return fail(Errc::invalid, "the key file is damaged: its two halves do not match", error);
    }
    // The nonce comes from key and message (RFC 6979), so a bad generator cannot give the key away.
    if (wc_ecc_set_rng(&key, &random) != 0 ||
        wc_ecc_set_deterministic_ex(&key, 1, WC_HASH_TYPE_SHA256) != 0) {
        return fail(Errc::system, "the signer cannot be set up");
    }
    return {};
}

Result<void> Es256Signer::State::decode(ByteView der) {
    constexpr const char* kWrongCurve = "the key is not on the curve P-256, which ES256 needs";
    word32 at = 0;
    const auto size = static_cast<word32>(der.size());
    const int error = wc_EccPrivateKeyDecode(der.data(), &at, &key, size);
    if (error == ECC_CURVE_OID_E) return fail(Errc::invalid, kWrongCurve, error);
    if (error != 0 && is_rsa_key(der)) {
        return fail(Errc::invalid, "the key is an RSA key; ES256 needs an EC key on P-256");
    }
    if (error != 0) return fail(Errc::invalid, "the file holds no EC private key", error);
    if (wc_ecc_get_curve_id(key.idx) != ECC_SECP256R1 || !names_p256(der)) {
        return fail(Errc::invalid, kWrongCurve);
    }
    return {};
}

Result<std::array<uint8_t, 2 * kFieldSize>> Es256Signer::State::sign(ByteView message) {
    const Sha256Digest digest = sha256(message);
    mp_int r;
    mp_int s;
    int error = mp_init_multi(&r, &s, nullptr, nullptr, nullptr, nullptr);
    if (error == 0) {
        error = wc_ecc_sign_hash_ex(digest.data(), digest.size(), &random, &key, &r, &s);
    }
    // As numbers, R and S may need fewer than 32 bytes; this pads them in front.
    std::array<uint8_t, 2 * kFieldSize> signature;
    if (error == 0) error = mp_to_unsigned_bin_len(&r, signature.data(), kFieldSize);
    if (error == 0) error = mp_to_unsigned_bin_len(&s, signature.data() + kFieldSize, kFieldSize);
    if (error != 0) return fail(Errc::tls, "the provider token cannot be signed", error);
    return signature;
}

Result<Es256Signer> Es256Signer::load(std::string_view pem) {
    KNUCKLE_TRY(check_pem(pem));
    std::vector<uint8_t> der = KNUCKLE_TRY(to_der(pem));
    auto state = std::make_unique<State>();
    const Result<void> loaded = state->load(der);
    wipe(der);
    if (!loaded) return loaded.error();
    return Es256Signer(std::move(state));
}

Es256Signer::Es256Signer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Es256Signer::Es256Signer(Es256Signer&&) noexcept = default;
Es256Signer& Es256Signer::operator=(Es256Signer&&) noexcept = default;
Es256Signer::~Es256Signer() = default;

Result<std::string> Es256Signer::sign(std::string_view key_id,
                                      std::string_view team_id,
                                      UnixTime issued_at) {
    if (issued_at < UnixTime{}) return fail(Errc::invalid, "the clock is before 1970");
    std::array<char, kPartSizeMax> header_storage;
    std::array<char, kPartSizeMax> claims_storage;
    JsonWriter header(header_storage);
    JsonWriter claims(claims_storage);
    header.begin_object().key("alg").string("ES256").key("kid").string(key_id).end_object();
    claims.begin_object().key("iss").string(team_id).key("iat");
    claims.number(static_cast<uint64_t>(to_unix_seconds(issued_at))).end_object();
    if (!header.fits() || !claims.fits()) {
        return fail(Errc::invalid,
                    "the key id or the team id is too long; Apple's have 10 letters");
    }

    std::string token = encode_base64url(as_bytes(header.text()));
    token += '.';
    token += encode_base64url(as_bytes(claims.text()));
    const auto signature = KNUCKLE_TRY(state_->sign(as_bytes(token)));
    token += '.';
    token += encode_base64url(signature);
    return token;
}

}  // namespace knuckle::crypto
