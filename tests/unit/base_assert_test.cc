// SPDX-License-Identifier: GPL-3.0-or-later
#include <csignal>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include <catch_amalgamated.hpp>

#include "base/assert.h"
#include "base/buffer.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/result.h"
#include "base/timers.h"

using namespace knuckle;

namespace {

// What `act` printed on stderr before it aborted, or "(lived)".
template <typename Act>
std::string last_words(Act act) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);  // without the test framework's report
        ::dup2(ends[1], STDERR_FILENO);
        act();
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string words;
    char piece[256];
    for (ssize_t size; (size = ::read(ends[0], piece, sizeof piece)) > 0;) {
        words.append(piece, static_cast<size_t>(size));
    }
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? words : "(lived)";
}

struct Item {
    Link link;
};

}  // namespace

TEST_CASE("a broken rule of ours aborts and says which and where", "[base][assert]") {
    const int one = 1;
    const std::string words = last_words([&] { KNUCKLE_ASSERT(one + 1 == 3); });
    CHECK(words.starts_with("<2>event=assertion_failed expression=\"one + 1 == 3\" at="));
    CHECK(words.find("base_assert_test.cc:") != std::string::npos);
    CHECK(words.ends_with("\n"));
    CHECK(last_words([&] { KNUCKLE_ASSERT(one + 1 == 2); }) == "(lived)");
}

TEST_CASE("a thing may not join two lists by one link, nor leave a list it is not in",
          "[base][assert]") {
    Item item;
    List<Item, &Item::link> list;
    CHECK(last_words([&] {
              list.push_back(item);
              list.push_back(item);
          }) != "(lived)");
    CHECK(last_words([&] {
              list.push_back(item);
              list.push_front(item);
          }) != "(lived)");
    CHECK(last_words([&] { list.erase(item); }) != "(lived)");
}

TEST_CASE("a thing may not be given back to its pool twice", "[base][assert]") {
    Pool<int> pool(4);
    int* const item = pool.take(1);
    pool.give_back(*item);
    CHECK(last_words([&] { pool.give_back(*item); }) != "(lived)");
}

TEST_CASE("a timer may not die while it is armed", "[base][assert]") {
    Timers timers;
    CHECK(last_words([&] {
              Timer timer;
              timers.arm(timer, Instant{1});
          }) != "(lived)");
}

TEST_CASE("a buffer may not outlive its rules", "[base][assert]") {
    ChunkPool chunks;
    Buffer buffer(chunks);
    buffer.append("four");
    CHECK(last_words([&] { buffer.consume(5); }) != "(lived)");
    CHECK(last_words([&] { (void)buffer.reserve(Chunk::kSize + 1); }) != "(lived)");
    CHECK(last_words([&] { buffer.commit(Chunk::kSize); }) != "(lived)");
    CHECK(last_words([&] { buffer.splice(buffer); }) != "(lived)");
    CHECK(last_words([&] {
              ChunkPool short_lived;
              (void)short_lived.take();
          }) != "(lived)");
}

TEST_CASE("a result may not be asked for what it does not hold", "[base][assert]") {
    const Result<int> value = 7;
    const Result<int> error = fail(Errc::limit, "full");
    CHECK(last_words([&] { (void)value.error(); }) != "(lived)");
    CHECK(last_words([&] { (void)*error; }) != "(lived)");
    const Result<void> nothing = fail(Errc::limit, "full");
    CHECK(last_words([&] { *nothing; }) != "(lived)");
}
