// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cerrno>
#include <set>
#include <string>

#include <catch_amalgamated.hpp>

#include "base/random.h"
#include "store/lmdb_env.h"
#include "store/rows.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

TEST_CASE("A transaction counts only once it is committed", "[store][lmdb_env]") {
    Shelf shelf;
    Env::State& env = shelf.env().state();
    const RowKey key = account_key(id_of("anna"));
    const auto has_row = [&] {
        Transaction txn = shelf.begin_read();
        return must(Rows(txn.get(), env).has(key));
    };
    {
        Transaction txn = shelf.begin_write();
        REQUIRE(Rows(txn.get(), env).put(key, as_bytes("value")));
    }
    CHECK_FALSE(has_row());
    {
        Transaction txn = shelf.begin_write();
        REQUIRE(Rows(txn.get(), env).put(key, as_bytes("value")));
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

TEST_CASE("Keys are compared octet by octet, as LMDB does it itself", "[store][lmdb_env]") {
    const auto sign = [](int order) { return (order > 0) - (order < 0); };
    Random random(1);
    const auto draw = [&] {
        std::string key(1 + random.below(20), '\0');
        for (char& octet : key) octet = "\x00\x01\x7f\x80\xff"[random.below(5)];
        return key;
    };
    for (int round = 0; round < 20'000; ++round) {
        const std::string left = draw();
        // Every other time one that begins in the same way.
        const std::string right = random.below(2) == 0 ? draw() : left + draw();
        const MDB_val left_key = to_val(as_bytes(left));
        const MDB_val right_key = to_val(as_bytes(right));
        REQUIRE(sign(compare_keys(&left_key, &right_key)) == sign(left.compare(right)));
        REQUIRE(sign(compare_keys(&right_key, &left_key)) == sign(right.compare(left)));
        REQUIRE(compare_keys(&left_key, &left_key) == 0);
    }
}
