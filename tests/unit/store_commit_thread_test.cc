// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/log.h"
#include "store/commit_thread.h"
#include "tests/support/full_disk.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

// Longer than anything here takes; only a hang reaches it.
constexpr std::chrono::seconds kPatience(60);

// What the workers were told, and the door that can make them slow to listen.
class Told {
public:
    static void deliver(void* context, std::span<const Committed> batch) {
        static_cast<Told*>(context)->take(batch);
    }
    [[nodiscard]] bool wait_for(size_t count) {
        std::unique_lock lock(mutex_);
        return heard_.wait_for(lock, kPatience, [&] { return committed_.size() >= count; });
    }
    [[nodiscard]] std::vector<Committed> committed() {
        const std::lock_guard lock(mutex_);
        return committed_;
    }
    [[nodiscard]] bool wait_until_listening() {
        std::unique_lock lock(mutex_);
        return heard_.wait_for(lock, kPatience, [&] { return is_listening_; });
    }
    void set_open(bool is_open) {
        const std::lock_guard lock(mutex_);
        is_open_ = is_open;
        door_.notify_all();
    }

private:
    void take(std::span<const Committed> batch) {
        std::unique_lock lock(mutex_);
        is_listening_ = true;
        heard_.notify_all();
        door_.wait(lock, [this] { return is_open_; });
        committed_.insert(committed_.end(), batch.begin(), batch.end());
        heard_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable heard_;
    std::condition_variable door_;
    std::vector<Committed> committed_;
    bool is_open_ = true;
    bool is_listening_ = false;
};

// The log's lines while it lives.
class Log {
public:
    Log() {
        lines().clear();
        log::set_sink([](std::string_view line) {
            const std::lock_guard lock(mutex());
            lines().emplace_back(line);
            written().notify_all();
        });
    }
    ~Log() {
        log::set_sink([](std::string_view) {});
    }
    [[nodiscard]] size_t count_of(const std::string& event) const {
        const std::lock_guard lock(mutex());
        return count(event);
    }
    [[nodiscard]] bool wait_for(const std::string& event) const {
        std::unique_lock lock(mutex());
        return written().wait_for(lock, kPatience, [&] { return count(event) > 0; });
    }
    [[nodiscard]] std::string text() const {
        const std::lock_guard lock(mutex());
        std::string text;
        for (const std::string& line : lines()) text += line;
        return text;
    }

private:
    static size_t count(const std::string& event) {
        return static_cast<size_t>(
            std::ranges::count_if(lines(), [&event](const std::string& line) {
                return line.find("event=" + event) != std::string::npos;
            }));
    }
    static std::mutex& mutex() {
        static std::mutex mutex;
        return mutex;
    }
    static std::condition_variable& written() {
        static std::condition_variable written;
        return written;
    }
    static std::vector<std::string>& lines() {
        static std::vector<std::string> lines;
        return lines;
    }
};

Write account_write(Ticket ticket, const std::string& name, uint32_t worker = 0) {
    return {ticket, worker, CreateAccount{an_account(name)}};
}

constexpr Duration kLongLifetime = hours(24 * 3650);
constexpr Instant kLongAgo{-hours(1).ns};  // chores that began then are due now

// More than go in one step. Returns how many.
size_t has_expired_tokens(Shelf& shelf) {
    const Device phone = shelf.has(a_device(shelf.has(an_account("anna")), "phone"));
    std::vector<Change> changes;
    for (size_t i = 0; i < 2 * kSweepErasedMax; ++i) {
        Token token = a_token(phone, std::to_string(i));
        token.expires = from_unix_seconds(1);
        changes.emplace_back(CreateToken{"chat", token, 1'000'000});
    }
    return shelf.write_all(std::move(changes)).size();
}

Account find(Shelf& shelf, const std::string& name) {
    return shelf.account(name).value_or(Account{});
}

}  // namespace

TEST_CASE("Each write is answered once, in order, to the worker that asked",
          "[store][commit_thread]") {
    Shelf shelf;
    Told told;
    CommitThread thread(shelf.committer(), Told::deliver, &told);
    constexpr uint32_t kWorkers = 3;
    constexpr uint64_t kWrites = 400;
    std::vector<std::thread> workers;
    for (uint32_t worker = 1; worker <= kWorkers; ++worker) {
        workers.emplace_back([&thread, worker] {
            for (uint64_t i = 1; i <= kWrites; ++i) {
                // Every second name is asked for by all, so all but one are refused.
                const std::string name =
                    i % 2 == 0 ? std::to_string(i) : std::to_string(worker * kWrites + i);
                while (!thread.submit(account_write(i, name, worker))) std::this_thread::yield();
            }
        });
    }
    for (std::thread& worker : workers) worker.join();
    REQUIRE(told.wait_for(kWorkers * kWrites));
    thread.stop();

    std::map<uint32_t, Ticket> last;
    std::map<Ticket, int> done;
    for (const Committed& committed : told.committed()) {
        REQUIRE(committed.ticket == last[committed.worker] + 1);
        last[committed.worker] = committed.ticket;
        REQUIRE(committed.status != WriteStatus::failed);
        done[committed.ticket] += committed.status == WriteStatus::done ? 1 : 0;
    }
    for (uint64_t i = 1; i <= kWrites; ++i) REQUIRE(done[i] == (i % 2 == 0 ? 1 : 3));
    CHECK(thread.counts().writes == kWorkers * kWrites);
    CHECK(thread.counts().commits >= 1);
    CHECK(thread.counts().failures == 0);
    CHECK_FALSE(thread.counts().is_read_only);
}

TEST_CASE("What was answered is visible, and nobody hears of writes without a ticket",
          "[store][commit_thread]") {
    Shelf shelf;
    Told told;
    CommitThread thread(shelf.committer(), Told::deliver, &told);
    REQUIRE(thread.submit(account_write(0, "anna")));
    REQUIRE(thread.submit(account_write(7, "bob", 3)));
    REQUIRE(told.wait_for(1));
    CHECK(find(shelf, "anna").username == "anna");
    CHECK(find(shelf, "bob").username == "bob");
    thread.stop();
    const auto committed = told.committed();
    REQUIRE(committed.size() == 1);
    CHECK(committed[0].ticket == 7);
    CHECK(committed[0].worker == 3);
    CHECK(committed[0].status == WriteStatus::done);
}

TEST_CASE("Stopping commits what waits and takes no more", "[store][commit_thread]") {
    Shelf shelf;
    Told told;
    CommitThread thread(shelf.committer(), Told::deliver, &told);
    for (Ticket i = 1; i <= 100; ++i) REQUIRE(thread.submit(account_write(i, std::to_string(i))));
    thread.stop();
    CHECK(told.committed().size() == 100);
    CHECK_FALSE(thread.submit(account_write(101, "late")));
    thread.stop();
    CHECK(find(shelf, "100").username == "100");
    CHECK(find(shelf, "late").username.empty());
}

TEST_CASE("A full queue refuses, and takes again when it has drained", "[store][commit_thread]") {
    Shelf shelf;
    Told told;
    told.set_open(false);
    CommitThread thread(shelf.committer(), Told::deliver, &told);
    const Write write{1, 0, SetPasswordHash{id_of("nobody"), "hash"}};
    REQUIRE(thread.submit(Write(write)));
    REQUIRE(told.wait_until_listening());
    for (size_t i = 1; i < kQueueMax; ++i) REQUIRE(thread.submit(Write(write)));
    CHECK_FALSE(thread.submit(Write(write)));
    told.set_open(true);
    REQUIRE(told.wait_for(kQueueMax));
    // The place is free soon after the answer was given.
    while (!thread.submit(Write(write))) std::this_thread::yield();
    thread.stop();
    CHECK(told.committed().size() == kQueueMax + 1);
    // No batch beyond the limit, and those that waited went together.
    CHECK(thread.counts().commits >= 1 + (kQueueMax - 1) / kBatchWritesMax);
    CHECK(thread.counts().commits <= 4 + kQueueMax / kBatchWritesMax);
}

TEST_CASE("A failed commit makes the store read-only, loudly and once; a probe ends it",
          "[store][commit_thread][failure]") {
    Shelf shelf;
    Told told;
    const Log log;
    CommitThread thread(shelf.committer(), Told::deliver, &told, milliseconds(5));
    REQUIRE(thread.submit(account_write(1, "anna")));
    REQUIRE(told.wait_for(1));
    bool is_read_only = false;
    {
        const test::FullDisk disk;
        for (Ticket i = 2; i < 50; ++i) {
            const bool is_taken = thread.submit(account_write(i, std::to_string(i)));
            is_read_only = is_taken && told.wait_for(i) && thread.counts().is_read_only;
        }
    }
    CHECK(is_read_only);
    REQUIRE(log.wait_for("store_writable"));  // nobody has written anything
    CHECK(log.count_of("store_read_only") == 1);
    CHECK(log.count_of("store_writable") == 1);
    CHECK(log.text().find(
              "<3>event=store_read_only error=\"no room for the database on its disk\"") !=
          std::string::npos);
    CHECK_FALSE(thread.counts().is_read_only);
    CHECK(thread.counts().failures >= 1);
    CHECK(thread.counts().writes == 1);

    REQUIRE(thread.submit(account_write(50, "bob")));
    thread.stop();
    const auto committed = told.committed();
    REQUIRE(committed.size() == 50);
    CHECK(committed[0].status == WriteStatus::done);
    for (size_t i = 1; i < 49; ++i) CHECK(committed[i].status == WriteStatus::failed);
    CHECK(committed[49].status == WriteStatus::done);
    CHECK(find(shelf, "bob").username == "bob");
    CHECK(find(shelf, "2").username.empty());
}

TEST_CASE("While the store is read-only, writes fail without touching the disk",
          "[store][commit_thread][failure]") {
    Shelf shelf;
    Told told;
    const Log log;
    CommitThread thread(shelf.committer(), Told::deliver, &told, hours(1));
    {
        const test::FullDisk disk;
        REQUIRE(thread.submit(account_write(1, "anna")));
        REQUIRE(told.wait_for(1));
    }
    // There is room again, but it is not yet time to try.
    for (Ticket i = 2; i <= 20; ++i) REQUIRE(thread.submit(account_write(i, std::to_string(i))));
    REQUIRE(told.wait_for(20));
    for (const Committed& committed : told.committed()) {
        CHECK(committed.status == WriteStatus::failed);
    }
    CHECK(thread.counts().failures == 1);
    CHECK(thread.counts().is_read_only);
    thread.stop();
    CHECK(log.count_of("store_writable") == 0);
}

TEST_CASE("Clients' writes are answered while what has expired is swept",
          "[store][commit_thread]") {
    Shelf shelf;
    const size_t tokens = has_expired_tokens(shelf);
    Told told;
    Sweep sweep(shelf.env(), shelf.committer(), kLongLifetime);
    Resealer resealer(shelf.env(), shelf.random(), "no file");
    Chores chores(resealer, sweep, kLongAgo);
    CommitThread thread(shelf.committer(), Told::deliver, &told, kRetryAfter, &chores);
    for (Ticket i = 1; i <= 200; ++i) {
        REQUIRE(thread.submit(account_write(i, std::to_string(i))));
        REQUIRE(told.wait_for(i));
    }
    while (sweep.counts().tokens.get() < tokens) std::this_thread::yield();
    thread.stop();
    for (const Committed& committed : told.committed()) {
        CHECK(committed.status == WriteStatus::done);
    }
    CHECK(thread.counts().writes == 200);
    CHECK(shelf.tokens_of(an_account("anna")).empty());
    CHECK(find(shelf, "200").username == "200");
}

TEST_CASE("Nothing is swept while the store is read-only; it goes on when there is room",
          "[store][commit_thread][failure]") {
    Shelf shelf;
    const size_t tokens = has_expired_tokens(shelf);
    Told told;
    const Log log;
    Sweep sweep(shelf.env(), shelf.committer(), kLongLifetime);
    Resealer resealer(shelf.env(), shelf.random(), "no file");
    Chores chores(resealer, sweep, kLongAgo, milliseconds(5));
    std::optional<CommitThread> thread;
    {
        const test::FullDisk disk;
        thread.emplace(shelf.committer(), Told::deliver, &told, milliseconds(5), &chores);
        REQUIRE(thread->submit(account_write(1, "bob")));
        REQUIRE(told.wait_for(1));
        CHECK(thread->counts().is_read_only);
        CHECK(shelf.tokens_of(an_account("anna")).size() == tokens);
    }
    while (sweep.counts().tokens.get() < tokens) std::this_thread::yield();
    CHECK_FALSE(thread->counts().is_read_only);
    thread->stop();
    CHECK(shelf.tokens_of(an_account("anna")).empty());
}

TEST_CASE("A batch that was too much does not stop the smaller ones after it",
          "[store][commit_thread][failure]") {
    Shelf shelf(size_t{192} << 10);
    const Device phone = shelf.has(a_device(shelf.has(an_account("anna")), "phone"));
    Told told;
    const Log log;
    CommitThread thread(shelf.committer(), Told::deliver, &told, Duration{0});
    told.set_open(false);
    REQUIRE(thread.submit(account_write(1, "bob")));
    REQUIRE(told.wait_until_listening());
    for (Ticket i = 2; i <= 1'000; ++i) {  // all in one batch
        REQUIRE(
            thread.submit({i, 0, CreateToken{"chat", a_token(phone, std::to_string(i)), 9'999}}));
    }
    told.set_open(true);
    REQUIRE(told.wait_for(1'000));
    REQUIRE(thread.submit(account_write(1'001, "carol")));
    thread.stop();
    const auto committed = told.committed();
    REQUIRE(committed.size() == 1'001);
    CHECK(committed[1].status == WriteStatus::failed);
    CHECK(committed[999].status == WriteStatus::failed);
    CHECK(committed[1'000].status == WriteStatus::done);
    CHECK(log.text().find("the database has reached its largest size") != std::string::npos);
    CHECK(log.count_of("store_read_only") == 1);
    CHECK(log.count_of("store_writable") == 1);
    CHECK(shelf.tokens_of(an_account("anna")).empty());
}
