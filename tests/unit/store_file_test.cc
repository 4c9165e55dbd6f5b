// SPDX-License-Identifier: GPL-3.0-or-later
#include <cerrno>
#include <fcntl.h>
#include <utility>

#include <catch_amalgamated.hpp>

#include "store/file.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }

}  // namespace

TEST_CASE("A file closes with its last owner", "[store][file]") {
    int descriptor = -1;
    {
        File file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        descriptor = file.descriptor();
        REQUIRE(file.is_open());
        File second = std::move(file);
        CHECK(is_open(descriptor));
        CHECK(second.descriptor() == descriptor);
        File third(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        third = std::move(second);
        CHECK(is_open(descriptor));
    }
    CHECK_FALSE(is_open(descriptor));
    CHECK_FALSE(File(::open("/nowhere/at/all", O_RDONLY | O_CLOEXEC)).is_open());
}

TEST_CASE("A directory is synced by its own name or a file's", "[store][file]") {
    const TempDirectory directory;
    CHECK(sync_directory(directory.path()));
    CHECK(sync_directory_of(directory / "any name"));
    CHECK(sync_directory_of("a name without directory"));
    CHECK(sync_directory_of("/name"));
    CHECK(sync_directory_of(directory / "missing/name").error().detail == ENOENT);
}
