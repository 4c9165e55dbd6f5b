// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <string_view>

#include <catch_amalgamated.hpp>

#include "http1/failure.h"

using namespace knuckle::http1;

TEST_CASE("Whatever llhttp says, a client gets a status and a sentence", "[http1]") {
    for (int code = 1; code <= HPE_CB_PROTOCOL_COMPLETE; ++code) {
        const ParseError error = describe(static_cast<llhttp_errno_t>(code), "GET / HTTP/1.1");
        const std::string_view what = error.what;
        INFO(code << ": " << what);
        CHECK((error.status == 400 || error.status == 501 || error.status == 505));
        CHECK(what.ends_with('.'));
        CHECK(what.size() > 20);
    }
}

TEST_CASE("An unknown method is told from what is no method at all", "[http1]") {
    CHECK(describe(HPE_INVALID_METHOD, "BRE").status == 501);
    CHECK(describe(HPE_INVALID_METHOD, "BREW ").status == 501);
    CHECK(describe(HPE_INVALID_METHOD, "GET\t").status == 400);
    CHECK(describe(HPE_INVALID_METHOD, "\x16").status == 400);
    CHECK(describe(HPE_INVALID_METHOD, " ").status == 400);
}

TEST_CASE("An unknown version is told from a bad end of the line", "[http1]") {
    CHECK(describe(HPE_INVALID_VERSION, "GET / HTTP/1.2\r").status == 505);
    CHECK(describe(HPE_INVALID_VERSION, "GET / HTTP/1.1\n").status == 400);
    CHECK(describe(HPE_INVALID_VERSION, "GET / HTTP/1.0 ").status == 400);
}
