// SPDX-License-Identifier: GPL-3.0-or-later
#include <fstream>
#include <string>
#include <sys/stat.h>

#include <catch_amalgamated.hpp>

#include "app/mint_times.h"
#include "tests/support/temp_dir.h"

namespace knuckle::app {
namespace {

constexpr const char* kName = "production/DEF123GHIJ/ABC123DEFG";

TEST_CASE("the time of a provider token is there after a restart, for its key only", "[app]") {
    const test::TempDir dir;
    const std::string path = dir / "provider-tokens";
    const UnixTime issued = from_unix_seconds(1'800'000'000);
    {
        MintTimes times(path);
        times.load();
        CHECK_FALSE(times.find(kName));
        times.note(kName, from_unix_seconds(1));
        times.note(kName, issued);
        times.note("sandbox/DEF123GHIJ/ABC123DEFG", from_unix_seconds(2));
        REQUIRE(times.save());
    }
    MintTimes times(path);
    times.load();
    CHECK(times.find(kName) == issued);
    CHECK(times.find("sandbox/DEF123GHIJ/ABC123DEFG") == from_unix_seconds(2));
    CHECK_FALSE(times.find("production/DEF123GHIJ/ABC123DEF"));
    struct stat facts{};
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
}

TEST_CASE("lines of that file which make no sense are dropped", "[app]") {
    const test::TempDir dir;
    const std::string path = dir / "provider-tokens";
    std::ofstream(path) << "\n nothing\nx\nx \nx -1\nx 99999999999999999999\nx 9999999999999999\n"
                        << kName << " 7\nlast 8";
    MintTimes times(path);
    times.load();
    CHECK(times.find(kName) == from_unix_seconds(7));
    CHECK(times.find("last") == from_unix_seconds(8));
    CHECK_FALSE(times.find("x"));
    CHECK_FALSE(times.find(""));
}

TEST_CASE("a file of times that cannot be written is an error with its reason", "[app]") {
    const test::TempDir dir;
    MintTimes times(dir / "no such folder/provider-tokens");
    times.load();
    times.note(kName, from_unix_seconds(7));
    const Result<void> kept = times.save();
    REQUIRE_FALSE(kept);
    CHECK(kept.error().code == Errc::system);
}

TEST_CASE("the file of times does not grow without limit", "[app]") {
    const test::TempDir dir;
    MintTimes times(dir / "provider-tokens");
    for (size_t i = 0; i <= kMintTimesMax; ++i)
        times.note("key-" + std::to_string(i), from_unix_seconds(static_cast<int64_t>(i)));
    CHECK_FALSE(times.find("key-0"));
    CHECK(times.find("key-1"));
    CHECK(times.find("key-" + std::to_string(kMintTimesMax)));
}

}  // namespace
}  // namespace knuckle::app
