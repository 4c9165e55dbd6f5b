// SPDX-License-Identifier: GPL-3.0-or-later
// Fills a database for the gateway, and says what one takes.
//
//     fill DIR TOKENS [TOKENS_PER_ACCOUNT]
//     fill DIR               {"file":..,"in_use":..}, bytes
//
// What is in the file and not in use is free: LMDB never writes over a page that the last commit
// left, and the large batches of a filling leave many.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

#include <lmdb.h>

#include "bench/filled_store.h"

namespace {

void expect_success(int status) {
    if (status != MDB_SUCCESS) throw std::runtime_error(::mdb_strerror(status));
}

void print_size(const std::string& directory) {
    MDB_env* env = nullptr;
    MDB_stat rows{};
    MDB_envinfo file{};
    expect_success(::mdb_env_create(&env));
    expect_success(::mdb_env_open(env, directory.c_str(), MDB_RDONLY, 0));
    expect_success(::mdb_env_stat(env, &rows));
    expect_success(::mdb_env_info(env, &file));
    const size_t pages = rows.ms_branch_pages + rows.ms_leaf_pages + rows.ms_overflow_pages;
    std::printf("{\"file\":%zu,\"in_use\":%zu}\n",
                (file.me_last_pgno + 1) * rows.ms_psize,
                pages * rows.ms_psize);
    ::mdb_env_close(env);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    try {
        if (argc == 2) {
            print_size(argv[1]);
            return 0;
        }
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
