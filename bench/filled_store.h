// SPDX-License-Identifier: GPL-3.0-or-later
// A database as the gateway would have written it, with as many tokens as wanted.
//
//     store::Env env = fill_store(directory, {.tokens = 1'000'000});     with its store.key
//     token_text(n)                                                      0 <= n < tokens
//
// Numbers decide names, so that a benchmark needs no list of names that it would have to read from
// memory. One APNs device to an account; an account's tokens lie as far apart as if they had been
// asked for over months. Throws std::runtime_error.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>

#include "base/time.h"
#include "store/env.h"

namespace knuckle::bench {

struct Filling {
    uint64_t tokens = 0;          // that live
    uint64_t expired_tokens = 0;  // numbers from `tokens` on
    uint64_t tokens_per_account = 10;
    UnixTime now = from_unix_seconds(::time(nullptr));
};

inline constexpr const char* kApp = "chat";

[[nodiscard]] store::Env fill_store(const std::string& directory, const Filling& filling);
[[nodiscard]] std::string token_text(uint64_t number);

}  // namespace knuckle::bench
