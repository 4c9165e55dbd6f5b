// SPDX-License-Identifier: GPL-3.0-or-later
// Signs provider tokens: JWS with ES256 (RFC 7515, RFC 7518 section 3.4) from Apple's .p8 key.
//
//     auto signer = Es256Signer::load(pem);          the text of an unencrypted PKCS#8 PEM file
//     auto token = signer->sign(key_id, team_id, issued_at);
//
// The token has exactly the members that Apple names in "Establishing a token-based connection to
// APNs": header alg, kid; claims iss, iat, the latter an integer of seconds. The signature is 64
// bytes, R | S, each padded to 32. It is deterministic (RFC 6979): the same second gives the same
// token, and a bad random generator cannot give the key away.
// Owner: the credential.  Thread: one.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace knuckle::crypto {

inline constexpr size_t kKeyFileSizeMax = 16 * 1024;

class Es256Signer {
public:
    // Errc::invalid when it is not PEM, encrypted, no EC private key, damaged, or not on P-256;
    // Error::what says which, and what to do about it.
    [[nodiscard]] static Result<Es256Signer> load(std::string_view pem);

    Es256Signer(Es256Signer&&) noexcept;
    Es256Signer& operator=(Es256Signer&&) noexcept;
    ~Es256Signer();

    // header.claims.signature; 184 characters with Apple's ten-character ids. Errc::invalid when an
    // id is absurdly long or the time is before 1970.
    [[nodiscard]] Result<std::string> sign(std::string_view key_id,
                                           std::string_view team_id,
                                           UnixTime issued_at);

private:
    struct State;
    explicit Es256Signer(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace knuckle::crypto
