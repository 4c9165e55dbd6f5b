// SPDX-License-Identifier: GPL-3.0-or-later
#include <cstring>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include <catch_amalgamated.hpp>

#include "store/env.h"
#include "store/lmdb_env.h"
#include "store/rows.h"
#include "store/schema.h"
#include "store/vault.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

EnvOptions options_for(const TempDirectory& directory, uint8_t key = 1) {
    return {.directory = directory.path(),
            .keys = some_keys(key),
            .now = kNoon,
            .map_size = Shelf::kMapSize};
}

Error refusal(const EnvOptions& options) {
    const auto env = Env::open(options);
    REQUIRE_FALSE(env);
    return env.error();
}

std::string complaint(const EnvOptions& options) { return refusal(options).what; }

}  // namespace

TEST_CASE("A new directory becomes a database that is found again", "[store][env]") {
    const TempDirectory directory;
    CHECK_FALSE(Env::exists(directory.path()));
    {
        auto env = Env::open(options_for(directory));
        REQUIRE(env);
        env->warm_up();
        CHECK(Env::exists(directory.path()));
        Env moved = std::move(*env);
        moved.warm_up();
    }
    CHECK(Env::open(options_for(directory)));
    struct stat status;
    REQUIRE(::stat((directory / "data.mdb").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("A start that was killed while it made the database can be repeated", "[store][env]") {
    const TempDirectory directory;
    SECTION("before LMDB wrote anything") { write_file(directory / "data.mdb", ""); }
    SECTION("before the first row") {
        MDB_env* env = nullptr;
        REQUIRE(mdb_env_create(&env) == 0);
        REQUIRE(mdb_env_open(env, directory.path().c_str(), 0, 0600) == 0);
        mdb_env_close(env);
    }
    CHECK(Env::open(options_for(directory)));
    CHECK(Env::open(options_for(directory)));
}

TEST_CASE("One process serves from a directory at a time", "[store][env]") {
    const TempDirectory directory;
    {
        const auto env = Env::open(options_for(directory));
        REQUIRE(env);
        const Error error = refusal(options_for(directory));
        CHECK(error.code == Errc::unavailable);
        CHECK(std::string(error.what) ==
              "another process serves from the data directory; stop it or use another one");
    }
    CHECK(Env::open(options_for(directory)));
}

TEST_CASE("A directory that cannot be used says why", "[store][env]") {
    const TempDirectory directory;
    EnvOptions options = options_for(directory);
    options.directory = directory / "missing";
    CHECK(complaint(options) == "the data directory does not exist; create it");
    write_file(directory / "file", "");
    options.directory = directory / "file";
    CHECK(complaint(options) == "the data directory is not a directory");
    options.directory = directory / "file/below";
    CHECK(complaint(options) == "cannot use the data directory");
    if (::geteuid() != 0) {
        REQUIRE(::chmod(directory.path().c_str(), 0500) == 0);
        CHECK(complaint(options_for(directory)) == "cannot write to the data directory");
        REQUIRE(::chmod(directory.path().c_str(), 0700) == 0);
    }
    options.directory = "/proc/self";
    CHECK(complaint(options) == "cannot write to the data directory");
}

TEST_CASE("Somebody else's keys do not open the database, and do not harm it", "[store][env]") {
    const TempDirectory directory;
    REQUIRE(Env::open(options_for(directory, 1)));
    const std::string text =
        "the key file does not belong to this database; use the one it was made with";
    CHECK(complaint(options_for(directory, 2)) == text);
    EnvOptions half = options_for(directory, 1);
    half.keys.lookup = some_keys(2).lookup;
    CHECK(complaint(half) == text);
    half = options_for(directory, 1);
    half.keys.current = some_keys(2).current;
    CHECK(complaint(half) == text);
    CHECK(Env::open(options_for(directory, 1)));
}

TEST_CASE("During a rotation a database wants both keys, whichever it was closed with",
          "[store][env][rotation]") {
    const TempDirectory directory;
    EnvOptions before = options_for(directory);
    EnvOptions during = before;
    during.keys.retiring = before.keys.current;
    during.keys.current = a_seal_key(2, 9);
    EnvOptions after = during;
    after.keys.retiring.reset();
    const std::string text =
        "the key file lacks a seal key that the database needs, from before or after a rotation; "
        "use the key file that belongs to this copy";

    REQUIRE(Env::open(before));
    // A key that was taken out too early, or that is another one by the same number.
    CHECK(complaint(after) == text);
    EnvOptions other = during;
    other.keys.retiring = a_seal_key(1, 77);
    CHECK(complaint(other).starts_with("the key file does not belong to this database"));

    REQUIRE(Env::open(during));
    REQUIRE(Env::open(during));
    CHECK(complaint(before) == text);  // a key file from a backup
    CHECK(complaint(after) == text);
    other = during;
    other.keys.current = a_seal_key(2, 77);
    CHECK(complaint(other).starts_with("the key file does not belong to this database"));

    // Back to the old one: it is a rotation like any other.
    std::swap(during.keys.current, *during.keys.retiring);
    CHECK(Env::open(during));
}

TEST_CASE("A new database may begin with two keys, and needs the first only",
          "[store][env][rotation]") {
    const TempDirectory directory;
    EnvOptions options = options_for(directory);
    options.keys.retiring = a_seal_key(2, 9);
    REQUIRE(Env::open(options));
    CHECK(Env::open(options_for(directory)));
}

TEST_CASE("A database of before keys could be changed is opened and can change them",
          "[store][env][rotation]") {
    Shelf shelf;
    const LookupHash hash = Vault(some_keys()).hash(Table::check, "", "check");
    const RowKey bare(Table::check);
    shelf.tamper([&](Rows& rows) {
        SealedBytes storage;
        Vault vault(some_keys());
        REQUIRE(rows.erase(check_key(1)));
        REQUIRE(rows.put(bare, vault.seal(bare.view(), hash, shelf.random(), storage)));
    });
    shelf.reopen();
    shelf.tamper([](Rows& rows) { CHECK(must(rows.list(RowKey(Table::check))).size() == 1); });
    shelf.close();
    EnvOptions options = options_for(shelf.directory());
    options.keys.retiring = options.keys.current;
    options.keys.current = a_seal_key(2, 9);
    CHECK(Env::open(options));
    options.keys.retiring.reset();
    CHECK(complaint(options).starts_with("the key file lacks a seal key"));
}

TEST_CASE("A database of a later schema, or of nobody's, is refused", "[store][env]") {
    Shelf shelf;
    const RowKey format(Table::format);
    const auto reopened = [&shelf] {
        shelf.close();
        return complaint(options_for(shelf.directory()));
    };
    SECTION("later") {
        shelf.tamper(
            [&](Rows& rows) { REQUIRE(rows.put(format, encode_format(kSchemaVersion + 1))); });
        shelf.close();
        const Error error = refusal(options_for(shelf.directory()));
        CHECK(std::string(error.what) ==
              "the database was written by a newer Knuckle; install that version or a later one");
        CHECK(error.detail == kSchemaVersion + 1);
    }
    SECTION("version 0, which never was") {
        shelf.tamper([&](Rows& rows) { REQUIRE(rows.put(format, encode_format(0))); });
        CHECK(reopened() == "data.mdb is not a database of Knuckle");
    }
    SECTION("another name") {
        shelf.tamper([&](Rows& rows) { REQUIRE(rows.put(format, as_bytes("somebody's"))); });
        CHECK(reopened() == "data.mdb is not a database of Knuckle");
    }
    SECTION("no name, but rows") {
        shelf.tamper([&](Rows& rows) { REQUIRE(rows.erase(format)); });
        CHECK(reopened() == "data.mdb is not a database of Knuckle");
    }
    SECTION("nothing to check the keys by") {
        shelf.tamper([&](Rows& rows) { REQUIRE(rows.erase(check_key(1))); });
        CHECK(reopened() ==
              "the key file does not belong to this database; use the one it was made with");
    }
}

TEST_CASE("A file that is no database, or was cut off, is refused and left as it is",
          "[store][env]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    std::vector<Change> changes;
    for (int i = 0; i < 500; ++i) {
        changes.push_back(CreateToken{"chat", a_token(phone, std::to_string(i)), 1'000});
    }
    shelf.write_all(std::move(changes));
    shelf.close();
    const std::string path = shelf.directory() / "data.mdb";
    const std::string whole = read_file(path);

    write_file(path, whole.substr(0, whole.size() / 2));
    CHECK(
        complaint(options_for(shelf.directory())) ==
        "the database is damaged: data.mdb is shorter than it should be; restore it from a backup");
    write_file(path,
               "some text that somebody has put here, longer than the head of a page" +
                   std::string(1'000, '.'));
    CHECK(complaint(options_for(shelf.directory())) == "data.mdb is not a database of Knuckle");
    CHECK(read_file(path).starts_with("some text"));
    write_file(path, whole);
    shelf.open();
    CHECK(shelf.tokens_of(anna).size() == 500);
}

TEST_CASE("A stolen database says nothing about anybody", "[store][env][secrets]") {
    Shelf shelf;
    Account anna = an_account("anna-with-a-name-of-her-own");
    anna.email = "anna.mail@private.example";
    shelf.has(anna);
    Device phone = a_device(anna, "Anna's telephone");
    phone.device_id = "vendor-id-1234567890";
    phone.has_device_id = true;
    shelf.has(phone);
    Device gcm = a_device(anna, "Anna's other telephone");
    gcm.kind = DeviceKind::gcm;
    gcm.registration_id = "dJ8x:APA91bRegistrationOfTheOtherTelephone_-0123456789";
    shelf.has(gcm);
    const Token token = shelf.has(a_token(phone, "for a friend named bob"));
    const Pending pending = shelf.has(a_pending(phone, 1));
    // And what has been: deleted and replaced rows linger in free pages.
    const Token gone = shelf.has(a_token(phone, "for an enemy named eve"));
    REQUIRE(shelf.write(DeleteToken{"chat", anna.id, gone.text}) == WriteStatus::done);
    REQUIRE(shelf.write(SetPasswordHash{anna.id, "$argon2id$another"}) == WriteStatus::done);
    shelf.close();

    std::vector<std::string> secrets = {anna.username,
                                        anna.email,
                                        anna.password_hash,
                                        anna.auth_token,
                                        phone.registration_id,
                                        phone.name,
                                        phone.device_id,
                                        gcm.registration_id,
                                        gcm.name,
                                        token.text,
                                        token.name,
                                        pending.payload,
                                        gone.text,
                                        gone.name,
                                        "$argon2id$another",
                                        "argon2",
                                        "content-available",
                                        "private.example",
                                        "telephone"};
    const size_t plain_count = secrets.size();
    for (size_t i = 0; i < plain_count; ++i) {
        const std::string secret = secrets[i];
        secrets.push_back(to_hex(as_bytes(secret)));
        secrets.push_back(crypto::encode_base64url(as_bytes(secret)));
        if (std::string raw(secret.size() / 2, '\0'); is_lower_hex(secret) && secret.size() > 8) {
            REQUIRE(decode_hex(secret, {reinterpret_cast<uint8_t*>(raw.data()), raw.size()}));
            secrets.push_back(raw);
            secrets.push_back(crypto::encode_base64url(as_bytes(raw)));
        }
        // Nor a digest that anybody could compute.
        secrets.emplace_back(as_text(ByteView(crypto::sha256(as_bytes(secret))).first(16)));
    }
    for (const char* name : {"data.mdb", "lock.mdb", "lock"}) {
        const std::string bytes = read_file(shelf.directory() / name);
        for (const std::string& secret : secrets) {
            INFO(name << " holds " << secret);
            CHECK(bytes.find(secret) == std::string::npos);
        }
    }
    // It is all there, for those who have the keys.
    shelf.open();
    CHECK(shelf.account(anna.username)->email == anna.email);
}
