/* wolfSSL build configuration. Every translation unit of the library and of
 * the product is compiled with -DWOLFSSL_USER_SETTINGS and this directory on
 * the include path: struct layouts depend on it, so there is no options.h. */
#ifndef KNUCKLE_WOLFSSL_USER_SETTINGS_H
#define KNUCKLE_WOLFSSL_USER_SETTINGS_H

/* ---- platform ---------------------------------------------------------- */
#define HAVE_PTHREAD 1
#define HAVE___UINT128_T 1
#define HAVE_THREAD_LS          /* __thread */
#define HAVE_SYS_TIME_H 1
#define HAVE_GMTIME_R 1
#define _REENTRANT
#define WOLFSSL_USE_ALIGN
#define WOLFSSL_GETRANDOM       /* getrandom(2); no fd for /dev/urandom */
#define HAVE_GETRANDOM 1
#define HAVE_SYS_RANDOM_H 1
#define HAVE_HASHDRBG
#define WOLFSSL_USER_IO         /* all I/O goes through our own callbacks */
#define WOLFSSL_IGNORE_FILE_WARN
#define NO_WRITE_TEMP_FILES
#define WOLFSSL_ASN_TEMPLATE

/* ---- protocol ---------------------------------------------------------- */
#define WOLFSSL_TLS13
#define NO_OLD_TLS              /* nothing below TLS 1.2 */
#define HAVE_TLS_EXTENSIONS
#define HAVE_SUPPORTED_CURVES
#define HAVE_EXTENDED_MASTER
#define HAVE_SERVER_RENEGOTIATION_INFO
#define HAVE_SNI
#define HAVE_ALPN
#define HAVE_SESSION_TICKET
#define WOLFSSL_TICKET_HAVE_ID
#define HAVE_MAX_FRAGMENT
#define HAVE_OCSP
#define HAVE_CERTIFICATE_STATUS_REQUEST     /* client side stapling */
#define WOLFSSL_ALT_CERT_CHAINS             /* cross-signed chains */
#define WOLFSSL_IP_ALT_NAME
#define WOLFSSL_ALWAYS_VERIFY_CB
#define WOLFSSL_EITHER_SIDE
#define HAVE_EX_DATA                        /* wolfSSL_set_ex_data */
#define WOLFSSL_SYS_CA_CERTS                /* wolfSSL_CTX_load_system_CA_certs */
#define HAVE_KEYING_MATERIAL                /* RFC 5705 exporter (channel binding) */
#define WOLFSSL_DER_LOAD
#define NO_SESSION_CACHE_REF

/* ---- algorithms: on ---------------------------------------------------- */
#define HAVE_ECC
#define ECC_USER_CURVES
#define HAVE_ECC384
#define ECC_SHAMIR
#define ECC_TIMING_RESISTANT
#define WOLFSSL_ECDSA_DETERMINISTIC_K       /* RFC 6979, usable per key */
/* 5.9 checks that imported public keys lie on the curve, which on P-256/384
 * (cofactor 1) is the whole check; 5.7 does so only with this macro, which adds
 * a scalar multiplication (45 us) to every import.  The smoke test proves it. */
#include <wolfssl/version.h>
#if LIBWOLFSSL_VERSION_HEX < 0x05009000
#define WOLFSSL_VALIDATE_ECC_IMPORT
#endif
#define HAVE_COMP_KEY
#define HAVE_CURVE25519
#define HAVE_ED25519
#define WC_RSA_BLINDING
#define WC_RSA_PSS
#define WOLFSSL_PSS_LONG_SALT
#define TFM_TIMING_RESISTANT
#define HAVE_AESGCM
#define GCM_TABLE_4BIT                      /* only used without AES-NI */
#define WOLFSSL_AES_DIRECT
#define WOLFSSL_AESGCM_STREAM
#define HAVE_CHACHA
#define HAVE_POLY1305
#define HAVE_ONE_TIME_AUTH
#define WOLFSSL_SHA224
#define WOLFSSL_SHA384
#define WOLFSSL_SHA512
#define HAVE_HKDF
#define HAVE_PBKDF2
#define HAVE_SCRYPT
#define HAVE_PKCS8
#define WOLFSSL_ENCRYPTED_KEYS
#define WOLFSSL_PEM_TO_DER
#define WOLFSSL_DER_TO_PEM
#define WOLFSSL_BASE64_ENCODE
#define WOLFSSL_KEY_GEN                     /* VAPID keys, tests */
#define WOLFSSL_CERT_GEN                    /* self-signed certs for tests */
#define WOLFSSL_CERT_EXT
#define WOLFSSL_ALT_NAMES

/* ---- algorithms: off --------------------------------------------------- */
#define NO_DSA
#define NO_DH
#define NO_RC4
#define NO_MD4
#define NO_MD5
#define NO_PSK
#define NO_OLD_POLY1305                     /* the pre-RFC 7905 draft suites */
#define WOLFSSL_NO_SHAKE128
#define WOLFSSL_NO_SHAKE256
#define WOLFSSL_AEAD_ONLY                   /* no CBC suites */

/* ---- PKCS#12, for reading client certificates ---------------------------- */
/* What keychains export is under 3DES and RC2-40. Neither may come near TLS:
 * WOLFSSL_AEAD_ONLY keeps out all CBC, this one 3DES in particular. */
#define NO_DES3_TLS_SUITES
#define WC_RC2

/* ---- maths and assembly ------------------------------------------------ */
#define WOLFSSL_SP_MATH_ALL                 /* generic fallback for odd sizes */
#define SP_INT_BITS 4096
/* The three switches below exist for measurements and for odd CPUs. */
#ifndef WOLFSSL_PLAIN_MATH                  /* single-precision P-256/384, RSA 2048-4096 */
#define WOLFSSL_HAVE_SP_ECC
#define WOLFSSL_HAVE_SP_RSA
#define WOLFSSL_SP_384
#define WOLFSSL_SP_4096
#define WOLFSSL_SP_LARGE_CODE
#if defined(__x86_64__) && !defined(WOLFSSL_PLAIN_SP)
#define WOLFSSL_SP_ASM
#define WOLFSSL_SP_X86_64_ASM
#endif
#endif
#if defined(__x86_64__) && !defined(WOLFSSL_PLAIN_CIPHERS)
#ifndef WOLFSSL_X86_64_BUILD
#define WOLFSSL_X86_64_BUILD
#endif
#define USE_INTEL_SPEEDUP                   /* AVX/AVX2/BMI2/ADX, chosen at run time */
#define WOLFSSL_CURVE25519_USE_ED25519      /* X25519 keygen from the Ed25519 base tables */
#define WOLFSSL_AESNI
#elif defined(WOLFSSL_PLAIN_CIPHERS)
#define NO_CURVED25519_X64
#endif

#endif
