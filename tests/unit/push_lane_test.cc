// SPDX-License-Identifier: GPL-3.0-or-later
// What a lane holds back, and why.
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "push/dispatcher.h"

namespace knuckle::push {
namespace {

struct Road {
    Timers timers;
    Random random{1};
    Dispatcher dispatcher{{.jobs_max = 500,
                           .large_payloads_max = 1,
                           .lanes_count = 2,
                           .resend_interval = milliseconds(10)},
                          timers,
                          random};
    Now now{{hours(1).ns}, from_unix_seconds(1'800'000'000)};

    Job& admitted(Trust trust) {
        Job* const job = dispatcher.admit(0, *dispatcher.copy_payload("{}"));
        job->expires = now.unix + hours(24);
        job->trust = trust;
        return *job;
    }
    Job& submitted(Trust trust = Trust::proven) {
        Job& job = admitted(trust);
        dispatcher.submit(job, now);
        return job;
    }
    Job* take(Trust trust = Trust::proven) { return dispatcher.take(0, trust, now); }
    // The next push meets this answer.
    Verdict meets(Outcome outcome) {
        Job* const job = take();
        REQUIRE(job != nullptr);
        const Verdict verdict = dispatcher.settle(*job, {.outcome = outcome}, now);
        if (verdict.action != Action::retry) dispatcher.release(*job);
        return verdict;
    }
    void pass(Duration span) {
        now = {now.instant + span, now.unix + span};
        while (Timer* const due = timers.pop_due(now.instant))
            dispatcher.resume(*static_cast<Job*>(due->owner), now);
    }
    void pass_to_probe() {
        const Instant next = lane().breaker.probe_at();
        REQUIRE(next != kNever);
        if (next > now.instant) pass(next - now.instant);
    }
    // The push that is let through, as soon as one is.
    Job* probe() {
        pass_to_probe();
        Job* const job = take();
        REQUIRE(job != nullptr);
        return job;
    }
    size_t take_all() {
        size_t count = 0;
        while (Job* const job = take()) {
            dispatcher.release(*job);
            ++count;
        }
        return count;
    }
    [[nodiscard]] const Lane& lane() const { return dispatcher.lane(0); }
};

TEST_CASE(
    "a refused topic or credential stops the lane; one probe at a time finds out when it is "
    "right again",
    "[push]") {
    Road road;
    for (int i = 0; i < 10; ++i) road.submitted();
    CHECK(road.meets(Outcome::misconfigured).action == Action::retry);
    CHECK(road.lane().is_stopped());
    CHECK(road.take() == nullptr);
    Job* const probe = road.probe();
    CHECK(road.take() == nullptr);
    // It met the same refusal, so the next one takes another connection.
    const Verdict again =
        road.dispatcher.settle(*probe, {.outcome = Outcome::misconfigured}, road.now);
    CHECK(again.close_upstream);
    CHECK(road.take() == nullptr);
    road.pass_to_probe();
    CHECK(road.meets(Outcome::delivered).action == Action::finish);
    CHECK_FALSE(road.lane().is_stopped());
    CHECK(road.take() != nullptr);
}

TEST_CASE("other lanes go on", "[push]") {
    Road road;
    road.submitted();
    road.meets(Outcome::misconfigured);
    CHECK(road.lane().is_stopped());
    CHECK_FALSE(road.dispatcher.lane(1).is_stopped());
}

TEST_CASE("a probe that tells nothing is followed by another soon", "[push]") {
    Road road;
    for (int i = 0; i < 4; ++i) road.submitted();
    road.meets(Outcome::misconfigured);
    road.pass_to_probe();
    road.meets(Outcome::unknown);
    CHECK(road.take() == nullptr);
    road.pass(kProbeAgain);
    Job* const probe = road.take();
    REQUIRE(probe != nullptr);
    road.dispatcher.release(*probe);  // expired before it was sent
    CHECK(road.take() != nullptr);
}

TEST_CASE("some failures of the provider are its pushes' matter, many in a row stop the lane",
          "[push]") {
    Road road;
    for (int i = 0; i < 40; ++i) road.submitted();
    for (uint32_t i = 1; i < kProviderFailuresMax; ++i) road.meets(Outcome::provider_failed);
    CHECK_FALSE(road.lane().is_stopped());
    road.meets(Outcome::delivered);
    for (uint32_t i = 1; i < kProviderFailuresMax; ++i) road.meets(Outcome::provider_failed);
    CHECK_FALSE(road.lane().is_stopped());
    road.meets(Outcome::provider_failed);
    CHECK(road.lane().is_stopped());
    CHECK(road.lane().breaker.trouble() == Trouble::provider);
}

TEST_CASE("what waited while a lane was stopped goes out at the pace, new pushes at once",
          "[push]") {
    Road road;
    for (int i = 0; i < 200; ++i) road.submitted();
    for (uint32_t i = 0; i < kProviderFailuresMax; ++i) road.meets(Outcome::provider_failed);
    for (int i = 0; i < 50; ++i) road.submitted();
    road.pass_to_probe();
    road.meets(Outcome::delivered);
    const size_t at_once = road.take_all();
    CHECK(at_once <= 10);
    for (int i = 0; i < 20; ++i) road.submitted();
    CHECK(road.take_all() == 20);
    size_t later = 0;
    for (int i = 0; i < 20; ++i) {
        CHECK(road.lane().next_turn(Trust::proven) > road.now.instant);
        road.pass(kPaceStep);
        later += road.take_all();
    }
    CHECK(later >= 90);
    CHECK(later <= 110);
    road.pass(seconds(10));
    for (int i = 0; i < 100; ++i) {
        road.pass(milliseconds(100));
        road.take_all();
    }
    CHECK(road.dispatcher.jobs_count() == 0);
}

TEST_CASE("devices of another topic: one is its own fault, many and none of ours is us", "[push]") {
    Road road;
    for (int i = 0; i < 20; ++i) road.submitted();
    for (uint32_t i = 1; i < kTopicFaultsMax; ++i)
        CHECK(road.meets(Outcome::wrong_topic).action == Action::finish);
    CHECK(road.meets(Outcome::wrong_topic).action == Action::retry);
    CHECK(road.lane().breaker.trouble() == Trouble::configuration);
    CHECK(road.lane().breaker.is_serious());
}

TEST_CASE("a stranger's devices make no probe fail, so the first of ours finds the lane well",
          "[push]") {
    Road road;
    for (int i = 0; i < 60; ++i) road.submitted();
    for (uint32_t i = 0; i < kTopicFaultsMax; ++i) road.meets(Outcome::wrong_topic);
    REQUIRE(road.lane().is_stopped());
    road.pass_to_probe();
    for (int i = 0; i < 20; ++i) {
        const Verdict verdict = road.meets(Outcome::wrong_topic);
        CHECK(verdict.action == Action::retry);  // whoever's fault it is, the push is kept
        CHECK_FALSE(verdict.close_upstream);
        REQUIRE(road.lane().breaker.probe_at() == road.now.instant + kProbeAgain);
        road.pass_to_probe();
    }
    road.meets(Outcome::delivered);
    CHECK_FALSE(road.lane().is_stopped());
}

TEST_CASE("what is lost between answers does not make a failing provider look well", "[push]") {
    Road road;
    for (int i = 0; i < 40; ++i) road.submitted();
    for (uint32_t i = 0; i < kProviderFailuresMax; ++i) {
        for (const Outcome lost :
             {Outcome::unknown, Outcome::not_processed, Outcome::provider_leaving})
            road.meets(lost);
        road.meets(Outcome::provider_failed);
    }
    CHECK(road.lane().is_stopped());
}

TEST_CASE("a late answer is not the probe's", "[push]") {
    Road road;
    for (int i = 0; i < 10; ++i) road.submitted();
    Job* const late = road.take();
    REQUIRE(late != nullptr);
    road.meets(Outcome::misconfigured);
    Job* const probe = road.probe();
    static_cast<void>(road.dispatcher.settle(*late, {.outcome = Outcome::misconfigured}, road.now));
    CHECK(road.lane().breaker.probe_at() == kNever);  // it is still under way
    static_cast<void>(road.dispatcher.settle(*probe, {.outcome = Outcome::delivered}, road.now));
    CHECK_FALSE(road.lane().is_stopped());
}

TEST_CASE("a probe of before the lane was well is like any other push", "[push]") {
    Road road;
    for (int i = 0; i < 10; ++i) road.submitted();
    Job* const late = road.take();
    REQUIRE(late != nullptr);
    road.meets(Outcome::credential_expired);
    Job* const old_probe = road.probe();
    // What was under way before is taken, so all is well; and then it is not.
    static_cast<void>(road.dispatcher.settle(*late, {.outcome = Outcome::delivered}, road.now));
    REQUIRE_FALSE(road.lane().is_stopped());
    road.pass(seconds(1));
    road.meets(Outcome::credential_expired);
    static_cast<void>(road.probe());
    REQUIRE(road.lane().breaker.probe_at() == kNever);

    SECTION("its answer does not end the wait for the new probe's") {
        const Answer answer{.outcome = Outcome::credential_expired};
        static_cast<void>(road.dispatcher.settle(*old_probe, answer, road.now));
        CHECK(road.lane().breaker.probe_at() == kNever);
        CHECK(road.take() == nullptr);
    }
    SECTION("nor does its end") {
        road.dispatcher.release(*old_probe);
        CHECK(road.lane().breaker.probe_at() == kNever);
    }
    SECTION("if it is delivered all is well") {
        const Answer answer{.outcome = Outcome::delivered};
        static_cast<void>(road.dispatcher.settle(*old_probe, answer, road.now));
        CHECK_FALSE(road.lane().is_stopped());
    }
}

TEST_CASE("a stopped lane wakes up when its probe and its pace let something go", "[push]") {
    Road road;
    for (int i = 0; i < 200; ++i) road.submitted();
    // What waits now goes at the pace, of which a hundred pushes have just taken a second.
    for (uint32_t i = 0; i < kProviderFailuresMax; ++i) road.meets(Outcome::provider_failed);
    road.pass_to_probe();
    road.meets(Outcome::delivered);
    while (Job* const job = road.take()) road.dispatcher.release(*job);
    Job& last = road.submitted();
    REQUIRE(road.take() == &last);
    static_cast<void>(road.dispatcher.settle(last, {.outcome = Outcome::misconfigured}, road.now));
    REQUIRE(road.lane().is_stopped());
    for (int i = 0; i < 20; ++i) {
        const Instant turn = road.lane().next_turn(Trust::proven);
        REQUIRE(turn != kNever);
        CHECK(turn >= road.lane().breaker.probe_at());
        if (turn > road.now.instant) road.pass(turn - road.now.instant);
        Job* const probe = road.take();
        REQUIRE(probe != nullptr);
        CHECK(road.lane().next_turn(Trust::proven) == kNever);
        static_cast<void>(road.dispatcher.settle(*probe, {.outcome = Outcome::unknown}, road.now));
    }
}

TEST_CASE("strangers with devices of another topic cannot stop a lane that delivers", "[push]") {
    Road road;
    for (int i = 0; i < 20; ++i) road.submitted();
    road.meets(Outcome::delivered);
    for (uint32_t i = 0; i < 2 * kTopicFaultsMax; ++i)
        CHECK(road.meets(Outcome::wrong_topic).action == Action::finish);
    CHECK_FALSE(road.lane().is_stopped());
}

TEST_CASE("where no registration was ever accepted, many of another topic are us", "[push]") {
    Road road;
    for (uint32_t i = 0; i < kTopicFaultsMax; ++i) {
        road.submitted(Trust::unproven);
        Job* const job = road.take(Trust::unproven);
        REQUIRE(job != nullptr);
        static_cast<void>(
            road.dispatcher.settle(*job, {.outcome = Outcome::wrong_topic}, road.now));
    }
    CHECK(road.lane().breaker.trouble() == Trouble::configuration);
}

TEST_CASE("what is unproven goes out again at the pace too, after what is proven", "[push]") {
    Road road;
    for (const Trust trust : {Trust::unproven, Trust::proven}) {
        for (int i = 0; i < 200; ++i) road.dispatcher.resubmit(road.admitted(trust), road.now);
    }
    size_t proven = 0;
    while (road.take(Trust::proven) != nullptr) ++proven;
    CHECK(proven > 0);
    CHECK(proven < 200);
    CHECK(road.take(Trust::unproven) == nullptr);
    CHECK(road.lane().next_turn(Trust::unproven) > road.now.instant);
    for (int i = 0; i < 200 && proven < 200; ++i) {
        road.pass(seconds(1));
        while (road.take(Trust::proven) != nullptr) ++proven;
    }
    CHECK(proven == 200);
    road.pass(seconds(1));
    CHECK(road.take(Trust::unproven) != nullptr);
}

TEST_CASE(
    "registrations that were never accepted cannot stop a lane that knows others by their "
    "topic",
    "[push]") {
    Road road;
    road.submitted();
    for (uint32_t i = 0; i < 2 * kTopicFaultsMax; ++i) {
        road.submitted(Trust::unproven);
        Job* const job = road.take(Trust::unproven);
        REQUIRE(job != nullptr);
        CHECK(road.dispatcher.settle(*job, {.outcome = Outcome::wrong_topic}, road.now).action ==
              Action::finish);
        road.dispatcher.release(*job);
    }
    CHECK_FALSE(road.lane().is_stopped());
}

TEST_CASE("the lane knows how long its oldest push has waited", "[push]") {
    Road road;
    CHECK(road.lane().oldest() == kNever);
    road.submitted();
    const Instant then = road.now.instant;
    road.pass(seconds(3));
    road.submitted(Trust::unproven);
    CHECK(road.lane().oldest() == then);
    CHECK(road.lane().waiting_count() == 2);
}

}  // namespace
}  // namespace knuckle::push
