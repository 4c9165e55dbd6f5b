// SPDX-License-Identifier: GPL-3.0-or-later
// What a Context holds, and what wolfSSL sees of an Engine. Private to this folder, because it
// names wolfSSL's types.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/ssl.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "tls/context.h"

namespace knuckle::tls {

struct FreeContext {
    void operator()(WOLFSSL_CTX* context) const { wolfSSL_CTX_free(context); }
};

struct Context::State {
    std::unique_ptr<WOLFSSL_CTX, FreeContext> ssl_context;
    std::string alpn;
    size_t authorities_loaded = 0;
    bool is_client = false;
};

// The ciphertext of one connection, where wolfSSL expects a socket: it takes from `in` and adds to
// `out`. Given to wolfSSL_SetIOReadCtx and wolfSSL_SetIOWriteCtx.
struct Wire {
    ByteView in;
    Buffer* out;
};

}  // namespace knuckle::tls
