// SPDX-License-Identifier: GPL-3.0-or-later
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <iterator>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch_amalgamated.hpp>

#include "store/key_file.h"
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

std::string complaint(const std::string& path, bool may_create = kMayCreate) {
    const auto keys = load_or_create_keys(path, may_create);
    return keys ? "" : keys.error().what;
}

size_t files_in(const TempDirectory& directory) {
    using Files = std::filesystem::directory_iterator;
    return static_cast<size_t>(std::distance(Files(directory.path()), Files()));
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
    CHECK(text ==
          "lookup " + to_hex(made->lookup) + "\nseal 1 " + to_hex(made->current.key) + "\n");
    CHECK(made->current.key != SealKey().key);
    CHECK(made->lookup != Keys().lookup);
    CHECK_FALSE(std::ranges::equal(made->current.key, made->lookup));

    const auto again = load_or_create_keys(path, kDatabaseExists);
    REQUIRE(again);
    CHECK(*made == *again);

    const auto others = load_or_create_keys(directory / "others", kMayCreate);
    REQUIRE(others);
    CHECK_FALSE(*made == *others);
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
    write_private(path, std::string(128, 'a'));
    CHECK(complaint(path) == "");
    write_private(path, "");
    CHECK(complaint(path).starts_with("line 1 must be"));
    write_private(path, std::string(128, 'a') + std::string(1'000, ' '));
    CHECK(complaint(path) == "the key file is too long; restore it from a backup");
    CHECK(complaint(directory.path()) == "the key file is not a regular file");
    CHECK(complaint(directory / "missing/keys") ==
          "cannot make a new file in the folder of the key file");
    CHECK(complaint("/dev/null/keys") == "cannot open the key file");
}

TEST_CASE("A rotation puts a fresh key in front of the present one", "[store][keys]") {
    const TempDirectory directory;
    const std::string path = directory / "keys";
    const Keys before = must(load_or_create_keys(path, kMayCreate));
    const Keys rotated = must(rotate_key(path));
    CHECK(rotated.lookup == before.lookup);
    CHECK(rotated.retiring == before.current);
    CHECK(rotated.current.id == 2);
    CHECK(rotated.current.key != before.current.key);
    CHECK(must(load_or_create_keys(path, kDatabaseExists)) == rotated);
    CHECK(mode_of(path) == 0600);
    CHECK(files_in(directory) == 1);
}

TEST_CASE("A file of before keys could be changed can be rotated", "[store][keys]") {
    const TempDirectory directory;
    const std::string path = directory / "keys";
    write_private(path, std::string(64, 'a') + std::string(64, 'b') + "\n");
    const Keys rotated = must(rotate_key(path));
    CHECK(rotated.retiring == a_seal_key(1, 0xaa));
    CHECK(rotated.current.id == 2);
    CHECK(read_file(path).starts_with("lookup " + std::string(64, 'b') + "\nseal 2 "));
}

TEST_CASE("A second rotation waits for the end of the first", "[store][keys]") {
    const TempDirectory directory;
    const std::string path = directory / "keys";
    REQUIRE(load_or_create_keys(path, kMayCreate));
    const Keys rotated = must(rotate_key(path));
    const std::string text = read_file(path);
    const auto refused = rotate_key(path);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::limit);
    CHECK(std::string(refused.error().what).starts_with("a rotation is under way"));
    CHECK(read_file(path) == text);

    REQUIRE(retire_key(path, rotated));
    const Keys next = must(rotate_key(path));
    CHECK(next.current.id == 3);
    CHECK(next.retiring == rotated.current);
}

TEST_CASE("After number 255 comes number 1", "[store][keys]") {
    const TempDirectory directory;
    const std::string path = directory / "keys";
    write_private(path,
                  "lookup " + std::string(64, 'a') + "\nseal 255 " + std::string(64, 'b') + "\n");
    CHECK(must(rotate_key(path)).current.id == 1);
}

TEST_CASE("The retired key leaves the file, and only that one", "[store][keys]") {
    const TempDirectory directory;
    const std::string path = directory / "keys";
    REQUIRE(load_or_create_keys(path, kMayCreate));
    const Keys rotated = must(rotate_key(path));
    Keys rest = rotated;
    rest.retiring.reset();

    REQUIRE(retire_key(path, rotated));
    CHECK(must(load_or_create_keys(path, kDatabaseExists)) == rest);
    CHECK(mode_of(path) == 0600);
    CHECK(files_in(directory) == 1);
    // Somebody may have been faster.
    CHECK(retire_key(path, rotated));
    CHECK(must(load_or_create_keys(path, kDatabaseExists)) == rest);

    // Keys that we do not know are not ours to change.
    const Keys others = must(rotate_key(path));
    const auto refused = retire_key(path, rotated);
    REQUIRE_FALSE(refused);
    CHECK(std::string(refused.error().what) == "the key file was changed since the start");
    CHECK(must(load_or_create_keys(path, kDatabaseExists)) == others);
}

TEST_CASE("A new key file has the owner, group and mode of the old one", "[store][keys]") {
    const TempDirectory directory;
    const std::string path = directory / "keys";
    REQUIRE(load_or_create_keys(path, kMayCreate));
    SECTION("mode") {
        REQUIRE(::chmod(path.c_str(), 0400) == 0);
        const Keys rotated = must(rotate_key(path));
        CHECK(mode_of(path) == 0400);
        REQUIRE(retire_key(path, rotated));
        CHECK(mode_of(path) == 0400);
    }
    SECTION("owner") {
        if (::geteuid() != 0) SKIP("only root can give a file away");
        REQUIRE(::chown(path.c_str(), 65'534, 65'533) == 0);
        REQUIRE(::chmod(path.c_str(), 0640) == 0);
        REQUIRE(rotate_key(path));
        struct stat status;
        REQUIRE(::stat(path.c_str(), &status) == 0);
        CHECK(status.st_uid == 65'534);
        CHECK(status.st_gid == 65'533);
        CHECK(mode_of(path) == 0640);
    }
}

TEST_CASE("A link to the key file stays a link", "[store][keys]") {
    const TempDirectory directory;
    const std::string path = directory / "keys";
    const std::string link = directory / "link";
    REQUIRE(load_or_create_keys(path, kMayCreate));
    REQUIRE(::symlink(path.c_str(), link.c_str()) == 0);
    const Keys rotated = must(rotate_key(link));
    CHECK(std::filesystem::is_symlink(link));
    CHECK(must(load_or_create_keys(path, kDatabaseExists)) == rotated);
}

TEST_CASE("A rotation that was killed leaves nothing in the way", "[store][keys]") {
    const TempDirectory directory;
    const std::string path = directory / "keys";
    const Keys before = must(load_or_create_keys(path, kMayCreate));
    write_file(path + ".new", "lookup and half a ke");
    CHECK(must(load_or_create_keys(path, kDatabaseExists)) == before);
    REQUIRE(rotate_key(path));
    CHECK(files_in(directory) == 1);
}

TEST_CASE("Two commands at once do not lose a key", "[store][keys]") {
    const TempDirectory directory;
    const std::string path = directory / "keys";
    REQUIRE(load_or_create_keys(path, kMayCreate));
    const int other = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(::flock(other, LOCK_EX) == 0);
    const auto refused = rotate_key(path);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unavailable);
    ::close(other);
    CHECK(rotate_key(path));
}

TEST_CASE("A rotation that cannot be written changes nothing and says why", "[store][keys]") {
    const TempDirectory directory;
    CHECK(rotate_key(directory / "keys").error().code == Errc::not_found);
    const std::string path = directory / "keys";
    REQUIRE(load_or_create_keys(path, kMayCreate));
    const std::string text = read_file(path);
    SECTION("a file that others can read") {
        REQUIRE(::chmod(path.c_str(), 0644) == 0);
        CHECK(std::string(rotate_key(path).error().what).ends_with("run chmod 600 on it"));
    }
    SECTION("a folder in the place of the draft") {
        REQUIRE(::mkdir((path + ".new").c_str(), 0700) == 0);
        const auto refused = rotate_key(path);
        CHECK(std::string(refused.error().what) ==
              "cannot make a new file in the folder of the key file");
        CHECK(refused.error().detail == EEXIST);
    }
    SECTION("a folder that is not ours to write") {
        if (::geteuid() == 0) SKIP("root writes everywhere");
        REQUIRE(::chmod(directory.path().c_str(), 0500) == 0);
        CHECK(rotate_key(path).error().detail == EACCES);
        REQUIRE(::chmod(directory.path().c_str(), 0700) == 0);
    }
    CHECK(read_file(path) == text);
}
