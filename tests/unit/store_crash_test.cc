// SPDX-License-Identifier: GPL-3.0-or-later
// kill -9 at any moment loses nothing that was answered, and leaves no half of a batch, nor of a
// step of the sweep.
#include <csignal>
#include <filesystem>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/log.h"
#include "base/random.h"
#include "store/key_file.h"
#include "store/reseal.h"
#include "store/sweep.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

constexpr uint32_t kBatchSize = 7;
constexpr uint32_t kExpired = kBatchSize;  // one more in each batch, which the sweep may take

EnvOptions options_for(const TempDirectory& directory) {
    return {.directory = directory.path(),
            .keys = some_keys(),
            .now = kNoon,
            .map_size = Shelf::kMapSize};
}

std::string token_text(uint32_t batch, uint32_t index) {
    return secret_of("batch " + std::to_string(batch) + ", " + std::to_string(index));
}

// Writes batches from `batch` on and says of each when it is done. Never returns.
[[noreturn]] void write_until_killed(const TempDirectory& directory, uint32_t batch, int answers) {
    auto env = Env::open(options_for(directory));
    if (!env) ::_exit(2);
    crypto::SecureRandom random(crypto::SecureRandom::Seed{5});
    Committer committer(*env, random);
    Sweep sweep(*env, committer, hours(24 * 400));
    const Device phone = a_device(an_account("anna"), "phone");
    for (;; ++batch) {
        std::vector<Write> writes;
        for (uint32_t i = 0; i < kBatchSize; ++i) {
            Token token = a_token(phone, "name");
            token.text = token_text(batch, i);
            writes.push_back({0, 0, CreateToken{"chat", token, 1'000'000}});
        }
        Token expired = a_token(phone, "name");
        expired.text = token_text(batch, kExpired);
        expired.expires = second_after(kNoon);
        writes.push_back({0, 0, CreateToken{"chat", expired, 1'000'000}});
        // Something that goes, too: what the batch before last made.
        if (batch >= 2)
            writes.push_back({0, 0, DeleteToken{"chat", phone.account, token_text(batch - 2, 0)}});
        std::vector<WriteStatus> statuses(writes.size());
        if (!committer.apply(writes, statuses) || statuses[0] != WriteStatus::done) ::_exit(3);
        if (::write(answers, &batch, sizeof batch) != sizeof batch) ::_exit(4);
        if (!sweep.step({.instant = {}, .unix = kNoon + hours(1)})) ::_exit(5);
    }
}

}  // namespace

TEST_CASE("kill -9 amid a rotation loses no row and no key", "[store][crash][rotation]") {
    Shelf shelf;
    const TempDirectory key_directory;
    const std::string key_path = key_directory / "store.key";
    shelf.close();
    shelf.keys = must(load_or_create_keys(key_path, true));
    std::filesystem::remove_all(shelf.directory().path());
    std::filesystem::create_directory(shelf.directory().path());
    shelf.open();
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    std::vector<Change> changes;
    for (int i = 0; i < 1'000; ++i) {
        changes.push_back(CreateToken{"chat", a_token(phone, std::to_string(i)), 10'000});
    }
    shelf.write_all(std::move(changes));

    Random random(2'026);
    for (int round = 0; round < 30; ++round) {
        shelf.close();
        static_cast<void>(rotate_key(key_path));  // refused while one is under way
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            log::set_sink([](std::string_view) {});
            shelf.keys = must(load_or_create_keys(key_path, false));
            shelf.open();
            Resealer resealer(shelf.env(), shelf.random(), key_path);
            while (true) static_cast<void>(resealer.step());
        }
        ::usleep(static_cast<useconds_t>(random.below(20'000)));
        REQUIRE(::kill(child, SIGKILL) == 0);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFSIGNALED(status));
        shelf.keys = must(load_or_create_keys(key_path, false));
        shelf.open();
        REQUIRE(shelf.account("anna") == anna);
        REQUIRE(shelf.tokens_of(anna).size() == 1'000);
        REQUIRE(shelf.reader().damaged_count() == 0);
    }
    Resealer resealer(shelf.env(), shelf.random(), key_path);
    while (must(resealer.step())) {
    }
    CHECK(resealer.counts().damaged.get() == 0);
    CHECK_FALSE(must(load_or_create_keys(key_path, false)).retiring);
}

TEST_CASE("kill -9 loses nothing that was answered", "[store][crash]") {
    const TempDirectory directory;
    const Account anna = an_account("anna");
    {
        auto env = Env::open(options_for(directory));
        REQUIRE(env);
        crypto::SecureRandom random(crypto::SecureRandom::Seed{6});
        Committer committer(*env, random);
        const std::vector<Write> writes = {{0, 0, CreateAccount{anna}},
                                           {0, 0, CreateDevice{a_device(anna, "phone"), 10}}};
        std::vector<WriteStatus> statuses(2);
        REQUIRE(committer.apply(writes, statuses));
    }
    Random random(2'026);
    uint32_t next = 0;
    uint32_t expired = 0;
    for (int round = 0; round < 30; ++round) {
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            ::close(ends[0]);
            write_until_killed(directory, next, ends[1]);
        }
        ::close(ends[1]);
        // Killed on the way to a random answer; those already in the pipe count as well.
        uint32_t answered = 0;
        for (uint64_t wait = random.below(25); wait > 0; --wait) {
            REQUIRE(::read(ends[0], &answered, sizeof answered) == sizeof answered);
            next = answered + 1;
        }
        for (uint64_t spin = random.below(200'000); spin > 0; --spin)
            static_cast<void>(random.next());
        REQUIRE(::kill(child, SIGKILL) == 0);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFSIGNALED(status));
        while (::read(ends[0], &answered, sizeof answered) == sizeof answered) next = answered + 1;
        ::close(ends[0]);

        auto env = Env::open(options_for(directory));
        REQUIRE(env);
        Reader reader(*env);
        Snapshot snapshot = reader.snapshot();
        TokenOwner owner;
        const auto is_there = [&](uint32_t batch, uint32_t index) {
            const Lookup lookup = snapshot.find_token("chat", token_text(batch, index), owner);
            REQUIRE(lookup != Lookup::damaged);
            return lookup == Lookup::found;
        };
        // The batch that was not answered is there as a whole, or not at all.
        const bool has_more = is_there(next, 0);
        for (uint32_t i = 0; i < kBatchSize; ++i) REQUIRE(is_there(next, i) == has_more);
        REQUIRE_FALSE(is_there(next + 1, 0));
        if (has_more) ++next;
        expired = 0;
        for (uint32_t batch = 0; batch < next; ++batch) {
            if (is_there(batch, kExpired)) ++expired;
            REQUIRE(is_there(batch, 0) == (batch + 2 >= next));
            for (uint32_t i = 1; i < kBatchSize; ++i) REQUIRE(is_there(batch, i));
        }
        std::vector<Token> tokens;
        REQUIRE(snapshot.list_tokens(anna.id, tokens) != Lookup::damaged);
        REQUIRE(tokens.size() == expired + next * kBatchSize - (next > 2 ? next - 2 : 0));
    }
    CHECK(next > 100);
    CHECK(expired < next / 2);
}
