// SPDX-License-Identifier: GPL-3.0-or-later
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/result.h"

using namespace knuckle;

namespace {

Result<int> half(int n) {
    if (n % 2 != 0) return fail(Errc::invalid, "odd", n);
    return n / 2;
}

Result<int> quarter(int n) {
    const int h = KNUCKLE_TRY(half(n));
    return KNUCKLE_TRY(half(h));
}

Result<void> must_be_even(int n) {
    KNUCKLE_TRY(half(n));
    return {};
}

Result<std::string> describe(int n) {
    KNUCKLE_TRY(must_be_even(n));
    return "even: " + std::to_string(n);
}

Result<std::unique_ptr<int>> boxed(int n) { return std::make_unique<int>(KNUCKLE_TRY(half(n))); }

Result<int> unboxed(int n) {
    const std::unique_ptr<int> box = KNUCKLE_TRY(boxed(n));
    return *box;
}

// Counts the values that are alive, moved-from ones included.
struct Counted {
    static inline int alive = 0;
    Counted() { ++alive; }
    Counted(Counted&&) noexcept { ++alive; }
    Counted& operator=(Counted&&) noexcept = default;
    ~Counted() { --alive; }
};

static_assert(!std::is_copy_constructible_v<Result<int>>);
static_assert(!std::is_copy_assignable_v<Result<int>>);
static_assert(std::is_nothrow_move_constructible_v<Result<std::string>>);
static_assert(std::is_trivially_copyable_v<Error>);

}  // namespace

TEST_CASE("a result is a value or an error", "[base][result]") {
    const Result<int> value = half(6);
    REQUIRE(value.has_value());
    CHECK(static_cast<bool>(value));
    CHECK(*value == 3);
    const Result<int> error = half(7);
    REQUIRE_FALSE(error.has_value());
    CHECK_FALSE(static_cast<bool>(error));
    CHECK(error.error().code == Errc::invalid);
    CHECK(error.error().what == std::string_view("odd"));
    CHECK(error.error().detail == 7);
    CHECK(half(8).value_or(-1) == 4);
    CHECK(half(9).value_or(-1) == -1);
    Result<std::string> text = describe(2);
    CHECK(text->size() == 7);
    text->push_back('!');
    CHECK(*text == "even: 2!");
}

TEST_CASE("TRY unwraps a value and passes an error up unchanged", "[base][result]") {
    CHECK(*quarter(12) == 3);
    CHECK(quarter(7).error().detail == 7);
    CHECK(quarter(6).error().detail == 3);
    CHECK(must_be_even(2).has_value());
    CHECK(must_be_even(3).error().detail == 3);
    CHECK(*describe(4) == "even: 4");
    CHECK(describe(5).error().what == std::string_view("odd"));
}

TEST_CASE("TRY moves what cannot be copied", "[base][result]") {
    CHECK(**boxed(8) == 4);
    CHECK(*unboxed(8) == 4);
    CHECK(unboxed(9).error().detail == 9);
}

TEST_CASE("values are moved, never copied, and destroyed once", "[base][result]") {
    {
        Result<Counted> first = Counted();
        CHECK(Counted::alive == 1);
        Result<Counted> second = std::move(first);
        CHECK(Counted::alive == 2);
        second = Result<Counted>(fail(Errc::limit, "full"));
        CHECK(Counted::alive == 1);
        CHECK(second.error().code == Errc::limit);
        second = std::move(first);
        CHECK(Counted::alive == 2);
        REQUIRE(second.has_value());
        Result<Counted>& same = second;
        second = std::move(same);
        CHECK(second.has_value());
        CHECK(Counted::alive == 2);
    }
    CHECK(Counted::alive == 0);
}

TEST_CASE("a value can be taken out of a result", "[base][result]") {
    Result<std::vector<int>> result = std::vector<int>{1, 2, 3};
    const std::vector<int> taken = std::move(*result);
    CHECK(taken == std::vector<int>{1, 2, 3});
    CHECK(Result<std::string>(fail(Errc::not_found, "gone")).value_or("nobody") == "nobody");
}

TEST_CASE("a result of nothing is success or an error", "[base][result]") {
    const Result<void> good;
    CHECK(good.has_value());
    *good;
    const Result<void> bad = fail(Errc::system, "no", 2);
    REQUIRE_FALSE(bad);
    CHECK(bad.error().detail == 2);
}
