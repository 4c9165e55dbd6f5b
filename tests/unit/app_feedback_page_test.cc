// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>

#include <catch_amalgamated.hpp>

#include "app/feedback_page.h"

namespace knuckle::app {

namespace {

store::Feedback a_death() {
    return {.number = 7,
            .account = {},
            .device = *Uuid::parse("4f0c7c1e-1111-4222-8333-444455556666"),
            .app = "chat",
            .reason = "Unregistered",
            .dead_since = from_unix_seconds(1'795'953'600),
            .noticed = from_unix_seconds(1'795'953'610)};
}

std::string mistake_in(std::string_view query) {
    FeedbackQuery result;
    return parse_feedback_query(query, result);
}

}  // namespace

TEST_CASE("an event says which device, of which app, what, why and when", "[app][feedback]") {
    store::FeedbackPage page;
    page.events = {a_death()};
    page.next = 7;
    CHECK(encode_feedback(page) ==
          R"({"events":[{"cursor":7,"event":"dead","app":"chat",)"
          R"("device":"4f0c7c1e-1111-4222-8333-444455556666","kind":"apns",)"
          R"("reason":"Unregistered","dead_since":"2026-11-29T12:00:00.000000Z",)"
          R"("noticed":"2026-11-29T12:00:10.000000Z"}],"next":7,"more":false,"trimmed":false})");
    store::Feedback back = a_death();
    back.kind = store::FeedbackKind::revived;
    back.device_kind = store::DeviceKind::gcm;
    back.reason.clear();
    back.dead_since = {};
    page.events = {back};
    page.has_more = page.is_trimmed = true;
    const std::string text = encode_feedback(page);
    CHECK(text.find(R"("event":"revived")") != std::string::npos);
    CHECK(text.find(R"("kind":"gcm","reason":null,"dead_since":null,)") != std::string::npos);
    CHECK(text.ends_with(R"("next":7,"more":true,"trimmed":true})"));
}

TEST_CASE("whatever the provider's word was, the page is JSON", "[app][feedback]") {
    store::FeedbackPage page;
    page.events.assign(100, a_death());
    for (store::Feedback& event : page.events) {
        event.app = std::string(store::kNameMax, '"');
        event.reason = std::string(store::kReasonMax, '\x01');
    }
    CHECK(encode_feedback(page).ends_with("}"));
    page.events.resize(1);
    page.events.front().reason = "\xff";
    CHECK(encode_feedback(page).find(R"("reason":null)") != std::string::npos);
    CHECK(encode_feedback({}) == R"({"events":[],"next":0,"more":false,"trimmed":false})");
}

TEST_CASE("a log that cannot be read is neither empty nor younger than the cursor",
          "[app][feedback]") {
    store::FeedbackPage page;
    const FeedbackQuery ahead{.after = 5};
    CHECK(answer_feedback({}, store::Lookup::absent, page).status == 200);
    CHECK(answer_feedback(ahead, store::Lookup::absent, page).status == 400);
    CHECK(answer_feedback({}, store::Lookup::damaged, page).status == 503);
    CHECK(answer_feedback(ahead, store::Lookup::damaged, page).status == 503);
    // One event is damaged, the log is not.
    page.last = 7;
    CHECK(answer_feedback(ahead, store::Lookup::damaged, page).status == 200);
}

TEST_CASE("a query names a cursor and a limit, and its mistakes are named", "[app][feedback]") {
    FeedbackQuery query;
    CHECK(parse_feedback_query("", query).empty());
    CHECK((query.after == 0 && query.limit == 100));
    CHECK(parse_feedback_query("after=18446744073709551615&limit=1000", query).empty());
    CHECK((query.after == UINT64_MAX && query.limit == 1'000));
    CHECK(mistake_in("after=-1") == R"({"after":["Must be a cursor, a whole number."]})");
    CHECK(mistake_in("after") == R"({"after":["Must be a cursor, a whole number."]})");
    CHECK(mistake_in("limit=0") == R"({"limit":["Must be a whole number from 1 to 1000."]})");
    CHECK(mistake_in("limit=1001") == R"({"limit":["Must be a whole number from 1 to 1000."]})");
    CHECK(mistake_in("since=3") == R"({"since":["Unknown. There are after and limit."]})");
    CHECK(mistake_in("\xff=3").starts_with(R"({"query":)"));
    CHECK(mistake_in(std::string(63, 'x') + "\xc3\xa4=3").starts_with(R"({"query":)"));
}

}  // namespace knuckle::app
