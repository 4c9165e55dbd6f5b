// SPDX-License-Identifier: GPL-3.0-or-later
#include <set>
#include <string>

#include <catch_amalgamated.hpp>

#include "store/vault.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

std::optional<std::string> opened(Vault& vault, const RowKey& key, ByteView sealed) {
    PlainBytes storage;
    const auto plain = vault.open(key.view(), sealed, storage);
    if (!plain) return std::nullopt;
    return std::string(as_text(*plain));
}

}  // namespace

TEST_CASE("A name is found under its app, its table and its key only", "[store][vault]") {
    Vault vault(some_keys(1));
    Vault other(some_keys(2));
    const std::set<LookupHash> hashes = {
        vault.hash(Table::tokens, "chat", "abc"),
        vault.hash(Table::tokens, "chatt", "abc"),
        vault.hash(Table::tokens, "cha", "tabc"),
        vault.hash(Table::tokens, "chat", "abd"),
        vault.hash(Table::tokens, "", "abc"),
        vault.hash(Table::auth_tokens, "chat", "abc"),
        vault.hash(Table::usernames, "chat", "abc"),
        other.hash(Table::tokens, "chat", "abc"),
    };
    CHECK(hashes.size() == 8);
    CHECK(hashes.contains(vault.hash(Table::tokens, "chat", "abc")));
}

TEST_CASE("A sealed value opens for its row and with its key, whole and unchanged",
          "[store][vault]") {
    Vault vault(some_keys(1));
    Vault other(some_keys(2));
    crypto::SecureRandom random(crypto::SecureRandom::Seed{1});
    const RowKey key = account_key(id_of("anna"));
    SealedBytes storage;
    const ByteView value = vault.seal(key.view(), as_bytes("a secret"), random, storage);
    std::string sealed(as_text(value));

    CHECK(sealed.size() == 8 + kSealOverhead);
    CHECK(sealed.find("secret") == std::string::npos);
    CHECK(opened(vault, key, as_bytes(sealed)) == "a secret");
    CHECK(vault.seal(key.view(), {}, random, storage).size() == kSealOverhead);

    CHECK_FALSE(opened(vault, account_key(id_of("bob")), as_bytes(sealed)));
    CHECK_FALSE(opened(vault, devices_of(id_of("anna")), as_bytes(sealed)));  // another table
    CHECK_FALSE(opened(other, key, as_bytes(sealed)));
    for (size_t size = 0; size < sealed.size(); ++size) {
        CHECK_FALSE(opened(vault, key, as_bytes(sealed).first(size)));
    }
    CHECK_FALSE(opened(vault, key, as_bytes(std::string(kPlainMax + kSealOverhead + 1, '\1'))));
    for (char& byte : sealed) {
        byte = static_cast<char>(byte ^ 0x10);
        CHECK_FALSE(opened(vault, key, as_bytes(sealed)));
        byte = static_cast<char>(byte ^ 0x10);
    }
}

TEST_CASE("While a key retires, both open what they have sealed, and the new one seals",
          "[store][vault]") {
    Keys keys = some_keys(1);
    Vault old_vault(keys);
    keys.retiring = keys.current;
    keys.current = a_seal_key(2, 9);
    Vault vault(keys);
    keys.retiring.reset();
    Vault new_vault(keys);
    crypto::SecureRandom random(crypto::SecureRandom::Seed{1});
    const RowKey key = account_key(id_of("anna"));
    SealedBytes storage;
    const std::string before(
        as_text(old_vault.seal(key.view(), as_bytes("before"), random, storage)));
    const std::string after(as_text(vault.seal(key.view(), as_bytes("after"), random, storage)));

    CHECK(key_id_of(as_bytes(before)) == 1);
    CHECK(key_id_of(as_bytes(after)) == 2);
    CHECK(opened(vault, key, as_bytes(before)) == "before");
    CHECK(opened(vault, key, as_bytes(after)) == "after");
    CHECK(opened(new_vault, key, as_bytes(after)) == "after");
    CHECK_FALSE(opened(new_vault, key, as_bytes(before)));
    CHECK_FALSE(opened(old_vault, key, as_bytes(after)));
    // The number alone opens nothing.
    std::string renamed = before;
    renamed[0] = 2;
    CHECK_FALSE(opened(vault, key, as_bytes(renamed)));
    CHECK_FALSE(key_id_of(as_bytes(before).first(kSealOverhead - 1)));
}
