// SPDX-License-Identifier: GPL-3.0-or-later
#include "tls/failure.h"

#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

namespace knuckle::tls {

namespace {

// What can be learned both from a code of our own and from the peer's alert.
constexpr char kNoProtocol[] = "the peer did not agree on the protocol (ALPN)";
constexpr char kNoVersion[] = "no TLS version in common (1.2 and 1.3 are spoken here)";
constexpr char kNoCipher[] = "no cipher suite, curve or kind of signature in common";

const char* words_for_code(int code) {
    switch (code) {
        case ASN_NO_SIGNER_E:
        case ASN_SELF_SIGNED_E:
        case ASN_SIG_CONFIRM_E:
        case ASN_PATHLEN_INV_E:
        case ASN_PATHLEN_SIZE_E:
        case ASN_NAME_INVALID_E:
        case NOT_CA_ERROR:
        case MAX_CHAIN_ERROR:
            return "the peer's certificate is not trusted (no authority of ours vouches for it)";
        case ASN_AFTER_DATE_E:
            return "the peer's certificate has expired";
        case ASN_BEFORE_DATE_E:
            return "the peer's certificate is not valid yet (or this machine's clock is wrong)";
        case DOMAIN_NAME_MISMATCH:
        case IPADDR_MISMATCH:
            return "the peer's certificate is for another name";
        case RSA_KEY_SIZE_E:
        case ECC_KEY_SIZE_E:
            return "the key in the peer's certificate is too short";
        case ASN_PARSE_E:
        case ASN_CRIT_EXT_E:
        case ASN_UNKNOWN_OID_E:
        case ASN_SIG_OID_E:
        case KEYUSE_SIGNATURE_E:
        case KEYUSE_ENCIPHER_E:
        case EXTKEYUSE_AUTH_E:
        case PEER_KEY_ERROR:
        case VERIFY_CERT_ERROR:
            return "the peer's certificate cannot be used here";
        case NO_PEER_CERT:
        case NO_PEER_KEY:
            return "the peer showed no certificate";
        case UNKNOWN_ALPN_PROTOCOL_NAME_E:
            return kNoProtocol;
        case VERSION_ERROR:
            return kNoVersion;
        case MATCH_SUITE_ERROR:
        case UNSUPPORTED_SUITE:
        case ECC_CURVE_ERROR:
            return kNoCipher;
        case AES_GCM_AUTH_E:
        case MAC_CMP_FAILED_E:
        case VERIFY_MAC_ERROR:
        case VERIFY_FINISHED_ERROR:
        case DECRYPT_ERROR:
            return "a TLS record was altered on its way";
        case MEMORY_E:
        case MEMORY_ERROR:
            return "out of memory for TLS";
        default:
            return "the peer broke the rules of TLS";
    }
}

const char* words_for_alert(int alert) {
    switch (alert) {
        case no_certificate:
        case bad_certificate:
        case unsupported_certificate:
        case certificate_revoked:
        case certificate_expired:
        case certificate_unknown:
        case unknown_ca:
        case access_denied:
        case certificate_required:
            return "the peer did not accept our certificate";
        case handshake_failure:
        case insufficient_security:
            return kNoCipher;
        case protocol_version:
            return kNoVersion;
        case unrecognized_name:
            return "the peer does not serve this name (SNI)";
        case no_application_protocol:
            return kNoProtocol;
        default:
            return "the peer ended TLS with an alert";
    }
}

}  // namespace

Error failure_of_code(int code) { return fail(Errc::tls, words_for_code(code), code); }

Error failure_of_alert(int alert) { return fail(Errc::tls, words_for_alert(alert), alert); }

Error no_protocol_agreed() { return fail(Errc::tls, kNoProtocol); }

}  // namespace knuckle::tls
