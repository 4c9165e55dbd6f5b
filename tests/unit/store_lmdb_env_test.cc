// SPDX-License-Identifier: GPL-3.0-or-later
#include <cerrno>
#include <set>
#include <string>

#include <catch_amalgamated.hpp>

#include "store/lmdb_env.h"
#include "store/rows.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

TEST_CASE("A transaction counts only once it is committed", "[store][lmdb_env]") {
    Shelf shelf;
    const Env::State& env = shelf.env().state();
    const RowKey key = account_key(id_of("anna"));
    const auto has_row = [&] {
        Transaction txn = shelf.begin_read();
        return must(Rows(txn.get(), env.tree).has(key));
    };
    {
        Transaction txn = shelf.begin_write();
        REQUIRE(Rows(txn.get(), env.tree).put(key, as_bytes("value")));
    }
    CHECK_FALSE(has_row());
    {
        Transaction txn = shelf.begin_write();
        REQUIRE(Rows(txn.get(), env.tree).put(key, as_bytes("value")));
        Transaction moved = std::move(txn);
        CHECK(txn.get() == nullptr);
        CHECK(moved.commit());
    }
    CHECK(has_row());
}

TEST_CASE("Each way the storage fails has its own words", "[store][lmdb_env]") {
    std::set<std::string> texts;
    for (const int code : {MDB_MAP_FULL,
                           ENOSPC,
                           EIO,
                           EROFS,
                           MDB_PANIC,
                           MDB_READERS_FULL,
                           MDB_CORRUPTED,
                           MDB_BAD_TXN}) {
        const Error error = storage_error(code);
        CHECK(error.code == Errc::storage);
        CHECK(error.detail == code);
        texts.insert(error.what);
    }
    CHECK(texts.size() == 8);
    CHECK(std::string(storage_error(EFBIG).what) == storage_error(ENOSPC).what);
}
