// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "push/dispatcher.h"

namespace knuckle::push {
namespace {

struct Desk {
    Timers timers;
    Random random{1};
    Dispatcher dispatcher{
        {.jobs_max = 4, .large_payloads_max = 1, .lanes_count = 2, .retry_timer_kind = 9},
        timers,
        random};
    Now now{{seconds(1'000).ns}, from_unix_seconds(1'800'000'000)};

    Job* admit(uint16_t lane = 0) {
        Payload* const payload = dispatcher.make_payload(Style::alert, "token", "null");
        if (payload == nullptr) return nullptr;
        Job* const job = dispatcher.admit(lane, *payload);
        if (job == nullptr) {
            dispatcher.drop_payload(*payload);
        } else {
            job->expires = now.unix + hours(1);
        }
        return job;
    }
    Job& submitted(uint16_t lane = 0) {
        Job* const job = admit(lane);
        REQUIRE(job != nullptr);
        dispatcher.submit(*job, now);
        return *job;
    }
    Verdict settle(Job& job, Outcome outcome) {
        return dispatcher.settle(job, {.outcome = outcome}, now);
    }
};

TEST_CASE("a lane hands out its jobs in order of arrival, each lane its own", "[push]") {
    Desk desk;
    Job& first = desk.submitted(0);
    Job& other = desk.submitted(1);
    Job& second = desk.submitted(0);
    CHECK(desk.dispatcher.take(0, Trust::proven, desk.now) == &first);
    CHECK(desk.dispatcher.take(0, Trust::proven, desk.now) == &second);
    CHECK(desk.dispatcher.take(0, Trust::proven, desk.now) == nullptr);
    CHECK(desk.dispatcher.take(1, Trust::proven, desk.now) == &other);
    CHECK(desk.dispatcher.lane(0).in_flight == 2);
}

TEST_CASE("a job that is deferred joins its lane when its time has come", "[push]") {
    Desk desk;
    Job* const job = desk.admit();
    REQUIRE(job != nullptr);
    desk.dispatcher.delay(*job, desk.now.instant + seconds(3));
    CHECK(desk.dispatcher.take(0, Trust::proven, desk.now) == nullptr);
    CHECK(desk.timers.pop_due(desk.now.instant + milliseconds(2'999)) == nullptr);
    CHECK(desk.timers.pop_due(desk.now.instant + seconds(3)) == &job->timer);
    desk.dispatcher.resume(*job, desk.now);
    CHECK(desk.dispatcher.take(0, Trust::proven, desk.now) == job);

    // Or it is given up before.
    Job* const other = desk.admit();
    desk.dispatcher.delay(*other, desk.now.instant + seconds(3));
    desk.dispatcher.release(*other);
    CHECK(desk.timers.next_deadline() == kNever);
}

TEST_CASE("what an earlier process left is counted by app until it is settled", "[push]") {
    Desk desk;
    desk.dispatcher.pair(0, 1);
    const auto left = [&] {
        CHECK(desk.dispatcher.left_count(0) == desk.dispatcher.left_count(1));
        return desk.dispatcher.left_count(0);
    };
    for (int i = 0; i < 3; ++i) {
        Job* const job = desk.admit(0);
        REQUIRE(job != nullptr);
        desk.dispatcher.resubmit(*job, desk.now);
    }
    Job& newer = desk.submitted(1);
    CHECK(left() == 3);
    CHECK(desk.dispatcher.take(1, Trust::proven, desk.now) == &newer);
    desk.dispatcher.release(newer);
    CHECK(left() == 3);

    // Put off.
    Job* const first = desk.dispatcher.take(0, Trust::proven, desk.now);
    REQUIRE(first != nullptr);
    CHECK(desk.settle(*first, Outcome::throttled).action == Action::retry);
    REQUIRE(first->state == JobState::delayed);
    CHECK(left() == 3);
    // Gone over to the twin.
    Job* const second = desk.dispatcher.take(0, Trust::proven, desk.now);
    REQUIRE(second != nullptr);
    CHECK(desk.settle(*second, Outcome::bad_token).crosses);
    REQUIRE(second->lane == 1);
    CHECK(left() == 3);
    // One with a newer one, whose place it keeps.
    Job* const third = desk.dispatcher.take(0, Trust::proven, desk.now);
    REQUIRE(third != nullptr);
    desk.dispatcher.release(*third);
    CHECK(left() == 2);
    desk.dispatcher.merge(desk.submitted(1), *second);
    CHECK(left() == 1);
    desk.dispatcher.release(*first);
    CHECK(left() == 0);
}

TEST_CASE("the door is shut when our hands are full and opens again", "[push]") {
    Desk desk;
    std::vector<Job*> jobs;
    for (size_t i = 0; i < 4; ++i) jobs.push_back(&desk.submitted());
    CHECK(desk.admit() == nullptr);
    desk.dispatcher.release(*jobs[2]);
    CHECK(desk.admit() != nullptr);
}

TEST_CASE("pushes of one knock share its payload, which ends with the last", "[push]") {
    Desk desk;
    const std::string large(kSmallPayloadMax + 1, 'x');
    Payload* const payload = desk.dispatcher.copy_payload(large);
    REQUIRE(payload != nullptr);
    CHECK(desk.dispatcher.copy_payload(large) == nullptr);  // the only large block is taken
    Job* const one = desk.dispatcher.admit(0, *payload);
    Job* const two = desk.dispatcher.admit(1, *payload);
    CHECK(two->payload->text() == large);
    desk.dispatcher.release(*one);
    CHECK(desk.dispatcher.copy_payload(large) == nullptr);
    desk.dispatcher.release(*two);
    Payload* const again = desk.dispatcher.copy_payload(large);
    REQUIRE(again != nullptr);
    desk.dispatcher.drop_payload(*again);
}

TEST_CASE("a push that was not processed goes first and counts as no attempt", "[push]") {
    Desk desk;
    Job& first = desk.submitted();
    Job& second = desk.submitted();
    REQUIRE(desk.dispatcher.take(0, Trust::proven, desk.now) == &first);
    CHECK(desk.settle(first, Outcome::not_processed).action == Action::retry);
    CHECK(first.attempts == 0);
    CHECK(desk.dispatcher.take(0, Trust::proven, desk.now) == &first);
    CHECK(desk.dispatcher.take(0, Trust::proven, desk.now) == &second);
}

TEST_CASE("a delayed push comes back when its timer says so", "[push]") {
    Desk desk;
    Job& job = desk.submitted();
    REQUIRE(desk.dispatcher.take(0, Trust::proven, desk.now) == &job);
    const Verdict verdict = desk.settle(job, Outcome::provider_failed);
    REQUIRE(verdict.action == Action::retry);
    CHECK(desk.dispatcher.take(0, Trust::proven, desk.now) == nullptr);
    CHECK(desk.timers.next_deadline() == verdict.at);
    Timer* const due = desk.timers.pop_due(verdict.at);
    REQUIRE(due != nullptr);
    CHECK(due->kind == 9);
    CHECK(due->owner == &job);
    desk.dispatcher.resume(job, desk.now);
    CHECK(desk.dispatcher.take(0, Trust::proven, desk.now) == &job);
    CHECK(job.attempts == 1);
}

TEST_CASE("of two pushes that wait, one goes out: the newer, in the older's place", "[push]") {
    Desk desk;
    Job& older = desk.submitted();
    Job& between = desk.submitted();
    Job& newer = desk.submitted();
    older.attempts = 3;
    older.expires = newer.expires + hours(1);
    newer.push = Uuid{{1, 2, 3}};
    const Payload* const payload = newer.payload;
    newer.serial = 1;
    desk.dispatcher.merge(older, newer);
    CHECK(older.serial == 1);
    CHECK(desk.dispatcher.jobs_count() == 2);
    CHECK(older.payload == payload);
    CHECK(older.push == Uuid{{1, 2, 3}});
    CHECK(older.attempts == 0);
    CHECK(older.expires > between.expires);
    CHECK(desk.dispatcher.take(0, Trust::proven, desk.now) == &older);
    CHECK(desk.dispatcher.take(0, Trust::proven, desk.now) == &between);
}

TEST_CASE("a released push leaves its queue, its lane and its timer", "[push]") {
    Desk desk;
    Job& waiting = desk.submitted();
    Job& delayed = desk.submitted();
    desk.dispatcher.release(waiting);
    REQUIRE(desk.dispatcher.take(0, Trust::proven, desk.now) == &delayed);
    static_cast<void>(desk.settle(delayed, Outcome::throttled));
    const JobId id = desk.dispatcher.id_of(delayed);
    desk.dispatcher.release(delayed);
    CHECK(desk.timers.count() == 0);
    CHECK(desk.dispatcher.lane(0).in_flight == 0);
    CHECK(desk.dispatcher.find(id) == nullptr);
    CHECK(desk.dispatcher.jobs_count() == 0);
}

TEST_CASE("a token that is bad in one environment goes over to the other's lane, once", "[push]") {
    Desk desk;
    desk.dispatcher.pair(0, 1);
    Job& job = desk.submitted(0);
    const Uuid id = job.push = Uuid{{1, 2, 3}};
    REQUIRE(desk.dispatcher.take(0, Trust::proven, desk.now) == &job);
    CHECK(desk.settle(job, Outcome::bad_token).action == Action::retry);
    CHECK(desk.dispatcher.lane(0).in_flight == 0);
    CHECK(desk.dispatcher.lane(0).waiting_count() == 0);
    REQUIRE(desk.dispatcher.take(1, Trust::unproven, desk.now) == &job);
    CHECK(job.push == id);
    SECTION("which may take it") {
        CHECK(desk.settle(job, Outcome::delivered).action == Action::finish);
    }
    SECTION("which may refuse it as well; that says nothing until both have delivered") {
        CHECK(desk.settle(job, Outcome::bad_token).action == Action::finish);
    }
    SECTION("where it is tried again as any other") {
        CHECK(desk.settle(job, Outcome::provider_failed).action == Action::retry);
        CHECK(job.state == JobState::delayed);
        CHECK(job.lane == 1);
    }
    desk.dispatcher.release(job);
    CHECK(desk.dispatcher.lane(1).in_flight == 0);
}

TEST_CASE("a token that is bad in both environments costs a device when both are known to work",
          "[push]") {
    Desk desk;
    desk.dispatcher.pair(0, 1);
    const auto meets = [&](uint16_t lane, std::initializer_list<Outcome> outcomes) {
        Job& job = desk.submitted(lane);
        Verdict verdict;
        for (const Outcome outcome : outcomes) {
            Job* taken = desk.dispatcher.take(job.lane, job.trust, desk.now);
            REQUIRE(taken == &job);
            verdict = desk.settle(job, outcome);
        }
        desk.dispatcher.release(job);
        return verdict.action;
    };
    const std::initializer_list<Outcome> refused = {Outcome::bad_token, Outcome::bad_token};
    CHECK(meets(0, refused) == Action::finish);
    CHECK(meets(0, {Outcome::delivered}) == Action::finish);
    CHECK(meets(0, refused) == Action::finish);
    CHECK(meets(1, refused) == Action::finish);
    CHECK(meets(1, {Outcome::delivered}) == Action::finish);
    CHECK(meets(0, refused) == Action::forget);
    CHECK(meets(1, refused) == Action::forget);
}

TEST_CASE("of two pushes on twin lanes one remains, where the newer one goes", "[push]") {
    Desk desk;
    desk.dispatcher.pair(0, 1);
    Job& older = desk.submitted(0);
    Job& newer = desk.submitted(1);
    newer.serial = 1;
    desk.dispatcher.merge(older, newer);
    CHECK(desk.dispatcher.jobs_count() == 1);
    CHECK(desk.dispatcher.lane(0).waiting_count() == 0);
    CHECK(desk.dispatcher.take(1, Trust::proven, desk.now) == &older);
    desk.dispatcher.release(older);
    CHECK(desk.dispatcher.lane(1).in_flight == 0);
}

TEST_CASE("a lane that has delivered is known to work", "[push]") {
    Desk desk;
    Job& job = desk.submitted(1);
    REQUIRE(desk.dispatcher.take(1, Trust::proven, desk.now) == &job);
    CHECK_FALSE(desk.dispatcher.lane(1).has_delivered);
    CHECK(desk.settle(job, Outcome::delivered).action == Action::finish);
    CHECK(desk.dispatcher.lane(1).has_delivered);
    desk.dispatcher.release(job);
}

}  // namespace
}  // namespace knuckle::push
