// SPDX-License-Identifier: GPL-3.0-or-later
// Pushes that nobody waits for: how many there are, and which of them goes out.
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "engine/pending_jobs.h"
#include "tests/support/store_shelf.h"

namespace knuckle::test {

namespace {

constexpr Now kNow{{1'000'000'000}, store::kNoon};

using Texts = std::vector<std::string>;

struct Hands {
    push::Job& job(const std::string& device, const std::string& text, bool is_background = false) {
        push::Payload* const payload = dispatcher.copy_payload(text);
        REQUIRE(payload != nullptr);
        push::Job* const job = dispatcher.admit(0, *payload);
        REQUIRE(job != nullptr);
        job->device = store::id_of(device);
        job->is_background = is_background;
        job->expires = kNow.unix + hours(1);
        job->serial = ++last_serial;
        return *job;
    }
    push::Job& waiting(const std::string& device, const std::string& text, uint16_t lane = 0) {
        push::Job& one = job(device, text);
        one.lane = lane;  // it waits in none yet
        dispatcher.submit(one, kNow);
        return one;
    }
    push::Job& stored(push::Job& job) {
        job.is_stored = true;
        counters.jobs_pending.set(counters.jobs_pending.get() + 1);
        return job;
    }
    // What goes out next.
    push::Job& next() {
        push::Job* const job = dispatcher.take(0, push::Trust::proven, kNow);
        REQUIRE(job != nullptr);
        return *job;
    }
    void fail(push::Job& job) {
        const push::Answer answer{.outcome = push::Outcome::unknown};
        REQUIRE(dispatcher.settle(job, answer, kNow).action == push::Action::retry);
    }
    void back_off(push::Job& job) {
        const push::Answer answer{.outcome = push::Outcome::throttled};
        REQUIRE(dispatcher.settle(job, answer, kNow).action == push::Action::retry);
        REQUIRE(job.state == push::JobState::delayed);
    }
    void done(push::Job& job) {
        pending.remove(job);
        dispatcher.release(job);
    }
    std::vector<std::string> take_all() {
        std::vector<std::string> texts;
        while (push::Job* const job = dispatcher.take(0, push::Trust::proven, kNow)) {
            texts.emplace_back(job->payload->text());
            done(*job);
        }
        return texts;
    }

    uint64_t last_serial = 0;
    Timers timers;
    Random random{1};
    metrics::Counters counters;
    push::Dispatcher dispatcher{{.jobs_max = 64, .lanes_count = 2}, timers, random};
    engine::PendingJobs pending{dispatcher, counters};
};

}  // namespace

TEST_CASE("of many pushes to one phone the newest goes out, in the place of the oldest",
          "[pending]") {
    Hands hands;
    hands.pending.add(hands.waiting("anna", "first"));
    hands.pending.add(hands.waiting("ben", "ben's"));
    for (const char* text : {"second", "third", "newest"})
        hands.pending.add(hands.waiting("anna", text));
    CHECK(hands.dispatcher.jobs_count() == 2);
    CHECK(hands.counters.pushes_superseded.get() == 3);
    CHECK(hands.take_all() == Texts{"newest", "ben's"});
}

TEST_CASE("a push whose turn it is does not take over the back-off of an older one", "[pending]") {
    Hands hands;
    push::Job& older = hands.waiting("anna", "older");
    hands.pending.add(older);
    REQUIRE(&hands.next() == &older);
    SECTION("which fails before it comes") {
        hands.back_off(older);
        push::Job& newer = hands.waiting("anna", "newer");
        hands.pending.add(newer);
    }
    SECTION("which is on its way, and fails then") {
        push::Job& newer = hands.job("anna", "unseen", true);
        hands.dispatcher.submit(newer, kNow);
        hands.pending.add(newer);
        hands.back_off(older);
        hands.pending.resubmit(older);
    }
    CHECK(hands.dispatcher.jobs_count() == 1);
    CHECK(hands.take_all().size() == 1);
    CHECK(hands.pending.is_empty());
    CHECK(hands.timers.count() == 0);
}

TEST_CASE("a push in flight is left alone, and the next one waits beside it", "[pending]") {
    Hands hands;
    hands.pending.add(hands.waiting("anna", "first"));
    push::Job& first = hands.next();
    hands.pending.add(hands.waiting("anna", "second"));
    hands.pending.add(hands.waiting("anna", "third"));
    CHECK(hands.dispatcher.jobs_count() == 2);
    SECTION("it is delivered") {
        hands.done(first);
        CHECK(hands.take_all() == Texts{"third"});
    }
    SECTION("it must go out again: the other will do") {
        hands.fail(first);
        hands.pending.resubmit(first);
        CHECK(hands.dispatcher.jobs_count() == 1);
        CHECK(hands.take_all() == Texts{"third"});
    }
    SECTION("and so it is when the other is in flight, too") {
        push::Job& third = hands.next();
        hands.fail(first);
        hands.pending.resubmit(first);
        CHECK(hands.dispatcher.jobs_count() == 1);
        hands.done(third);
    }
}

TEST_CASE("what is on its way when its sender gives up makes what waits superfluous", "[pending]") {
    Hands hands;
    push::Job& waits = hands.waiting("ben", "for a long time");
    push::Job& older = hands.waiting("anna", "older");
    push::Job& newer = hands.waiting("anna", "newer");
    CHECK(&hands.next() == &waits);
    CHECK(&hands.next() == &older);
    SECTION("if it was sent after the other's knock") {
        hands.fail(older);
        CHECK(&hands.next() == &older);
        hands.fail(older);  // it waits for its timer
        CHECK(&hands.next() == &newer);
        hands.pending.add(hands.stored(older));
        hands.pending.add(hands.stored(newer));
        CHECK(hands.dispatcher.jobs_count() == 2);
        CHECK(hands.counters.jobs_pending.get() == 1);
        hands.done(newer);
    }
    SECTION("but not if it may have been sent before") {
        hands.pending.add(hands.stored(newer));
        hands.pending.add(hands.stored(older));
        CHECK(hands.dispatcher.jobs_count() == 3);
        SECTION("it is delivered, the other still goes out") {
            hands.done(older);
            CHECK(hands.take_all() == Texts{"newer"});
        }
        SECTION("it must go out again, which the other does for it") {
            hands.fail(older);
            hands.pending.resubmit(older);
            CHECK(hands.dispatcher.jobs_count() == 2);
            CHECK(hands.counters.jobs_pending.get() == 1);
            CHECK(hands.take_all() == Texts{"newer"});
        }
    }
    hands.done(waits);
}

TEST_CASE("an older knock that gives up later does not have the last word", "[pending]") {
    Hands hands;
    push::Job& older = hands.waiting("anna", "older");
    push::Job& newer = hands.waiting("anna", "newer");
    const uint64_t serial = newer.serial;
    hands.pending.add(hands.stored(newer));
    hands.pending.add(hands.stored(older));
    CHECK(newer.serial == serial);
    CHECK(hands.take_all() == Texts{"newer"});
}

TEST_CASE("two pushes that become one have one row, which the one clears", "[pending]") {
    Hands hands;
    push::Job& older = hands.waiting("anna", "older");
    push::Job& newer = hands.waiting("anna", "newer");
    SECTION("both are stored") {
        hands.stored(older);
        hands.stored(newer);
    }
    SECTION("the newer one did not reach the disk") { hands.stored(older); }
    SECTION("the older one did not") { hands.stored(newer); }
    const uint64_t serial = newer.serial;
    hands.pending.add(older);
    hands.pending.add(newer);
    CHECK(older.is_stored);
    CHECK(older.serial == serial);
    CHECK(hands.counters.jobs_pending.get() == 1);
    CHECK(hands.take_all() == Texts{"newer"});
}

TEST_CASE("a push that is seen does not vanish into one that is not", "[pending]") {
    Hands hands;
    push::Job& quiet = hands.job("anna", "quiet", true);
    push::Job& loud = hands.job("anna", "loud");
    hands.dispatcher.submit(quiet, kNow);
    hands.dispatcher.submit(loud, kNow);
    SECTION("whichever comes first") {
        hands.pending.add(quiet);
        hands.pending.add(loud);
        CHECK(hands.take_all() == Texts{"loud"});
    }
    SECTION("or last") {
        hands.pending.add(loud);
        hands.pending.add(quiet);
        CHECK(hands.take_all() == Texts{"loud"});
    }
    SECTION("or is in flight") {
        push::Job& sent = hands.next();
        REQUIRE(&sent == &quiet);
        hands.pending.add(loud);
        hands.pending.add(quiet);
        CHECK(hands.dispatcher.jobs_count() == 2);
        hands.fail(quiet);
        hands.pending.resubmit(quiet);
        CHECK(hands.dispatcher.jobs_count() == 1);
        CHECK(hands.take_all() == Texts{"loud"});
    }
    SECTION("or fails while the other is in flight") {
        hands.next();
        push::Job& sent = hands.next();
        REQUIRE(&sent == &loud);
        hands.pending.add(loud);
        hands.pending.add(quiet);
        hands.fail(loud);
        hands.pending.resubmit(loud);
        CHECK(hands.dispatcher.jobs_count() == 2);
        CHECK(hands.take_all() == Texts{"loud"});
        hands.done(quiet);
    }
}

TEST_CASE("what goes out again and is seen does for what is not, and comes back later",
          "[pending]") {
    Hands hands;
    push::Job& seen = hands.waiting("anna", "seen");
    CHECK(&hands.next() == &seen);
    push::Job& unseen = hands.waiting("anna", "unseen");
    unseen.is_background = true;
    CHECK(&hands.next() == &unseen);
    hands.pending.add(seen);
    hands.pending.add(unseen);
    hands.fail(seen);
    hands.pending.resubmit(seen);
    CHECK(hands.dispatcher.jobs_count() == 2);
    hands.fail(unseen);
    hands.pending.resubmit(unseen);
    CHECK(hands.dispatcher.jobs_count() == 1);
    CHECK(hands.take_all() == Texts{"seen"});
}

TEST_CASE("a phone of which the environment is not known has one push for both lanes",
          "[pending]") {
    Hands hands;
    hands.dispatcher.pair(0, 1);
    push::Job& one = hands.waiting("anna", "one");
    push::Job& other = hands.waiting("anna", "other", 1);
    hands.pending.add(other);
    hands.pending.add(one);
    CHECK(hands.dispatcher.jobs_count() == 1);
    CHECK(hands.counters.pushes_superseded.get() == 1);
    hands.done(other);
}

TEST_CASE("each lane has its own push to a phone", "[pending]") {
    Hands hands;
    push::Job& one = hands.waiting("anna", "one");
    push::Job& other = hands.waiting("anna", "other", 1);
    hands.pending.add(one);
    hands.pending.add(other);
    CHECK(hands.dispatcher.jobs_count() == 2);
    hands.done(other);
    hands.done(one);
}

}  // namespace knuckle::test
