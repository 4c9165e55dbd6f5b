// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/certificates.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>

#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/pkcs12.h>
#include <wolfssl/wolfcrypt/pwdbased.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/rsa.h>

namespace knuckle::test {

namespace {

using Bytes = std::vector<uint8_t>;

constexpr word32 kRoom = 8192;

// wolfCrypt's way of saying how much it wrote, or why it did not.
word32 checked(int result, const char* what) {
    if (result < 0) {
        throw std::runtime_error(std::string("certificates: ") + what + " failed with " +
                                 std::to_string(result));
    }
    return static_cast<word32>(result);
}

WC_RNG& random() {
    struct Source {
        WC_RNG rng;
        Source() {
            wolfSSL_Init();
            checked(wc_InitRng(&rng), "seeding");
        }
        ~Source() { wc_FreeRng(&rng); }
    };
    static thread_local Source source;
    return source.rng;
}

// A key pair, in whichever of wolfCrypt's two types.
class Key {
public:
    explicit Key(KeyKind kind) : kind_(kind) {
        init();
        if (kind == KeyKind::p256) {
            checked(wc_ecc_make_key_ex(&random(), 32, &ecc_, ECC_SECP256R1), "making a key");
        } else {
            checked(wc_MakeRsaKey(&rsa_, 2048, WC_RSA_EXPONENT, &random()), "making a key");
        }
    }
    Key(KeyKind kind, const Bytes& pkcs8) : kind_(kind) {
        init();
        word32 at = 0;
        const auto size = static_cast<word32>(pkcs8.size());
        checked(kind == KeyKind::p256 ? wc_EccPrivateKeyDecode(pkcs8.data(), &at, &ecc_, size)
                                      : wc_RsaPrivateKeyDecode(pkcs8.data(), &at, &rsa_, size),
                "reading a key");
    }
    Key(const Key&) = delete;
    Key& operator=(const Key&) = delete;
    ~Key() {
        if (kind_ == KeyKind::p256) {
            wc_ecc_free(&ecc_);
        } else {
            wc_FreeRsaKey(&rsa_);
        }
    }

    void* get() { return kind_ == KeyKind::p256 ? static_cast<void*>(&ecc_) : &rsa_; }
    [[nodiscard]] int type() const { return kind_ == KeyKind::p256 ? ECC_TYPE : RSA_TYPE; }
    [[nodiscard]] int signature() const {
        return kind_ == KeyKind::p256 ? CTC_SHA256wECDSA : CTC_SHA256wRSA;
    }

    Bytes pkcs8() {
        Bytes to(kRoom);
        word32 size = kRoom;
        if (kind_ == KeyKind::p256) {
            checked(wc_EccKeyToPKCS8(&ecc_, to.data(), &size), "writing a key");
        } else {
            Bytes plain(kRoom);
            const word32 used =
                checked(wc_RsaKeyToDer(&rsa_, plain.data(), kRoom), "writing a key");
            checked(wc_CreatePKCS8Key(to.data(), &size, plain.data(), used, RSAk, nullptr, 0),
                    "writing a key");
        }
        to.resize(size);
        return to;
    }

private:
    void init() {
        checked(kind_ == KeyKind::p256 ? wc_ecc_init(&ecc_) : wc_InitRsaKey(&rsa_, nullptr),
                "a key");
        if (kind_ == KeyKind::rsa2048) wc_RsaSetRNG(&rsa_, &random());
    }

    KeyKind kind_;
    union {
        ecc_key ecc_;
        RsaKey rsa_;
    };
};

std::string to_pem(const Bytes& der, int type) {
    std::string pem(2 * der.size() + 128, '\0');
    const word32 size = checked(wc_DerToPem(der.data(),
                                            static_cast<word32>(der.size()),
                                            reinterpret_cast<byte*>(pem.data()),
                                            static_cast<word32>(pem.size()),
                                            type),
                                "writing PEM");
    pem.resize(size);
    return pem;
}

// Tag, length below 64 KiB, content.
Bytes encode(uint8_t tag, std::span<const uint8_t> content) {
    Bytes der{tag};
    if (content.size() >= 0x80) der.push_back(content.size() > 0xff ? 0x82 : 0x81);
    if (content.size() > 0xff) der.push_back(static_cast<uint8_t>(content.size() >> 8));
    der.push_back(static_cast<uint8_t>(content.size()));
    der.insert(der.end(), content.begin(), content.end());
    return der;
}

std::span<const uint8_t> bytes(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// GeneralNames: dNSName is [2], iPAddress is [7] (RFC 5280 section 4.2.1.6).
Bytes encode_alt_names(const std::vector<std::string>& names) {
    Bytes all;
    for (const std::string& name : names) {
        std::array<uint8_t, 16> address{};
        Bytes one;
        if (inet_pton(AF_INET, name.c_str(), address.data()) == 1) {
            one = encode(0x87, std::span(address).first(4));
        } else if (inet_pton(AF_INET6, name.c_str(), address.data()) == 1) {
            one = encode(0x87, address);
        } else {
            one = encode(0x82, bytes(name));
        }
        all.insert(all.end(), one.begin(), one.end());
    }
    return encode(0x30, all);
}

void append(Bytes& to, std::span<const uint8_t> bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}

// Cuts the next element out of `rest`, whole; `content` is what it holds. Lengths below 64 KiB.
std::span<const uint8_t> cut_element(std::span<const uint8_t>& rest,
                                     std::span<const uint8_t>& content) {
    size_t begin = 2;
    size_t size = rest[1];
    if (size >= 0x80) {
        const size_t count = size & 0x7f;
        size = 0;
        for (size_t i = 0; i < count; ++i) size = size << 8 | rest[begin++];
    }
    content = rest.subspan(begin, size);
    const auto whole = rest.first(begin + size);
    rest = rest.subspan(begin + size);
    return whole;
}

// Apple's list of topics, each with what it is for.
Bytes encode_topics(const std::vector<std::string>& topics) {
    constexpr std::array<uint8_t, 10> kOid{
        0x2a, 0x86, 0x48, 0x86, 0xf7, 0x63, 0x64, 0x06, 0x03, 0x06};
    Bytes list;
    for (const std::string& topic : topics) {
        append(list, encode(0x0c, bytes(topic)));
        append(list, encode(0x30, encode(0x0c, bytes("app"))));
    }
    Bytes extension = encode(0x06, kOid);
    append(extension, encode(0x04, encode(0x30, list)));
    return encode(0x30, extension);
}

// wolfSSL writes no extension that it does not know: what is to be signed gets one more.
Bytes add_extension(std::span<const uint8_t> body, const Bytes& extension) {
    std::span<const uint8_t> fields;
    cut_element(body, fields);
    Bytes written;
    while (!fields.empty()) {
        std::span<const uint8_t> content;
        const bool is_extensions = fields[0] == 0xa3;
        const auto whole = cut_element(fields, content);
        if (!is_extensions) {
            append(written, whole);
            continue;
        }
        std::span<const uint8_t> old;
        cut_element(content, old);
        Bytes all(old.begin(), old.end());
        append(all, extension);
        append(written, encode(0xa3, encode(0x30, all)));
    }
    return encode(0x30, written);
}

void set_date(byte* to, int& size, std::string_view utc_time) {
    const Bytes der = encode(0x17, bytes(utc_time));
    std::copy(der.begin(), der.end(), to);
    size = static_cast<int>(der.size());
}

void set_validity(Cert& cert, Validity validity) {
    const bool is_late = validity == Validity::expired;
    const bool is_early = validity == Validity::not_yet;
    set_date(cert.beforeDate, cert.beforeDateSz, is_early ? "480101000000Z" : "200101000000Z");
    set_date(cert.afterDate, cert.afterDateSz, is_late ? "210101000000Z" : "491231235959Z");
}

void set_name(CertName& to, std::string_view name) {
    const size_t size = std::min(name.size(), sizeof(to.commonName) - 1);
    std::memcpy(to.commonName, name.data(), size);
    to.commonName[size] = '\0';
}

struct Subject {
    std::string_view name;
    const std::vector<std::string>* alt_names = nullptr;
    bool is_authority = false;
    const char* purpose = nullptr;
    const std::vector<std::string>* topics = nullptr;
};

// Without an issuer the certificate is self-signed.
Bytes make_certificate(const Subject& subject,
                       Key& key,
                       Validity validity,
                       const Authority* issuer) {
    const auto cert = std::make_unique<Cert>();
    checked(wc_InitCert(cert.get()), "starting a certificate");
    set_name(cert->subject, subject.name);
    set_name(cert->issuer, issuer != nullptr ? issuer->name : subject.name);
    set_validity(*cert, validity);
    cert->isCA = subject.is_authority;
    cert->selfSigned = issuer == nullptr;
    checked(wc_SetKeyUsage(cert.get(), subject.is_authority ? "keyCertSign" : "digitalSignature"),
            "a key usage");
    if (subject.purpose != nullptr)
        checked(wc_SetExtKeyUsage(cert.get(), subject.purpose), "a purpose");
    if (subject.alt_names != nullptr) {
        const Bytes names = encode_alt_names(*subject.alt_names);
        if (names.size() > sizeof(cert->altNames)) throw std::runtime_error("certificates: names");
        std::copy(names.begin(), names.end(), cert->altNames);
        cert->altNamesSz = static_cast<int>(names.size());
    }
    checked(wc_SetSubjectKeyIdFromPublicKey_ex(cert.get(), key.type(), key.get()), "a key id");
    if (issuer != nullptr) {
        const Bytes& der = issuer->certificate;
        checked(wc_SetAuthKeyIdFromCert(cert.get(), der.data(), static_cast<int>(der.size())),
                "an authority's key id");
    }

    std::unique_ptr<Key> issuer_key;
    if (issuer != nullptr) issuer_key = std::make_unique<Key>(issuer->kind, issuer->key);
    Key& signer = issuer_key ? *issuer_key : key;
    cert->sigType = signer.signature();
    Bytes der(kRoom);
    checked(wc_MakeCert_ex(cert.get(), der.data(), kRoom, key.type(), key.get(), &random()),
            "making a certificate");
    if (subject.topics != nullptr && !subject.topics->empty()) {
        const auto size = static_cast<size_t>(cert->bodySz);
        const Bytes body =
            add_extension(std::span(der).first(size), encode_topics(*subject.topics));
        std::copy(body.begin(), body.end(), der.begin());
        cert->bodySz = static_cast<int>(body.size());
    }
    der.resize(checked(
        wc_SignCert_ex(
            cert->bodySz, cert->sigType, der.data(), kRoom, signer.type(), signer.get(), &random()),
        "signing a certificate"));
    return der;
}

Authority authority_from(std::string_view name, const Issue& issue, const Authority* issuer) {
    Key key(issue.key);
    Authority authority;
    authority.name = name;
    authority.kind = issue.key;
    authority.key = key.pkcs8();
    authority.certificate =
        make_certificate({.name = name, .is_authority = true}, key, issue.validity, issuer);
    authority.certificate_pem = to_pem(authority.certificate, CERT_TYPE);
    if (issuer != nullptr) authority.chain_pem = authority.certificate_pem + issuer->chain_pem;
    return authority;
}

Identity identity_from(const Subject& subject, const Issue& issue, const Authority& authority) {
    Key key(issue.key);
    const Bytes der = make_certificate(subject, key, issue.validity, &authority);
    return {.certificate_pem = to_pem(der, CERT_TYPE) + authority.chain_pem,
            .key_pem = to_pem(key.pkcs8(), PKCS8_PRIVATEKEY_TYPE)};
}

Bytes to_der(std::string_view pem, int type) {
    Bytes der(pem.size());
    const int size = type == CERT_TYPE ? wc_CertPemToDer(bytes(pem).data(),
                                                         static_cast<int>(pem.size()),
                                                         der.data(),
                                                         static_cast<int>(der.size()),
                                                         type)
                                       : wc_KeyPemToDer(bytes(pem).data(),
                                                        static_cast<int>(pem.size()),
                                                        der.data(),
                                                        static_cast<int>(der.size()),
                                                        nullptr);
    der.resize(checked(size, "reading PEM"));
    return der;
}

}  // namespace

Authority make_authority(std::string_view name, const Issue& issue) {
    return authority_from(name, issue, nullptr);
}

Authority make_intermediate(const Authority& issuer, std::string_view name, const Issue& issue) {
    return authority_from(name, issue, &issuer);
}

Identity issue_server(const Authority& authority,
                      const std::vector<std::string>& names,
                      const Issue& issue) {
    // A subject of its own, so that a host name is never found there by mistake.
    return identity_from(
        {.name = "Knuckle Test Server", .alt_names = &names, .purpose = "serverAuth"},
        issue,
        authority);
}

Identity issue_client(const Authority& authority, std::string_view name, const Issue& issue) {
    return identity_from(
        {.name = name, .purpose = "clientAuth", .topics = &issue.topics}, issue, authority);
}

std::string export_pkcs12(const Identity& identity, const std::string& password) {
    constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
    Bytes leaf = to_der(identity.certificate_pem, CERT_TYPE);
    Bytes pkcs8 = to_der(identity.key_pem, PRIVATEKEY_TYPE);
    word32 at = 0;
    const word32 key_size =
        checked(wc_GetPkcs8TraditionalOffset(pkcs8.data(), &at, static_cast<word32>(pkcs8.size())),
                "reading a key");
    Bytes key(pkcs8.begin() + at, pkcs8.begin() + at + key_size);
    std::vector<Bytes> intermediates;
    std::string_view rest = identity.certificate_pem;
    for (rest.remove_prefix(rest.find(kEnd) + kEnd.size()); rest.find(kEnd) != rest.npos;
         rest.remove_prefix(rest.find(kEnd) + kEnd.size()))
        intermediates.push_back(to_der(rest, CERT_TYPE));
    std::vector<WC_DerCertList> list(intermediates.size());
    for (size_t i = 0; i < list.size(); ++i) {
        list[i] = {.buffer = intermediates[i].data(),
                   .bufferSz = static_cast<word32>(intermediates[i].size()),
                   .next = i + 1 < list.size() ? &list[i + 1] : nullptr};
    }
    std::string secret = password;
    std::string name = "knuckle";
    const std::unique_ptr<WC_PKCS12, decltype(&wc_PKCS12_free)> file(
        wc_PKCS12_create(secret.data(),
                         static_cast<word32>(secret.size()),
                         name.data(),
                         key.data(),
                         static_cast<word32>(key.size()),
                         leaf.data(),
                         static_cast<word32>(leaf.size()),
                         list.empty() ? nullptr : list.data(),
                         PBE_SHA1_DES3,
                         PBE_SHA1_DES3,
                         WC_PKCS12_ITT_DEFAULT,
                         WC_PKCS12_ITT_DEFAULT,
                         0,
                         nullptr),
        &wc_PKCS12_free);
    if (!file) throw std::runtime_error("certificates: writing PKCS#12 failed");
    byte* der = nullptr;
    int unused = 0;
    const word32 size = checked(wc_i2d_PKCS12(file.get(), &der, &unused), "writing PKCS#12");
    std::string written(reinterpret_cast<const char*>(der), size);
    XFREE(der, nullptr, DYNAMIC_TYPE_PKCS);
    return written;
}

}  // namespace knuckle::test
