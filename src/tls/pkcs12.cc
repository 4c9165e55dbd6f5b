// SPDX-License-Identifier: GPL-3.0-or-later
#include "tls/pkcs12.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/pkcs12.h>
#include <wolfssl/wolfcrypt/rsa.h>

namespace knuckle::tls {

namespace {

struct FreePkcs12 {
    void operator()(WC_PKCS12* file) const { wc_PKCS12_free(file); }
};
struct FreeCertificates {
    void operator()(WC_DerCertList* list) const { wc_FreeCertList(list, nullptr); }
};
struct FreeBytes {
    void operator()(byte* bytes) const { XFREE(bytes, nullptr, DYNAMIC_TYPE_PKCS); }
};

// What wolfCrypt hands out, owned.
struct Contents {
    std::unique_ptr<byte, FreeBytes> key;
    std::unique_ptr<byte, FreeBytes> certificate;
    std::unique_ptr<WC_DerCertList, FreeCertificates> others;
    word32 key_size = 0;
    word32 certificate_size = 0;
};

Error damaged(int code) {
    return fail(Errc::invalid, "is no PKCS#12 file, or is damaged or cut short", code);
}

// wolfCrypt checks the MAC before all else, so that whatever fails later fails under the right
// password, unless there is no MAC. An unknown pseudo-random function of PBES2 it takes for SHA-1,
// and stumbles over what it then decrypts: the code says little.
Error why(int code) {
    switch (code) {
        case MAC_CMP_FAILED_E:
            return fail(Errc::invalid, "cannot be opened with this password, or is damaged", code);
        case MEMORY_E:
            return fail(Errc::limit, "needs more memory than there is", code);
        default:
            return fail(Errc::invalid,
                        "cannot be decrypted: its encryption is not read here, or it has no MAC "
                        "and another password; write it anew with: openssl pkcs12 -legacy -nodes "
                        "-in FILE.p12 -out all.pem && openssl pkcs12 -export -in all.pem -out "
                        "NEW.p12 && rm all.pem",
                        code);
    }
}

Result<Contents> unpack(WC_PKCS12* file, const std::string& password) {
    Contents contents;
    byte* key = nullptr;
    byte* certificate = nullptr;
    WC_DerCertList* others = nullptr;
    const int result = wc_PKCS12_parse(file,
                                       password.c_str(),
                                       &key,
                                       &contents.key_size,
                                       &certificate,
                                       &contents.certificate_size,
                                       &others);
    // Nothing is left to free after an error.
    if (result != 0) return why(result);
    contents.key.reset(key);
    contents.certificate.reset(certificate);
    contents.others.reset(others);
    return contents;
}

Result<std::string> to_pem(const byte* der, word32 size, int type) {
    std::string pem(2 * size_t{size} + 128, '\0');
    const int written = wc_DerToPem(
        der, size, reinterpret_cast<byte*>(pem.data()), static_cast<word32>(pem.size()), type);
    if (written <= 0) return damaged(written);
    pem.resize(static_cast<size_t>(written));
    return pem;
}

bool is_rsa(const byte* der, word32 size) {
    RsaKey key;
    if (wc_InitRsaKey(&key, nullptr) != 0) return false;
    word32 at = 0;
    const bool is_read = wc_RsaPrivateKeyDecode(der, &at, &key, size) == 0;
    wc_FreeRsaKey(&key);
    return is_read;
}

}  // namespace

bool holds_pem(std::string_view file) { return file.find("-----BEGIN ") != std::string_view::npos; }

Result<PrivateIdentity> open_pkcs12(ByteView file, std::string_view password) {
    if (file.size() > kPkcs12Max) return fail(Errc::limit, "is larger than 256 KiB");
    if (password.size() > kPkcs12PasswordMax)
        return fail(Errc::invalid, "has a password of more than 127 characters");
    // RFC 7292 wants UTF-16 in one place and PBES2 the bytes in another; for ASCII they agree.
    const auto is_ascii = [](char c) { return c > '\0' && c < '\x7f'; };
    if (!std::ranges::all_of(password, is_ascii))
        return fail(Errc::invalid, "needs a password of ASCII characters alone");

    const std::unique_ptr<WC_PKCS12, FreePkcs12> reader(wc_PKCS12_new());
    if (!reader) return why(MEMORY_E);
    const int result = wc_d2i_PKCS12(file.data(), static_cast<word32>(file.size()), reader.get());
    if (result != 0) return damaged(result);
    const Contents contents = KNUCKLE_TRY(unpack(reader.get(), std::string(password)));
    if (!contents.key)
        return fail(Errc::invalid, "holds no private key; export the certificate with its key");
    if (!contents.certificate)
        return fail(Errc::invalid, "holds no certificate that belongs to its private key");

    PrivateIdentity identity;
    const int type =
        is_rsa(contents.key.get(), contents.key_size) ? PRIVATEKEY_TYPE : ECC_PRIVATEKEY_TYPE;
    identity.key_pem = KNUCKLE_TRY(to_pem(contents.key.get(), contents.key_size, type));
    identity.certificate_pem =
        KNUCKLE_TRY(to_pem(contents.certificate.get(), contents.certificate_size, CERT_TYPE));
    for (const WC_DerCertList* other = contents.others.get(); other != nullptr; other = other->next)
        identity.certificate_pem += KNUCKLE_TRY(to_pem(other->buffer, other->bufferSz, CERT_TYPE));
    return identity;
}

}  // namespace knuckle::tls
