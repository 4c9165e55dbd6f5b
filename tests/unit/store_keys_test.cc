// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>

#include <catch_amalgamated.hpp>

#include "store/keys.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

std::string text_of(const Keys& keys) {
    KeyText storage;
    return std::string(encode_keys(keys, storage));
}

std::string complaint(const std::string& text) {
    const auto keys = decode_keys(text);
    return keys ? "" : keys.error().what;
}

std::string digits(char digit) { return std::string(64, digit); }

const std::string kLookup = "lookup " + digits('a') + "\n";
const std::string kSeal = "seal 2 " + digits('b') + "\n";
const std::string kRetiring = "seal 1 " + digits('c') + "\n";

}  // namespace

TEST_CASE("Keys are written as lines, and read as they were written", "[store][keys]") {
    Keys keys = some_keys();
    CHECK(text_of(keys) ==
          "lookup " + to_hex(keys.lookup) + "\nseal 1 " + to_hex(keys.current.key) + "\n");
    CHECK(must(decode_keys(text_of(keys))) == keys);

    keys.retiring = keys.current;
    keys.retiring->id = 254;
    keys.current = a_seal_key(255, 9);
    CHECK(text_of(keys).size() == 220);
    CHECK(must(decode_keys(text_of(keys))) == keys);

    const Keys read = must(decode_keys(kLookup + kSeal + kRetiring));
    CHECK(read.current == a_seal_key(2, 0xbb));
    CHECK(read.retiring == a_seal_key(1, 0xcc));
    CHECK(text_of(read) == kLookup + kSeal + kRetiring);
}

TEST_CASE("Keys of before they could be changed are read as number 1", "[store][keys]") {
    for (const std::string end : {"", "\n", "\r\n", " \n\n"}) {
        const Keys keys = must(decode_keys(digits('b') + digits('a') + end));
        CHECK(text_of(keys) == kLookup + "seal 1 " + digits('b') + "\n");
    }
}

TEST_CASE("What an editor does to the white space of keys is no mistake", "[store][keys]") {
    for (const std::string& text : {kLookup + "seal 2 " + digits('b'),
                                    kLookup + kSeal + "\n \n",
                                    "lookup  " + digits('A') + " \r\n seal 02  " + digits('B')}) {
        CHECK(text_of(must(decode_keys(text))) == kLookup + kSeal);
    }
}

TEST_CASE("A mistake in the keys is named with its line", "[store][keys]") {
    const std::string restore = "; restore the key file from a backup";
    const std::string first = "line 1 must be 'lookup' and 64 hexadecimal digits" + restore;
    for (const std::string& text : {std::string(),
                                    std::string("\n"),
                                    "\n" + kLookup + kSeal,
                                    kSeal + kLookup,
                                    "lookup" + digits('a') + "\n" + kSeal,
                                    "lookup a" + digits('a') + "\n" + kSeal,
                                    "lookup " + digits('g') + "\n" + kSeal,
                                    "lookup 1 " + digits('a') + "\n" + kSeal,
                                    digits('a') + digits('a').substr(1),
                                    digits('a') + digits('a') + "a",
                                    digits('a') + "\n" + digits('a'),
                                    std::string(100'000, 'a')}) {
        CHECK(complaint(text) == first);
    }
    const std::string rule = " must be 'seal', a number from 1 to 255 and 64 hexadecimal digits";
    for (const std::string& line : {std::string("\n") + kSeal,
                                    "seal " + digits('b'),
                                    "seal  " + digits('b'),
                                    "seal 0 " + digits('b'),
                                    "seal 256 " + digits('b'),
                                    "seal -1 " + digits('b'),
                                    "seal 3 " + digits('b') + "b",
                                    "seal 3 " + digits('x'),
                                    "seals 3 " + digits('b'),
                                    std::string("seal 3"),
                                    kLookup}) {
        CHECK(complaint(kLookup + line) == "line 2" + rule + restore);
        CHECK(complaint(kLookup + kSeal + line) == "line 3" + rule + restore);
    }
    CHECK(complaint(kLookup) == "line 2" + rule + restore);
    CHECK(complaint(kLookup + kSeal + kSeal) == "line 3 has the number of line 2" + restore);
    CHECK(complaint(kLookup + kSeal + kRetiring + "seal 3 " + digits('d')) ==
          "line 4 is one too many" + restore);
}

TEST_CASE("The number of a seal key is never 0", "[store][keys]") {
    CHECK(id_after(1) == 2);
    CHECK(id_after(254) == 255);
    CHECK(id_after(255) == 1);
}
