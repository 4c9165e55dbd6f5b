// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>

#include <catch_amalgamated.hpp>

#include "app/certificate_board.h"
#include "tests/support/log_watch.h"

namespace knuckle::app {
namespace {

constexpr UnixTime kToday = from_unix_seconds(1'800'000'000);
constexpr Duration kDay = hours(24);

CertificateBoard board_of(std::vector<OwnCertificate> certificates) {
    CertificateBoard board;
    board.reset(std::move(certificates));
    return board;
}

Now after(Duration time) { return {Instant{1} + time, kToday + time}; }

TEST_CASE("a certificate is mentioned from thirty days before its end", "[app]") {
    const CertificateBoard board =
        board_of({{"app chat", kToday + kDay * 40}, {"listen [::]:443", kToday + kDay * 60}});
    CHECK(board.notice(kToday).empty());
    CHECK(board.notice(kToday + kDay * 10).empty());
    CHECK(board.notice(kToday + kDay * 11) == "certificate of app chat expires in 29 days\n");
    CHECK(board.notice(kToday + kDay * 40 + hours(1)) ==
          "certificate of app chat has expired\n"
          "certificate of listen [::]:443 expires in 19 days\n");
}

TEST_CASE("the log hears of it at the start, then once a day", "[app]") {
    const test::LogWatch watch;
    CertificateBoard board =
        board_of({{"app chat", kToday + kDay * 9}, {"app other", kToday + kDay * 300}});
    board.on_tick(after(seconds(0)));
    REQUIRE(watch.lines().size() == 1);
    CHECK(watch.lines()[0].find("<4>event=certificate_expiring") != std::string::npos);
    CHECK(watch.lines()[0].find("certificate=\"app chat\"") != std::string::npos);
    CHECK(watch.lines()[0].find("days_left=9") != std::string::npos);
    board.on_tick(after(hours(23)));
    CHECK(watch.lines().size() == 1);
    board.on_tick(after(kDay));
    CHECK(watch.lines().size() == 2);
}

TEST_CASE("in the last week, and after the end, it is an error", "[app]") {
    const test::LogWatch watch;
    CertificateBoard board = board_of({{"app chat", kToday + kDay * 6}});
    board.on_tick(after(seconds(0)));
    board.on_tick(after(kDay * 20));
    REQUIRE(watch.lines().size() == 2);
    CHECK(watch.lines()[0].find("<3>event=certificate_expiring") != std::string::npos);
    CHECK(watch.lines()[0].find("days_left=6") != std::string::npos);
    CHECK(watch.lines()[1].find("days_left=0") != std::string::npos);
}

}  // namespace
}  // namespace knuckle::app
