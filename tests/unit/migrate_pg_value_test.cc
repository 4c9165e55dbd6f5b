// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "migrate/pg_value.h"

using namespace knuckle;
using namespace knuckle::migrate;

TEST_CASE("PostgreSQL's booleans are t and f", "[migrate]") {
    CHECK(parse_bool("t") == true);
    CHECK(parse_bool("f") == false);
    for (const char* const other : {"", "true", "T", "1", "tt"}) CHECK_FALSE(parse_bool(other));
}

TEST_CASE("PostgreSQL's times are read to the microsecond, whatever their zone", "[migrate]") {
    constexpr UnixTime kTime{1'465'675'274'126'000};  // by date -u -d
    CHECK(parse_timestamp("2016-06-11 20:01:14.126+00") == kTime);
    CHECK(parse_timestamp("2016-06-11 20:01:14.126") == kTime);
    CHECK(parse_timestamp("2016-06-11 22:01:14.126+02") == kTime);
    CHECK(parse_timestamp("2016-06-12 01:31:14.126000+05:30") == kTime);
    CHECK(parse_timestamp("2016-06-11 19:08:13.126-00:53:01") == kTime);
    CHECK(parse_timestamp("1970-01-01 00:00:00+00") == UnixTime{0});
    CHECK(parse_timestamp("1970-01-01 00:00:00.000001+00") == UnixTime{1});
    CHECK(parse_timestamp("2016-02-29 00:00:00+00").has_value());
    for (const char* const bad : {"",
                                  "infinity",
                                  "-infinity",
                                  "2016-06-11",
                                  "2016-06-11T20:01:14+00",
                                  "2016-06-11 20:01:14+00 BC",
                                  "2016-06-11 20:01:14.+00",
                                  "2016-06-11 20:01:14.1234567+00",
                                  "2016-06-11 20:01:14+0",
                                  "2016-06-11 20:01:14 +00",
                                  "2017-02-29 00:00:00+00",
                                  "2016-13-01 00:00:00+00",
                                  "2016-06-11 24:00:00+00",
                                  "2016-06-11 20:60:14+00",
                                  "1969-12-31 23:59:59+00",
                                  "12016-06-11 20:01:14+00"}) {
        INFO(bad);
        CHECK_FALSE(parse_timestamp(bad));
    }
}
