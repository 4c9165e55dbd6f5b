// SPDX-License-Identifier: GPL-3.0-or-later
#include <deque>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/list.h"
#include "base/random.h"

using namespace knuckle;

namespace {

struct Job {
    explicit Job(char n) : name(n) {}
    char name;
    Link waiting;
    Link by_device;
};

using Waiting = List<Job, &Job::waiting>;
using ByDevice = List<Job, &Job::by_device>;

std::string names(const Waiting& list) {
    std::string text;
    for (const Job* job = list.front(); job != nullptr; job = Waiting::next(*job)) {
        text += job->name;
    }
    CHECK(list.count() == text.size());
    CHECK(list.is_empty() == text.empty());
    return text;
}

}  // namespace

TEST_CASE("a list keeps the order of joining", "[base][list]") {
    Job a('a'), b('b'), c('c');
    Waiting list;
    CHECK(names(list).empty());
    CHECK(list.front() == nullptr);
    list.push_back(b);
    list.push_back(c);
    list.push_front(a);
    CHECK(names(list) == "abc");
    CHECK(list.front() == &a);
    CHECK(list.pop_front() == &a);
    CHECK(list.pop_front() == &b);
    CHECK(list.pop_front() == &c);
    CHECK(list.pop_front() == nullptr);
}

TEST_CASE("anything can leave from anywhere and join again", "[base][list]") {
    Job a('a'), b('b'), c('c'), d('d');
    Waiting list;
    for (Job* job : {&a, &b, &c, &d}) list.push_back(*job);
    list.erase(b);
    CHECK(names(list) == "acd");
    CHECK_FALSE(Waiting::contains(b));
    CHECK(Waiting::contains(c));
    list.erase(d);
    CHECK(names(list) == "ac");
    list.erase(a);
    CHECK(names(list) == "c");
    list.push_back(b);
    list.push_front(d);
    CHECK(names(list) == "dcb");
    list.erase(c);
    list.erase(d);
    list.erase(b);
    CHECK(names(list).empty());
    list.push_front(a);
    CHECK(names(list) == "a");
    list.erase(a);
}

TEST_CASE("a thing may be in as many lists as it has links", "[base][list]") {
    Job a('a');
    Waiting waiting;
    ByDevice by_device;
    waiting.push_back(a);
    by_device.push_back(a);
    waiting.erase(a);
    CHECK_FALSE(Waiting::contains(a));
    CHECK(ByDevice::contains(a));
    CHECK(by_device.pop_front() == &a);
}

TEST_CASE("a list agrees with a plain sequence over random operations", "[base][list]") {
    Random random(1);
    std::deque<Job> jobs;
    for (char name = 'A'; name <= 'Z'; ++name) jobs.emplace_back(name);
    Waiting list;
    std::string expected;
    for (int step = 0; step < 20'000; ++step) {
        Job& job = jobs[random.below(jobs.size())];
        if (Waiting::contains(job)) {
            list.erase(job);
            std::erase(expected, job.name);
        } else if (random.below(2) == 0) {
            list.push_back(job);
            expected += job.name;
        } else {
            list.push_front(job);
            expected.insert(expected.begin(), job.name);
        }
        REQUIRE(names(list) == expected);
    }
    while (list.pop_front() != nullptr) continue;
}
