// SPDX-License-Identifier: GPL-3.0-or-later
// Opens a PKCS#12 file (.p12, .pfx): a certificate and its private key under a password, as
// keychains and openssl export them.
//
//     if (!holds_pem(file)) identity = open_pkcs12(as_bytes(file), password);
//     Context::client({.certificate_pem = identity->certificate_pem, .key_pem = ...});
//
// Read are: no encryption, PBE-SHA1-3DES and PBE-SHA1-RC2-40 (keychains, openssl before 3), PBES2
// with AES-128 or AES-256 in CBC and HMAC-SHA1 or HMAC-SHA256 (openssl 3). Of several keys the
// first one counts. Sources: RFC 7292; RFC 8018 for PBES2.
// Errors: Errc::invalid with words for the operator; detail: wolfCrypt's code, or 0. Limits:
// kPkcs12Max bytes, kPkcs12PasswordMax bytes of password. Thread: any; takes milliseconds on
// purpose, because passwords are stretched.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace knuckle::tls {

inline constexpr size_t kPkcs12Max = 256 * 1024;
inline constexpr size_t kPkcs12PasswordMax = 127;  // wolfCrypt's buffer, in characters

struct PrivateIdentity {
    std::string certificate_pem;  // the key's own first, then the others in the file's order
    std::string key_pem;          // not encrypted
};

// Whether a file is PEM text, which has its own way into a Context.
[[nodiscard]] bool holds_pem(std::string_view file);

[[nodiscard]] Result<PrivateIdentity> open_pkcs12(ByteView file, std::string_view password);

}  // namespace knuckle::tls
