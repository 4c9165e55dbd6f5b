// SPDX-License-Identifier: GPL-3.0-or-later
// Feedback as the operator gets it, by GET /feedback and by the webhook: JSON (docs/OPERATIONS.md).
//
//     FeedbackQuery query;
//     std::string mistake = parse_feedback_query("after=7&limit=100", query);    empty: usable
//     std::string body = encode_feedback(page);
//     FeedbackAnswer answer = answer_feedback(query, lookup, page);     to GET, whatever was found
//
// Says of a device what its app was told of it: its id. Never a registration, and not whose it is.
// Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "store/snapshot.h"

namespace knuckle::app {

inline constexpr uint32_t kFeedbackPageMax = 1'000;

struct FeedbackQuery {
    uint64_t after = 0;
    uint32_t limit = 100;
};

// The query behind the '?'. What is wrong comes as JSON, {"limit":["..."]}; empty: nothing.
[[nodiscard]] std::string parse_feedback_query(std::string_view query, FeedbackQuery& result);
[[nodiscard]] std::string encode_feedback(const store::FeedbackPage& page);
// A damaged event is left out of a page; a log that cannot be read is not an empty one.
[[nodiscard]] bool is_readable(store::Lookup lookup, const store::FeedbackPage& page);

struct FeedbackAnswer {
    uint16_t status = 0;
    std::string body;
};
[[nodiscard]] FeedbackAnswer answer_feedback(const FeedbackQuery& query,
                                             store::Lookup lookup,
                                             const store::FeedbackPage& page);

// {"field":["what"]}
[[nodiscard]] std::string encode_mistake(std::string_view field, std::string_view what);

}  // namespace knuckle::app
