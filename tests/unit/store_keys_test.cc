// SPDX-License-Identifier: GPL-3.0-or-later
#include <cerrno>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include <catch_amalgamated.hpp>

#include "store/keys.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

constexpr bool kMayCreate = true;
constexpr bool kDatabaseExists = false;

mode_t mode_of(const std::string& path) {
    struct stat status;
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

bool are_equal(const Keys& a, const Keys& b) { return a.seal == b.seal && a.lookup == b.lookup; }

std::string complaint(const std::string& path, bool may_create = kMayCreate) {
    const auto keys = load_or_create_keys(path, may_create);
    return keys ? "" : keys.error().what;
}

void write_private(const std::string& path, std::string_view text) {
    write_file(path, text);
    REQUIRE(::chmod(path.c_str(), 0600) == 0);
}

}  // namespace

TEST_CASE("The first start makes the keys, every later one finds them", "[store][keys]") {
    const TempDirectory directory;
    const std::string path = directory / "keys";
    const auto made = load_or_create_keys(path, kMayCreate);
    REQUIRE(made);
    CHECK(mode_of(path) == 0600);
    const std::string text = read_file(path);
    CHECK(text.size() == 129);
    CHECK(text.back() == '\n');
    CHECK(is_lower_hex(std::string_view(text).substr(0, 128)));
    CHECK(made->seal != Keys().seal);
    CHECK_FALSE(std::ranges::equal(made->seal, made->lookup));

    const auto again = load_or_create_keys(path, kDatabaseExists);
    REQUIRE(again);
    CHECK(are_equal(*made, *again));

    const auto others = load_or_create_keys(directory / "others", kMayCreate);
    REQUIRE(others);
    CHECK_FALSE(are_equal(*made, *others));
}

TEST_CASE("Lost keys are not replaced while there is a database", "[store][keys]") {
    const TempDirectory directory;
    const auto keys = load_or_create_keys(directory / "keys", kDatabaseExists);
    REQUIRE_FALSE(keys);
    CHECK(keys.error().code == Errc::not_found);
    CHECK(std::string(keys.error().what) ==
          "the key file is missing, and without it the database cannot be read; restore it from a "
          "backup");
    CHECK(::access((directory / "keys").c_str(), F_OK) != 0);
}

TEST_CASE("A start that was killed while it made the keys leaves nothing in the way",
          "[store][keys]") {
    const TempDirectory directory;
    write_file(directory / "keys.new", "half a ke");
    CHECK(load_or_create_keys(directory / "keys", kMayCreate));
    CHECK(::access((directory / "keys.new").c_str(), F_OK) != 0);
}

TEST_CASE("Keys that others can read or write are refused", "[store][keys]") {
    const TempDirectory directory;
    const std::string path = directory / "keys";
    REQUIRE(load_or_create_keys(path, kMayCreate));
    for (const mode_t mode : {0640, 0604, 0620, 0602, 0660, 0666}) {
        REQUIRE(::chmod(path.c_str(), mode) == 0);
        CHECK(complaint(path) == "others can read or write the key file; run chmod 600 on it");
    }
    for (const mode_t mode : {0600, 0400}) {
        REQUIRE(::chmod(path.c_str(), mode) == 0);
        CHECK(complaint(path) == "");
    }
}

TEST_CASE("Keys that somebody else gave to our group are accepted", "[store][keys]") {
    if (::geteuid() != 0) SKIP("only root can give a file away");
    const TempDirectory directory;
    const std::string path = directory / "keys";
    REQUIRE(load_or_create_keys(path, kMayCreate));
    REQUIRE(::chown(path.c_str(), 65'534, 65'534) == 0);
    for (const mode_t mode : {0440, 0640, 0400}) {
        REQUIRE(::chmod(path.c_str(), mode) == 0);
        CHECK(complaint(path) == "");
    }
    for (const mode_t mode : {0660, 0644, 0444}) {
        REQUIRE(::chmod(path.c_str(), mode) == 0);
        CHECK(complaint(path) == "others can read or write the key file; run chmod 600 on it");
    }
}

TEST_CASE("A key file says what is wrong with it", "[store][keys]") {
    const TempDirectory directory;
    const std::string path = directory / "keys";
    const std::string content_complaint =
        "the key file does not hold 128 hexadecimal digits; restore it from a backup";
    const std::string digits(128, 'a');

    write_private(path, digits);  // an editor may have taken the newline
    CHECK(complaint(path) == "");
    write_private(path, std::string(128, 'A') + "\r\n");
    CHECK(complaint(path) == "");
    for (const std::string& text : {std::string(),
                                    digits.substr(1),
                                    digits + "a",
                                    digits + "\n" + digits,
                                    digits.substr(1) + "g",
                                    std::string(100'000, 'a')}) {
        write_private(path, text);
        CHECK(complaint(path) == content_complaint);
    }
    CHECK(complaint(directory.path()) == "the key file is not a regular file");
    CHECK(complaint(directory / "missing/keys") == "cannot create the key file");
    CHECK(complaint("/dev/null/keys") == "cannot open the key file");
}
