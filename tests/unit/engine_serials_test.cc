// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "engine/serials.h"
#include "tests/support/store_shelf.h"

namespace knuckle::engine {
namespace {

constexpr Instant kBegin{seconds(1'000).ns};

TEST_CASE("of two pushes the one that goes out later has the higher serial", "[knock]") {
    Serials serials(store::kNoon, 3);
    const uint64_t first = serials.make(kBegin, {});
    const uint64_t second = serials.make(kBegin, {});  // within one turn
    CHECK(second > first);
    const uint64_t deferred = serials.make(kBegin, seconds(30));
    CHECK(serials.make(kBegin + seconds(29), {}) < deferred);
    CHECK(serials.make(kBegin + seconds(31), {}) > deferred);
}

TEST_CASE("all workers of a process draw from one row, whenever each begins", "[knock]") {
    store::Shelf shelf;
    const UnixTime epoch = serial_epoch(shelf.reader(), {kBegin, store::kNoon});
    Serials first(epoch, 0);
    Serials second(epoch, 1);
    const uint64_t between = second.make(kBegin + microseconds(1), {});
    CHECK(first.make(kBegin, {}) < between);
    CHECK(first.make(kBegin + microseconds(2), {}) > between);
    CHECK(first.make(kBegin + seconds(1), {}) != second.make(kBegin + seconds(1), {}));
}

TEST_CASE("serials begin after those of the rows that an earlier process left", "[knock]") {
    store::Shelf shelf;
    const store::Device phone =
        shelf.has(store::a_device(shelf.has(store::an_account("anna")), "p"));
    const uint64_t late = static_cast<uint64_t>((store::kNoon + hours(1)).us) * 256;
    shelf.has(store::a_pending(phone, late));
    Serials serials(serial_epoch(shelf.reader(), {kBegin, store::kNoon}), 0);
    CHECK(serials.make(kBegin, {}) > late);
    store::Pending unseen = store::a_pending(phone, late + 100'000);
    unseen.is_background = true;
    unseen.accepted = store::a_pending(phone, late).accepted;
    shelf.has(unseen);
    Serials next(serial_epoch(shelf.reader(), {kBegin, store::kNoon}), 0);
    CHECK(next.make(kBegin, {}) > late + 100'000);
}

}  // namespace
}  // namespace knuckle::engine
