// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "crypto/password.h"

using namespace knuckle;
using namespace knuckle::crypto;

namespace {

constexpr PasswordSalt kSalt = {
    's', 'i', 'x', 't', 'e', 'e', 'n', ' ', 'b', 'y', 't', 'e', 's', ' ', 'o', 'f'};

// From the tests of the reference implementation; password "password", salt "somesalt".
constexpr std::string_view kReference =
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

// Computed with Python's hashlib.pbkdf2_hmac for "correct horse".
constexpr std::string_view kDjango =
    "pbkdf2_sha256$1000$seasalt$mQnueSakb748zqBAC1tmWVZsZbi2zPGZarEzTGdfmso=";

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
    std::string result(text);
    const size_t at = result.find(from);
    REQUIRE(at != std::string::npos);
    return result.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a new hash verifies its own password and no other", "[crypto][password]") {
    const auto hash = hash_password("correct horse", kSalt);
    REQUIRE(hash);
    CHECK(hash->starts_with("$argon2id$v=19$m=19456,t=2,p=1$c2l4dGVlbiBieXRlcyBvZg$"));
    CHECK(hash->size() == 97);
    CHECK(verify_password("correct horse", *hash));
    CHECK_FALSE(verify_password("correct horsf", *hash));
    CHECK_FALSE(verify_password("", *hash));
    CHECK_FALSE(needs_upgrade(*hash));
    CHECK(*hash_password("correct horse", kSalt) == *hash);
    PasswordSalt other_salt = kSalt;
    other_salt[0] ^= 1;
    CHECK(*hash_password("correct horse", other_salt) != *hash);
}

TEST_CASE("hashes of the Argon2 reference implementation verify", "[crypto][password]") {
    CHECK(verify_password("password", kReference));
    CHECK_FALSE(verify_password("Password", kReference));
    CHECK(verify_password("password",
                          "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ"
                          "$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"));
    CHECK(verify_password("password",
                          "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ"
                          "$9qWtwbpyPd3vm1rB1GThgPzZ3/ydHL92zKL+15XZypg"));
}

TEST_CASE("Django's hashes verify", "[crypto][password]") {
    CHECK(verify_password("correct horse", kDjango));
    CHECK_FALSE(verify_password("correct horsf", kDjango));
    CHECK(verify_password("", "pbkdf2_sha256$1$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc="));
    CHECK(verify_password("correct horse",
                          "pbkdf2_sha256$870000$kXq3HRl1lfyjR4CuWkR9yN"
                          "$qrVvutGKNGUWv5SQSHNgGXdPjANIUtdsHtnwtf2BEyU="));
}

TEST_CASE("a login replaces whatever is not today's kind of hash", "[crypto][password]") {
    CHECK(needs_upgrade(kDjango));
    CHECK(needs_upgrade(kReference));
    CHECK(needs_upgrade(""));
    CHECK(needs_upgrade("!unusable"));
    const std::string today = *hash_password("x", kSalt);
    CHECK_FALSE(needs_upgrade(today));
    CHECK(needs_upgrade(replaced(today, "t=2", "t=3")));
    CHECK(needs_upgrade(replaced(today, "m=19456", "m=19455")));
    CHECK(needs_upgrade(replaced(today, "p=1", "p=2")));
}

TEST_CASE("a malformed hash verifies nothing", "[crypto][password]") {
    const std::vector<std::string> malformed = {
        "",
        "$",
        "$$$$$",
        "!",
        "password",
        "$argon2id$",
        "$argon2id$v=19$",
        "$argon2id$v=19$m=256",
        "$argon2id$v=19$m=256,t=2,p=1",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$",
        replaced(kReference, "argon2id", "argon2i"),
        replaced(kReference, "v=19", "v=16"),
        replaced(kReference, "m=256", "m="),
        replaced(kReference, "m=256", "m=-1"),
        replaced(kReference, "m=256", "m=0x100"),
        replaced(kReference, "m=256", "m=256 "),
        replaced(kReference, "m=256,t=2", "t=2,m=256"),
        replaced(kReference, "c29tZXNhbHQ", "c29tZXNhbHQ="),
        replaced(kReference, "c29tZXNhbHQ", "c29t ZXNhbHQ"),
        replaced(kReference, "nf65EO", "nf65E"),
        std::string(kReference) + "=",
        std::string(kReference) + "$",
        std::string(kReference) + "\n",
        "pbkdf2_sha256$",
        "pbkdf2_sha256$1000",
        "pbkdf2_sha256$1000$",
        "pbkdf2_sha256$1000$seasalt",
        "pbkdf2_sha256$1000$seasalt$",
        replaced(kDjango, "sha256", "sha1"),
        replaced(kDjango, "$1000$", "$$"),
        replaced(kDjango, "$1000$", "$-1000$"),
        replaced(kDjango, "$1000$", "$1000.0$"),
        replaced(kDjango, "seasalt", ""),
        replaced(kDjango, "fmso=", "fmso"),
        replaced(kDjango, "mQnu", ""),
        std::string(kDjango) + "$",
    };
    for (const std::string& hash : malformed) {
        INFO(hash);
        CHECK_FALSE(verify_password("password", hash));
        CHECK_FALSE(verify_password("correct horse", hash));
        CHECK(needs_upgrade(hash));
    }
    for (size_t size = 0; size < kReference.size(); ++size) {
        REQUIRE_FALSE(verify_password("password", kReference.substr(0, size)));
    }
    for (size_t size = 0; size < kDjango.size(); ++size) {
        REQUIRE_FALSE(verify_password("correct horse", kDjango.substr(0, size)));
    }
}

TEST_CASE("a hash that would cost too much is refused without computing it", "[crypto][password]") {
    const std::vector<std::string> expensive = {
        replaced(kReference, "m=256", "m=65537"),
        replaced(kReference, "m=256", "m=4294967296"),
        replaced(kReference, "m=256", "m=99999999999999999999999"),
        replaced(kReference, "t=2", "t=11"),
        replaced(kReference, "t=2", "t=4294967295"),
        replaced(kReference, "p=1", "p=5"),
        replaced(kReference, "c29tZXNhbHQ", std::string(88, 'A')),
        replaced(kReference, "c29tZXNhbHQ", "c29tZXNhbA"),
        replaced(kReference, "m=256", "m=0"),
        replaced(kReference, "m=256", "m=7"),
        replaced(kReference, "t=2", "t=0"),
        replaced(kReference, "p=1", "p=0"),
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$" + std::string(88, 'A'),
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$" + std::string(20, 'A'),
        replaced(kDjango, "$1000$", "$2000001$"),
        replaced(kDjango, "$1000$", "$18446744073709551616$"),
        replaced(kDjango, "$1000$", "$0$"),
        replaced(kDjango, "seasalt", std::string(129, 's')),
    };
    for (const std::string& hash : expensive) {
        INFO(hash);
        CHECK_FALSE(verify_password("password", hash));
        CHECK_FALSE(verify_password("correct horse", hash));
    }
}

TEST_CASE("a password has a sane length", "[crypto][password]") {
    const std::string longest(kPasswordSizeMax, 'p');
    const auto hash = hash_password(longest, kSalt);
    REQUIRE(hash);
    CHECK(verify_password(longest, *hash));
    CHECK_FALSE(verify_password(longest + "p", *hash));
    CHECK(hash_password(longest + "p", kSalt).error().code == Errc::invalid);
    CHECK(hash_password("", kSalt).has_value());
}
