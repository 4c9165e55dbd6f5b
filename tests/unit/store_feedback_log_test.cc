// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "store/feedback_log.h"
#include "store/lmdb_env.h"
#include "store/vault.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

// A shelf whose log is written to directly.
struct Log {
    Shelf shelf;

    template <typename Change>
    void change(Change change) {
        shelf.tamper([&](Rows& rows) {
            Vault vault(some_keys());
            FeedbackLog log(rows, vault, shelf.random());
            change(log);
        });
    }
    void append(const std::string& device, const std::string& account = "anna") {
        change([&](FeedbackLog& log) { REQUIRE(must(log.append(event(device, account)))); });
    }
    // As if so many events had been, and gone.
    void begin_at(uint64_t next) {
        shelf.tamper([&](Rows& rows) {
            REQUIRE(rows.put(RowKey(Table::feedback_log),
                             encode_log({.start = 1, .next = next, .sent = 0})));
        });
    }
    static Feedback event(const std::string& device, const std::string& account) {
        return {.account = id_of(account),
                .device = id_of(device),
                .app = "chat",
                .reason = "Unregistered",
                .dead_since = kNoon,
                .noticed = kNoon};
    }
    FeedbackPage page(uint64_t after = 0, size_t count_max = 100) {
        FeedbackPage page;
        REQUIRE(shelf.snapshot().read_feedback(after, count_max, page) != Lookup::damaged);
        return page;
    }
    std::vector<uint64_t> numbers(uint64_t after = 0, size_t count_max = 100) {
        std::vector<uint64_t> numbers;
        for (const Feedback& event : page(after, count_max).events) numbers.push_back(event.number);
        return numbers;
    }
    size_t latest_count() {
        const Transaction txn = shelf.begin_read();
        Rows rows(txn.get(), shelf.env().state());
        return must(rows.list(RowKey(Table::latest_feedback))).size();
    }
};

using Numbers = std::vector<uint64_t>;

}  // namespace

TEST_CASE("Events are numbered from 1 and read in pieces", "[store][feedback]") {
    Log log;
    CHECK(log.page().last == 0);
    for (int i = 1; i <= 5; ++i) log.append("phone " + std::to_string(i));
    CHECK(log.numbers() == Numbers{1, 2, 3, 4, 5});
    CHECK(log.numbers(0, 2) == Numbers{1, 2});
    CHECK(log.page(0, 2).has_more);
    CHECK(log.page(0, 2).next == 2);
    CHECK(log.numbers(2, 2) == Numbers{3, 4});
    CHECK(log.numbers(4, 2) == Numbers{5});
    CHECK_FALSE(log.page(4, 2).has_more);
    CHECK_FALSE(log.page(3, 2).has_more);
    CHECK(log.page(4, 2).next == 5);
    CHECK(log.numbers(5).empty());
    CHECK(log.page(5).next == 5);
    CHECK(log.numbers(UINT64_MAX).empty());
    CHECK_FALSE(log.page(UINT64_MAX).is_trimmed);
    CHECK(log.page().last == 5);
}

TEST_CASE("A device's newer event takes the place of the older one, at the end",
          "[store][feedback]") {
    Log log;
    log.append("phone");
    log.append("tablet");
    log.append("phone");
    CHECK(log.numbers() == Numbers{2, 3});
    CHECK(log.numbers(1) == Numbers{2, 3});
    CHECK_FALSE(log.page(0).is_trimmed);
    CHECK(log.latest_count() == 2);
}

TEST_CASE("Nothing of a device or an account is left in the log when it goes",
          "[store][feedback]") {
    Log log;
    for (const char* device : {"phone", "tablet", "watch"}) log.append(device);
    log.append("phone", "bob");
    log.change([](FeedbackLog& feedback) {
        REQUIRE(feedback.forget(DeviceRef{id_of("anna"), id_of("tablet")}));
        REQUIRE(feedback.forget(DeviceRef{id_of("anna"), id_of("unknown")}));
    });
    CHECK(log.numbers() == Numbers{1, 3, 4});
    log.change([](FeedbackLog& feedback) { REQUIRE(feedback.forget(id_of("anna"))); });
    CHECK(log.numbers() == Numbers{4});
    log.change([](FeedbackLog& feedback) { REQUIRE(feedback.forget(id_of("bob"))); });
    CHECK(log.latest_count() == 0);
    // A reader goes on behind what has gone, and no number comes twice.
    CHECK(log.page(2).next == 4);
    CHECK_FALSE(log.page(2).is_trimmed);
    log.append("phone");
    CHECK(log.numbers(4) == Numbers{5});
}

TEST_CASE("The log is trimmed from its beginning, and readers are told", "[store][feedback]") {
    Log log;
    for (int i = 1; i <= 5; ++i) log.append("phone " + std::to_string(i));
    log.change([](FeedbackLog& feedback) { REQUIRE(feedback.trim(3)); });
    CHECK(log.numbers() == Numbers{4, 5});
    CHECK(log.page(2).is_trimmed);
    CHECK_FALSE(log.page(3).is_trimmed);
    CHECK(log.latest_count() == 2);
    log.change([](FeedbackLog& feedback) { REQUIRE(feedback.trim(UINT64_MAX)); });
    CHECK(log.numbers().empty());
    CHECK(log.page(4).is_trimmed);
    CHECK_FALSE(log.page(5).is_trimmed);
}

TEST_CASE("The log holds so many numbers and no more", "[store][feedback]") {
    Log log;
    log.append("first");
    log.append("second");
    log.begin_at(kFeedbackEventsMax);
    log.append("phone");
    CHECK(log.numbers() == Numbers{1, 2, kFeedbackEventsMax});
    log.append("tablet");
    CHECK(log.numbers() == Numbers{2, kFeedbackEventsMax, kFeedbackEventsMax + 1});
    CHECK(log.latest_count() == 3);
    CHECK(log.page(0).is_trimmed);
    CHECK_FALSE(log.page(1).is_trimmed);
}

TEST_CASE("What the webhook has taken is noted, and never taken back", "[store][feedback]") {
    Log log;
    log.append("phone");
    log.append("tablet");
    const auto note = [&log](uint64_t number) {
        log.change([number](FeedbackLog& feedback) { REQUIRE(feedback.note_sent(number)); });
        return log.page().sent;
    };
    CHECK(note(1) == 1);
    CHECK(note(7) == 2);  // there is no such event
    CHECK(note(1) == 2);
    log.append("watch");
    CHECK(log.page().sent == 2);
}

TEST_CASE("A damaged log goes on, without a number given twice", "[store][feedback][damage]") {
    Log log;
    log.append("phone");
    log.append("tablet");
    SECTION("its state") {
        log.shelf.tamper(
            [](Rows& rows) { REQUIRE(rows.put(RowKey(Table::feedback_log), as_bytes("odd"))); });
        FeedbackPage page;
        CHECK(log.shelf.snapshot().read_feedback(0, 100, page) == Lookup::damaged);
        CHECK(page.next == 0);
        log.append("watch");
        CHECK(log.numbers() == Numbers{1, 2, 3});
    }
    SECTION("an event") {
        log.shelf.tamper(
            [](Rows& rows) { REQUIRE(rows.put(feedback_key(1), as_bytes("does not open"))); });
        FeedbackPage page;
        CHECK(log.shelf.snapshot().read_feedback(0, 100, page) == Lookup::damaged);
        REQUIRE(page.events.size() == 1);
        CHECK(page.next == 2);
        log.change([](FeedbackLog& feedback) { REQUIRE(feedback.trim(1)); });
        CHECK(log.numbers() == Numbers{2});
        log.change([](FeedbackLog& feedback) { REQUIRE(feedback.forget(id_of("anna"))); });
        CHECK(log.latest_count() == 0);
    }
}

TEST_CASE("On disk no event says which device it is about", "[store][feedback]") {
    Log log;
    log.append("phone");
    const Transaction txn = log.shelf.begin_read();
    Rows rows(txn.get(), log.shelf.env().state());
    const std::string value(as_text(must(rows.get(feedback_key(1))).value()));
    CHECK(value.find(as_text(id_of("phone").view())) == std::string::npos);
    CHECK(value.find("Unregistered") == std::string::npos);
}
