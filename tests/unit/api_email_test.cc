// SPDX-License-Identifier: GPL-3.0-or-later
#include <catch_amalgamated.hpp>

#include "api/email.h"

using knuckle::api::is_email_address;

TEST_CASE("Addresses as people have them are e-mail addresses", "[api][email]") {
    for (const char* address : {"a@example.org",
                                "first.last+tag@mail.example.co.uk",
                                "o'neil_1@x-y.example",
                                "a@localhost",
                                "a@xn--bcher-kva.example",
                                "a@b\xC3\xBC"
                                "cher.example"}) {
        CAPTURE(address);
        CHECK(is_email_address(address));
    }
}

TEST_CASE("Other texts are not", "[api][email]") {
    for (const char* text : {"",
                             "plain",
                             "@example.org",
                             "a@",
                             "a@b",
                             "a b@example.org",
                             "a@exa mple.org",
                             ".a@example.org",
                             "a.@example.org",
                             "a..b@example.org",
                             "a@.example.org",
                             "a@example.org.",
                             "a@-example.org",
                             "a@example-.org",
                             "a@b@example.org",
                             "\xC3\xA4@example.org"}) {
        CAPTURE(text);
        CHECK_FALSE(is_email_address(text));
    }
    CHECK_FALSE(is_email_address("a@" + std::string(64, 'x') + ".org"));
    CHECK(is_email_address("a@" + std::string(63, 'x') + ".org"));
}
