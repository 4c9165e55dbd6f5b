// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "push/retry.h"

namespace knuckle::push {
namespace {

struct Case {
    Job job;
    Answer answer;
    Standing standing{.has_delivered = true};
    Now now{{seconds(1'000).ns}, from_unix_seconds(1'800'000'000)};
    Random random{7};

    explicit Case(Outcome outcome, uint16_t attempts = 1) {
        answer.outcome = outcome;
        job.attempts = attempts;
        job.registered = from_unix_seconds(1'700'000'000);
        job.expires = now.unix + hours(24);
    }
    Verdict judged() { return judge(job, answer, standing, now, random); }
    Duration wait() {
        const Verdict verdict = judged();
        REQUIRE(verdict.action == Action::retry);
        return verdict.at - now.instant;
    }
};

TEST_CASE("what is settled is not sent again", "[push]") {
    for (const Outcome outcome :
         {Outcome::delivered, Outcome::rejected, Outcome::wrong_topic, Outcome::expired}) {
        CHECK(Case(outcome).judged().action == Action::finish);
    }
}

TEST_CASE("a 410 forgets the device unless the app registered it later", "[push]") {
    Case gone(Outcome::unregistered);
    gone.job.registered = gone.now.unix + Duration{-hours(1).ns};
    CHECK(gone.judged().action == Action::forget);  // it did not say since when
    gone.answer.dead_since = gone.job.registered + seconds(1);
    CHECK(gone.judged().action == Action::forget);
    gone.answer.dead_since = gone.job.registered + Duration{-seconds(1).ns};
    CHECK(gone.judged().action == Action::finish);
    // The provider counts in milliseconds.
    gone.job.registered.us += 999;
    gone.answer.dead_since = UnixTime{gone.job.registered.us - 999};
    CHECK(gone.judged().action == Action::forget);
}

TEST_CASE("a device that is called dead a day after it was registered is dead, whatever the clocks",
          "[push]") {
    Case gone(Outcome::unregistered);
    gone.job.registered = gone.now.unix;
    gone.answer.dead_since = gone.job.registered + Duration{-minutes(2).ns};
    // It may have been registered again, which APNs has yet to hear of.
    CHECK(gone.judged().action == Action::finish);
    gone.now.unix = gone.job.registered + kDoubtMax + Duration{-seconds(1).ns};
    CHECK(gone.judged().action == Action::finish);
    gone.now.unix = gone.job.registered + kDoubtMax;
    CHECK(gone.judged().action == Action::forget);
}

TEST_CASE("a bad token costs a device only when the lane is known to work", "[push]") {
    Case bad(Outcome::bad_token);
    CHECK(bad.judged().action == Action::forget);
    bad.standing.has_delivered = false;
    CHECK(bad.judged().action == Action::finish);
}

TEST_CASE("a token that may be of the other environment is tried there once, at once", "[push]") {
    Case bad(Outcome::bad_token);
    CHECK_FALSE(bad.judged().crosses);
    bad.standing.has_twin = true;
    CHECK(bad.wait() == Duration{});
    CHECK(bad.judged().crosses);
    bad.job.has_crossed = true;
    CHECK(bad.judged().action == Action::forget);
    bad.standing.has_delivered = false;
    CHECK(bad.judged().action == Action::finish);
}

TEST_CASE("what is of no use any more is not tried in the other environment", "[push]") {
    Case bad(Outcome::bad_token);
    bad.standing.has_twin = true;
    bad.now.unix = bad.job.expires;
    const Verdict verdict = bad.judged();
    CHECK(verdict.action == Action::finish);
    CHECK_FALSE(verdict.crosses);
}

TEST_CASE("a push the provider never saw is repeated at once, whatever was tried before",
          "[push]") {
    CHECK(Case(Outcome::not_processed, 0).wait() == Duration{});
    CHECK(Case(Outcome::not_processed, 50).wait() == Duration{});
}

TEST_CASE("a push the provider refuses to see again and again is repeated in seconds", "[push]") {
    Case refused(Outcome::not_processed, 0);
    refused.job.refusals = kRefusalsAtOnce;
    CHECK(refused.wait() == Duration{});
    refused.job.refusals = kRefusalsAtOnce + 1;
    CHECK(refused.wait() >= Duration{kRetryRefused.ns / 2});
    CHECK(refused.wait() <= kRetryRefused);
    refused.job.refusals = UINT16_MAX;
    CHECK(refused.wait() >= Duration{kRetryRefusedMax.ns / 2});
    CHECK(refused.wait() <= kRetryRefusedMax);
}

TEST_CASE("a push of unknown fate is repeated once at once, then slower and slower", "[push]") {
    CHECK(Case(Outcome::unknown, 1).wait() == Duration{});
    CHECK(Case(Outcome::unknown, 2).wait() >= seconds(1));
    CHECK(Case(Outcome::unknown, 60).wait() <= kRetryMax);
    CHECK(Case(Outcome::unknown, 60).wait() >= Duration{kRetryMax.ns / 2});
}

TEST_CASE("throttling and failures wait, doubling", "[push]") {
    CHECK(Case(Outcome::throttled, 1).wait() >= seconds(30));
    CHECK(Case(Outcome::throttled, 3).wait() >= seconds(120));
    CHECK(Case(Outcome::provider_failed, 1).wait() <= seconds(2));
    CHECK(Case(Outcome::misconfigured, 1).wait() >= seconds(30));
}

TEST_CASE("a provider that names a time is not asked before", "[push]") {
    Case failed(Outcome::provider_failed, 1);
    failed.answer.retry_after = minutes(5);
    CHECK(failed.wait() == minutes(5));
}

TEST_CASE("an expired provider token is renewed and its connection replaced", "[push]") {
    const Verdict verdict = Case(Outcome::credential_expired).judged();
    CHECK(verdict.action == Action::retry);
    CHECK(verdict.token_fault == TokenFault::too_old);
    CHECK(verdict.close_upstream);
}

TEST_CASE("a provider that has seen too many tokens is shown an older one, on another connection",
          "[push]") {
    const Verdict verdict = Case(Outcome::credential_throttled).judged();
    CHECK(verdict.action == Action::retry);
    CHECK(verdict.token_fault == TokenFault::too_new);
    CHECK(verdict.close_upstream);
}

TEST_CASE("nothing is tried beyond its time", "[push]") {
    Case late(Outcome::throttled, 1);
    late.job.expires = late.now.unix + seconds(10);
    CHECK(late.judged().action == Action::finish);
}

}  // namespace
}  // namespace knuckle::push
