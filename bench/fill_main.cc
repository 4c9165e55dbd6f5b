// SPDX-License-Identifier: GPL-3.0-or-later
// Fills a database for the gateway: fill DIR TOKENS [TOKENS_PER_ACCOUNT].
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "bench/filled_store.h"

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    try {
        static_cast<void>(knuckle::bench::fill_store(
            argv[1],
            {.tokens = std::strtoull(argv[2], nullptr, 10),
             .tokens_per_account = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 10}));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "fill: %s\n", error.what());
        return 1;
    }
    return 0;
}
