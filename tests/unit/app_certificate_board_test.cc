// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <catch_amalgamated.hpp>

#include "app/certificate_board.h"
#include "base/log.h"

namespace knuckle::app {
namespace {

constexpr UnixTime kToday = from_unix_seconds(1'800'000'000);
constexpr Duration kDay = hours(24);

std::vector<std::string> g_logged;

struct LogWatch {
    LogWatch() {
        g_logged.clear();
        log::set_sink([](std::string_view line) { g_logged.emplace_back(line); });
    }
    ~LogWatch() {
        log::set_sink([](std::string_view line) {
            static_cast<void>(::write(STDERR_FILENO, line.data(), line.size()) < 0);
        });
    }
    LogWatch(const LogWatch&) = delete;
    LogWatch& operator=(const LogWatch&) = delete;
};

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
    const LogWatch watch;
    CertificateBoard board =
        board_of({{"app chat", kToday + kDay * 9}, {"app other", kToday + kDay * 300}});
    board.on_tick(after(seconds(0)));
    REQUIRE(g_logged.size() == 1);
    CHECK(g_logged[0].find("<4>event=certificate_expiring") != std::string::npos);
    CHECK(g_logged[0].find("certificate=\"app chat\"") != std::string::npos);
    CHECK(g_logged[0].find("days_left=9") != std::string::npos);
    board.on_tick(after(hours(23)));
    CHECK(g_logged.size() == 1);
    board.on_tick(after(kDay));
    CHECK(g_logged.size() == 2);
}

TEST_CASE("in the last week, and after the end, it is an error", "[app]") {
    const LogWatch watch;
    CertificateBoard board = board_of({{"app chat", kToday + kDay * 6}});
    board.on_tick(after(seconds(0)));
    board.on_tick(after(kDay * 20));
    REQUIRE(g_logged.size() == 2);
    CHECK(g_logged[0].find("<3>event=certificate_expiring") != std::string::npos);
    CHECK(g_logged[0].find("days_left=6") != std::string::npos);
    CHECK(g_logged[1].find("days_left=0") != std::string::npos);
}

}  // namespace
}  // namespace knuckle::app
