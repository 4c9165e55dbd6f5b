// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/mock/provider_tokens.h"

#include <array>
#include <utility>
#include <vector>

#include <wolfssl/wolfcrypt/settings.h>
#include <simdjson.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>

#include "crypto/digest.h"

namespace knuckle::mock {

namespace {

namespace dom = simdjson::dom;

constexpr size_t kFieldSize = 32;  // bytes of R and of S on P-256

// An object, or nothing. The element lives as long as the parser.
std::optional<dom::object> parse_object(dom::parser& parser, std::string_view base64url) {
    const std::optional<std::string> text = crypto::decode_base64url(base64url);
    if (!text) return std::nullopt;
    dom::object object;
    if (parser.parse(*text).get(object) != simdjson::SUCCESS) return std::nullopt;
    return object;
}

// The string of that name, or empty.
std::string_view string_in(const dom::object& object, std::string_view name) {
    std::string_view text;
    if (object[name].get(text) != simdjson::SUCCESS) return {};
    return text;
}

}  // namespace

struct ProviderTokens::Key {
    std::string key_id;
    std::string team_id;
    // wolfCrypt's calls take it without const although they only read it.
    mutable ecc_key ecc;

    Key() { wc_ecc_init(&ecc); }
    ~Key() { wc_ecc_free(&ecc); }
    Key(const Key&) = delete;
    Key& operator=(const Key&) = delete;

    Result<void> load(const std::string& pem);
    [[nodiscard]] bool verifies(std::string_view message, std::string_view signature) const;
};

Result<void> ProviderTokens::Key::load(const std::string& pem) {
    const auto size_max = static_cast<int>(pem.size());
    const auto* const text = as_bytes(pem).data();
    std::vector<uint8_t> der(pem.size());
    word32 at = 0;
    int error = 0;
    if (pem.find("PUBLIC KEY-----") != std::string::npos) {
        const int size = wc_PubKeyPemToDer(text, size_max, der.data(), size_max);
        if (size <= 0) return fail(Errc::invalid, "the key file is damaged", size);
        error = wc_EccPublicKeyDecode(der.data(), &at, &ecc, static_cast<word32>(size));
    } else {
        const int size = wc_KeyPemToDer(text, size_max, der.data(), size_max, "");
        if (size <= 0) return fail(Errc::invalid, "the key file is no PEM file with a key", size);
        error = wc_EccPrivateKeyDecode(der.data(), &at, &ecc, static_cast<word32>(size));
        if (error == 0 && ecc.type == ECC_PRIVATEKEY_ONLY) {
            error = wc_ecc_make_pub(&ecc, nullptr);
        }
    }
    if (error != 0) return fail(Errc::invalid, "the file holds no EC key", error);
    if (wc_ecc_get_curve_id(ecc.idx) != ECC_SECP256R1) {
        return fail(Errc::invalid, "the key is not on P-256");
    }
    return {};
}

bool ProviderTokens::Key::verifies(std::string_view message, std::string_view signature) const {
    if (signature.size() != 2 * kFieldSize) return false;
    const crypto::Sha256Digest digest = crypto::sha256(as_bytes(message));
    const uint8_t* const bytes = as_bytes(signature).data();
    mp_int r;
    mp_int s;
    int is_right = 0;
    int error = mp_init_multi(&r, &s, nullptr, nullptr, nullptr, nullptr);
    if (error == 0) error = mp_read_unsigned_bin(&r, bytes, kFieldSize);
    if (error == 0) error = mp_read_unsigned_bin(&s, bytes + kFieldSize, kFieldSize);
    if (error == 0) {
        error = wc_ecc_verify_hash_ex(&r, &s, digest.data(), digest.size(), &is_right, &ecc);
    }
    return error == 0 && is_right == 1;
}

ProviderTokens::ProviderTokens() = default;
ProviderTokens::~ProviderTokens() = default;

Result<void> ProviderTokens::add(const ApnsKey& key) {
    Key& added = keys_.emplace_back();
    added.key_id = key.key_id;
    added.team_id = key.team_id;
    if (const Result<void> loaded = added.load(key.pem); !loaded) {
        keys_.pop_back();
        return loaded.error();
    }
    return {};
}

const ProviderTokens::Key* ProviderTokens::find_key(std::string_view key_id) const {
    for (const Key& key : keys_) {
        if (key.key_id == key_id) return &key;
    }
    return nullptr;
}

std::optional<ProviderToken> ProviderTokens::read(std::string_view jwt) const {
    const size_t first_dot = jwt.find('.');
    const size_t last_dot = jwt.rfind('.');
    if (first_dot == jwt.npos || first_dot == last_dot) return std::nullopt;
    const std::string_view claims_text = jwt.substr(first_dot + 1, last_dot - first_dot - 1);
    if (claims_text.find('.') != jwt.npos) return std::nullopt;

    dom::parser header_parser;
    dom::parser claims_parser;
    const auto header = parse_object(header_parser, jwt.substr(0, first_dot));
    const auto claims = parse_object(claims_parser, claims_text);
    const auto signature = crypto::decode_base64url(jwt.substr(last_dot + 1));
    if (!header || !claims || !signature) return std::nullopt;

    dom::element type;
    const bool has_type = (*header)["typ"].get(type) == simdjson::SUCCESS;
    if (has_type && string_in(*header, "typ") != "JWT") return std::nullopt;
    const Key* const key = find_key(string_in(*header, "kid"));
    if (string_in(*header, "alg") != "ES256" || key == nullptr) return std::nullopt;
    if (string_in(*claims, "iss") != key->team_id) return std::nullopt;
    // An integer, neither a string nor 1.0.
    int64_t seconds = 0;
    if ((*claims)["iat"].get(seconds) != simdjson::SUCCESS) return std::nullopt;
    if (!key->verifies(jwt.substr(0, last_dot), *signature)) return std::nullopt;
    return ProviderToken{.text = std::string(jwt),
                         .key_id = key->key_id,
                         .team_id = key->team_id,
                         .issued_at = seconds};
}

const ProviderToken* ProviderTokens::find(std::string_view jwt) {
    if (jwt.empty() || jwt.size() > kTokenSizeMax) return nullptr;
    if (const auto known = by_text_.find(jwt); known != by_text_.end()) return known->second;
    std::optional<ProviderToken> token = read(jwt);
    // A gateway has a handful in a day; one that has a thousand is out of order anyway.
    if (!token || tokens_.size() >= kRememberedMax) return nullptr;
    const ProviderToken& kept = tokens_.emplace_back(std::move(*token));
    by_text_.emplace(kept.text, &kept);
    return &kept;
}

}  // namespace knuckle::mock
