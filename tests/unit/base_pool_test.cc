// SPDX-License-Identifier: GPL-3.0-or-later
#include <map>
#include <memory>
#include <set>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/pool.h"
#include "base/random.h"

using namespace knuckle;

namespace {

int g_alive = 0;

struct Job {
    explicit Job(int n) : number(n) { ++g_alive; }
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;
    ~Job() { --g_alive; }
    int number;
    alignas(64) char payload[64] = {};
};

// As many lie in one slab: with what the pool adds each takes three lines of 64.
constexpr uint32_t kSlab = Pool<Job>::kSlabSize / (3 * 64);

}  // namespace

TEST_CASE("a pool refuses when it is full and gives again what came back", "[base][pool]") {
    for (const size_t count_max : {0U, 1U, kSlab - 1, kSlab, 2 * kSlab + 1}) {
        Pool<Job> pool(count_max);
        CHECK(pool.count_max() == count_max);
        std::vector<Job*> jobs;
        std::set<Job*> addresses;
        for (size_t i = 0; i < count_max; ++i) {
            REQUIRE_FALSE(pool.is_full());
            Job* const job = pool.take(static_cast<int>(i));
            REQUIRE(job != nullptr);
            REQUIRE(addresses.insert(job).second);
            jobs.push_back(job);
        }
        CHECK(pool.is_full());
        CHECK(pool.take(-1) == nullptr);
        CHECK(pool.count() == count_max);
        if (count_max == 0) continue;
        pool.give_back(*jobs.front());
        CHECK_FALSE(pool.is_full());
        Job* const again = pool.take(7);
        REQUIRE(again != nullptr);
        CHECK(again->number == 7);
        CHECK(pool.take(-1) == nullptr);
    }
    CHECK(g_alive == 0);
}

TEST_CASE("an id finds its object until it is given back, and never after", "[base][pool]") {
    Pool<Job> pool(1);
    Job* const first = pool.take(1);
    const Id<Job> id = pool.id_of(*first);
    CHECK_FALSE(id.is_null());
    CHECK(pool.find(id) == first);
    pool.give_back(*first);
    CHECK(pool.find(id) == nullptr);

    // The next object lives at the same place but has an id of its own.
    Job* const second = pool.take(2);
    CHECK(second == first);
    CHECK(pool.find(id) == nullptr);
    const Id<Job> second_id = pool.id_of(*second);
    CHECK(second_id != id);
    CHECK(pool.find(second_id) == second);
}

TEST_CASE("an id that was never given out finds nothing", "[base][pool]") {
    Pool<Job> pool(200);
    CHECK(Id<Job>{}.is_null());
    CHECK(pool.find(Id<Job>{}) == nullptr);
    CHECK(pool.find(Id<Job>{0, 1}) == nullptr);
    REQUIRE(pool.take(1) != nullptr);
    CHECK(pool.find(Id<Job>{0, 0}) == nullptr);
    CHECK(pool.find(Id<Job>{kSlab - 1, 2}) == nullptr);
    CHECK(pool.find(Id<Job>{kSlab, 1}) == nullptr);
    CHECK(pool.find(Id<Job>{UINT32_MAX, 1}) == nullptr);
}

TEST_CASE("what is left in a pool ends with it", "[base][pool]") {
    {
        Pool<Job> pool(100);
        for (int i = 0; i < 100; ++i) REQUIRE(pool.take(i) != nullptr);
        CHECK(g_alive == 100);
    }
    CHECK(g_alive == 0);
}

TEST_CASE("a visit sees each live object once and may give back the one it sees", "[base][pool]") {
    Pool<Job> pool(100);
    std::vector<Job*> jobs;
    for (int i = 0; i < 100; ++i) jobs.push_back(pool.take(i));
    pool.give_back(*jobs[10]);
    pool.give_back(*jobs[99]);
    std::set<int> seen;
    pool.for_each([&](Job& job) {
        CHECK(seen.insert(job.number).second);
        if (job.number % 2 == 0) pool.give_back(job);
    });
    CHECK(seen.size() == 98);
    CHECK(pool.count() == 49);
    pool.for_each([](const Job& job) { CHECK(job.number % 2 == 1); });
}

TEST_CASE("objects do not move and are aligned as they ask", "[base][pool]") {
    Pool<Job> pool(1000);
    Job* const first = pool.take(42);
    for (int i = 0; i < 999; ++i) REQUIRE(pool.take(i) != nullptr);
    CHECK(first->number == 42);
    pool.for_each(
        [](const Job& job) { CHECK(reinterpret_cast<uintptr_t>(job.payload) % 64 == 0); });
}

TEST_CASE("a pool holds things that can only be moved into it", "[base][pool]") {
    Pool<std::unique_ptr<int>> pool(2);
    std::unique_ptr<int>* const item = pool.take(std::make_unique<int>(5));
    REQUIRE(item != nullptr);
    CHECK(**item == 5);
}

TEST_CASE("ids stay exact over random operations", "[base][pool]") {
    Random random(2);
    Pool<Job> pool(150);
    std::map<int, Id<Job>> live;
    std::vector<Id<Job>> dead;
    for (int step = 0; step < 20'000; ++step) {
        if (random.below(100) < (step / 2'000 % 2 == 0 ? 60 : 40)) {
            Job* const job = pool.take(step);
            REQUIRE((job == nullptr) == (live.size() == 150));
            if (job != nullptr) live[step] = pool.id_of(*job);
        } else if (!live.empty()) {
            auto it = live.begin();
            std::advance(it, static_cast<long>(random.below(live.size())));
            pool.give_back(*pool.find(it->second));
            dead.push_back(it->second);
            live.erase(it);
        }
        REQUIRE(pool.count() == live.size());
        if (!dead.empty()) REQUIRE(pool.find(dead[random.below(dead.size())]) == nullptr);
        for (const auto& [number, id] : live) {
            const Job* const job = pool.find(id);
            if (job == nullptr || job->number != number) FAIL("an id lost its object");
        }
    }
}
