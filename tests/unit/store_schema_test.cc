// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/random.h"
#include "store/schema.h"
#include "tests/support/store_record_oracle.h"
#include "tests/support/store_shelf.h"

// g++ has no fuzzer to link it with; so it is compiled at least. The module has two.
#define LLVMFuzzerTestOneInput fuzz_store_record
#include "tests/fuzz/store_record_fuzz.cc"

using namespace knuckle;
using namespace knuckle::store;

namespace {

std::string plain_of(const auto& record) {
    PlainBytes storage;
    return std::string(as_text(encode(record, storage)));
}

// What decoding gives back; the keys of the row are those of `value`.
std::optional<Account> reread(const Account& value, ByteView plain) {
    AccountRecord record;
    if (!decode(plain, record)) return std::nullopt;
    return to_account(value.id, record);
}
std::optional<Device> reread(const Device& value, ByteView plain) {
    DeviceRecord record;
    if (!decode(plain, record)) return std::nullopt;
    return to_device({value.account, value.id}, record);
}
std::optional<Token> reread(const Token&, ByteView plain) {
    TokenRecord record;
    if (!decode(plain, record)) return std::nullopt;
    return to_token(record);
}
std::optional<Pending> reread(const Pending& value, ByteView plain) {
    PendingRecord record;
    if (!decode(plain, record)) return std::nullopt;
    return to_pending({value.account, value.device}, record);
}
std::optional<Feedback> reread(const Feedback& value, ByteView plain) {
    FeedbackRecord record;
    if (!decode(plain, record)) return std::nullopt;
    return to_feedback(value.number, record);
}

Feedback an_event() {
    return {.number = 3,
            .account = id_of("anna"),
            .device = id_of("phone"),
            .app = "chat",
            .reason = "Unregistered",
            .dead_since = kNoon,
            .noticed = kNoon + seconds(1)};
}

void survives(const auto& value) {
    const std::string plain = plain_of(value);
    REQUIRE_FALSE(plain.empty());
    CHECK(reread(value, as_bytes(plain)) == value);
    // Cut anywhere, or with anything behind it, it is no record.
    for (size_t size = 0; size < plain.size(); ++size) {
        INFO("cut to " << size << " bytes");
        CHECK_FALSE(reread(value, as_bytes(plain).first(size)));
    }
    CHECK_FALSE(reread(value, as_bytes(plain + '\0')));
}

Device bare_device() {
    Device device = a_device(an_account("anna"), "phone");
    device.name.clear();
    device.has_name = false;
    return device;
}

std::vector<std::string> record_corpus() {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(
             KNUCKLE_SOURCE_DIR "/tests/fuzz/corpus/store_record")) {
        paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<std::string> inputs;
    for (const auto& path : paths) inputs.push_back(read_file(path));
    return inputs;
}

}  // namespace

TEST_CASE("Every record reads back as it was written", "[store][schema]") {
    const Account anna = an_account("anna");
    const Device phone = a_device(anna, "phone");

    SECTION("an account") {
        survives(anna);
        Account odd = anna;
        odd.email.clear();
        odd.auth_token = "Not Hexadecimal At All";
        odd.username = std::string(kNameMax, 'u');
        odd.password_hash = std::string(kPasswordHashMax, 'p');
        odd.created = {-1};
        survives(odd);
    }
    SECTION("a device") {
        survives(phone);
        survives(bare_device());
        Device odd = phone;
        odd.kind = DeviceKind::gcm;
        odd.is_active = false;
        odd.is_dead = true;
        odd.registration_id = std::string(kRegistrationMax, 'X');
        odd.name.clear();  // which is not null
        odd.device_id = std::string("\0 and \xff", 7);
        odd.has_device_id = true;
        survives(odd);
        odd.proven_in = ProvenIn::production;
        survives(odd);
        Device proven = phone;
        proven.proven_in = ProvenIn::sandbox;
        survives(proven);
    }
    SECTION("a token") {
        survives(a_token(phone, "for bob"));
        Token odd = a_token(phone, "for bob");
        odd.text = std::string(kTokenTextMax, 'z');
        odd.has_name = false;
        odd.name.clear();
        odd.kind = DeviceKind::gcm;
        odd.created = {};
        odd.expires = kTokenTimeMax;
        survives(odd);
    }
    SECTION("a pending knock") {
        survives(a_pending(phone, 7));
        Pending odd = a_pending(phone, UINT64_MAX);
        odd.is_background = true;
        odd.payload = std::string(kPayloadMax, '\0');
        survives(odd);
        odd.is_background = false;
        odd.unseen_serial = UINT64_MAX;
        survives(odd);
    }
    SECTION("feedback") {
        survives(an_event());
        Feedback odd = an_event();
        odd.device_kind = DeviceKind::gcm;
        odd.kind = FeedbackKind::revived;
        odd.reason.clear();
        odd.dead_since = {};
        survives(odd);
    }
}

TEST_CASE("Hexadecimal secrets take half their length on disk and read back exactly",
          "[store][schema]") {
    const Token token = a_token(a_device(an_account("anna"), "phone"), "");
    const auto size_of = [&token](const std::string& text) {
        Token other = token;
        other.text = text;
        survives(other);
        return plain_of(other).size();
    };
    const std::string hex = secret_of("a token");
    std::string upper = hex;
    std::ranges::transform(
        upper, upper.begin(), [](char c) { return c >= 'a' ? char(c - 32) : c; });
    CHECK(size_of(upper) - size_of(hex) == 20);
    CHECK(size_of(hex + "a") > size_of(hex + "ab"));  // an odd number of digits is text
    CHECK(size_of("") + 1 == size_of("00"));
}

TEST_CASE("What breaks a limit has no encoding", "[store][schema]") {
    const Account anna = an_account("anna");
    const Device phone = a_device(anna, "phone");
    const std::string long_name(kNameMax + 1, 'n');

    for (std::string Account::* field : {&Account::app, &Account::username, &Account::email}) {
        Account account = anna;
        account.*field = long_name;
        CHECK(plain_of(account).empty());
    }
    Account account = anna;
    account.password_hash = std::string(kPasswordHashMax + 1, 'p');
    CHECK(plain_of(account).empty());
    account = anna;
    account.auth_token = std::string(kTokenTextMax + 2, 'a');
    CHECK(plain_of(account).empty());
    account = anna;
    account.app = std::string("ch\0at", 5);
    CHECK(plain_of(account).empty());

    Device device = phone;
    device.registration_id = std::string(kRegistrationMax + 2, 'a');
    CHECK(plain_of(device).empty());
    device = phone;
    device.name = long_name;
    CHECK(plain_of(device).empty());
    device = phone;
    device.device_id = long_name;
    CHECK_FALSE(plain_of(device).empty());  // it has none
    device.has_device_id = true;
    CHECK(plain_of(device).empty());

    Token token = a_token(phone, "for bob");
    token.text = std::string(kTokenTextMax + 1, 'z');
    CHECK(plain_of(token).empty());
    token = a_token(phone, long_name);
    CHECK(plain_of(token).empty());
    for (const UnixTime time : {kNoon, UnixTime{-1}, kTokenTimeMax + seconds(1)}) {
        token = a_token(phone, "for bob");
        token.created = time;
        CHECK(plain_of(token).empty());
        token = a_token(phone, "for bob");
        token.expires = time;
        CHECK(plain_of(token).empty());
    }

    Pending pending = a_pending(phone, 1);
    pending.payload = std::string(kPayloadMax + 1, 'x');
    CHECK(plain_of(pending).empty());
    pending = a_pending(phone, 1);
    pending.app = std::string(1, '\0');
    CHECK(plain_of(pending).empty());

    Feedback event = an_event();
    event.reason = std::string(kReasonMax + 1, 'r');
    CHECK(plain_of(event).empty());
    event = an_event();
    event.app = long_name;
    CHECK(plain_of(event).empty());
}

TEST_CASE("Events lie in the order of their numbers", "[store][schema]") {
    std::optional<RowKey> before;
    for (const uint64_t number : {uint64_t{1}, uint64_t{255}, uint64_t{256}, UINT64_MAX}) {
        const RowKey key = feedback_key(number);
        CHECK(parse_feedback_key(key.view()) == number);
        if (before) CHECK(as_text(before->view()) < as_text(key.view()));
        before = key;
    }
    CHECK_FALSE(parse_feedback_key(RowKey(Table::feedback).view()));
}

TEST_CASE("The state of the log reads back, and nonsense does not", "[store][schema]") {
    const FeedbackLogRecord log{.start = 3, .next = 9, .sent = 8};
    CHECK(decode_log(encode_log(log)) == log);
    CHECK_FALSE(decode_log({}));
    for (const FeedbackLogRecord& bad : {FeedbackLogRecord{.start = 0, .next = 1, .sent = 0},
                                         FeedbackLogRecord{.start = 3, .next = 2, .sent = 0},
                                         FeedbackLogRecord{.start = 1, .next = 2, .sent = 2}}) {
        CHECK_FALSE(decode_log(encode_log(bad)));
    }
    CHECK(decode_number(encode_number(UINT64_MAX)) == UINT64_MAX);
    CHECK_FALSE(decode_number({}));
}

TEST_CASE("Strange records are refused rather than guessed at", "[store][schema]") {
    const Device phone = bare_device();
    const std::string plain = plain_of(phone);
    const auto reads = [&phone](const std::string& bytes) {
        return reread(phone, as_bytes(bytes)).has_value();
    };
    REQUIRE(reads(plain));

    std::string other = plain;
    other[0] = static_cast<char>((other[0] & 0xf0) | 3);
    CHECK_FALSE(reads(other));  // a kind of device nobody knows

    // The registration id's count (65: 32 bytes of hexadecimal) written longer than needed.
    REQUIRE(plain[17] == 65);
    other = plain;
    other.replace(17, 1, "\xc1\x00", 2);
    CHECK_FALSE(reads(other));
    // Hexadecimal text that was not packed.
    other = plain.substr(0, 17) + '\x04' + "ab";
    CHECK_FALSE(reads(other));
    other = plain.substr(0, 17) + '\x03' + "\xab";
    CHECK(reads(other));
    // Nothing, as hexadecimal.
    other = plain.substr(0, 17) + '\x01';
    CHECK_FALSE(reads(other));
    // A count of more than 21 bits.
    other = plain.substr(0, 17) + "\xff\xff\xff\x7f";
    CHECK_FALSE(reads(other));
}

TEST_CASE("The record's rules hold for the fuzz corpus and what becomes of it", "[store][fuzz]") {
    const auto corpus = record_corpus();
    REQUIRE(corpus.size() >= 8);
    Random random(20'261'123);
    for (const std::string& input : corpus) {
        CHECK(test::check_store_record(as_bytes(input)) == "");
        CHECK(fuzz_store_record(as_bytes(input).data(), input.size()) == 0);
        for (int round = 0; round < 2'000; ++round) {
            std::string mutant = input;
            for (uint64_t n = 1 + random.below(3); n > 0 && !mutant.empty(); --n) {
                const size_t at = random.below(mutant.size());
                switch (random.below(4)) {
                    case 0:
                        mutant[at] = static_cast<char>(random.below(256));
                        break;
                    case 1:
                        mutant.erase(at, 1 + random.below(4));
                        break;
                    case 2:
                        mutant.insert(at, 1, static_cast<char>(random.below(256)));
                        break;
                    default:
                        mutant[at] = static_cast<char>(mutant[at] ^ 1 << random.below(8));
                        break;
                }
            }
            const std::string complaint = test::check_store_record(as_bytes(mutant));
            if (!complaint.empty()) FAIL_CHECK(complaint << ": " << to_hex(as_bytes(mutant)));
        }
    }
}

TEST_CASE("The keys of an account's rows lie together, the parts of a list in order",
          "[store][schema]") {
    const DeviceRef ref{id_of("anna"), id_of("phone")};
    CHECK(devices_of(ref.account).is_front_of(device_key(ref).view()));
    CHECK(tally_key(ref.account).is_front_of(owned_key(ref, 3).view()));
    CHECK(owned_by(ref).is_front_of(owned_key(ref, 3).view()));
    CHECK(pending_of(ref.account).is_front_of(pending_key(ref).view()));
    CHECK_FALSE(devices_of(ref.account).is_front_of(pending_key(ref).view()));
    CHECK_FALSE(devices_of(id_of("bob")).is_front_of(device_key(ref).view()));
    CHECK_FALSE(device_key(ref).is_front_of(devices_of(ref.account).view()));
    CHECK(std::ranges::lexicographical_compare(owned_key(ref, 255).view(),
                                               owned_key(ref, 256).view()));

    CHECK(parse_device_key(device_key(ref).view())->device == ref.device);
    CHECK(parse_device_key(pending_key(ref).view())->account == ref.account);
    CHECK_FALSE(parse_device_key(devices_of(ref.account).view()));
    CHECK(parse_owned_key(owned_key(ref, 513).view()) == 513);
    CHECK_FALSE(parse_owned_key(tally_key(ref.account).view()));

    CHECK_FALSE(RowKey::from(as_bytes(std::string(kKeyMax + 1, 'k'))));
    CHECK(as_text(RowKey::from(as_bytes("DA"))->view()) == "DA");
}

TEST_CASE("A token gets whole seconds, is not made late and does not end early",
          "[store][schema]") {
    const auto lives = [](UnixTime created, Duration lifetime) {
        Token token = a_token(a_device(an_account("anna"), "phone"), "for bob");
        set_lifetime(token, created, lifetime);
        survives(token);
        return std::pair(token.created, token.expires);
    };
    const auto at = [](int64_t created, int64_t expires) {
        return std::pair(from_unix_seconds(created), from_unix_seconds(expires));
    };
    CHECK(lives({5'000'000}, seconds(10)) == at(5, 15));
    CHECK(lives({5'000'001}, seconds(10)) == at(5, 16));
    CHECK(lives({5'999'999}, milliseconds(1'500)) == at(5, 8));
    // By a clock that is wrong, or in a dump.
    CHECK(lives({-5'000'000}, seconds(10)) == at(0, 5));
    CHECK(lives({INT64_MIN}, seconds(10)) == at(0, 0));
    CHECK(lives(kTokenTimeMax + microseconds(-1), seconds(10)) ==
          at(int64_t{UINT32_MAX} - 1, UINT32_MAX));
    CHECK(lives({INT64_MAX}, hours(24 * 3'650)) == at(UINT32_MAX, UINT32_MAX));
}

TEST_CASE("An expiry in the clear is in whole seconds and never early", "[store][schema]") {
    const auto seconds_of = [](UnixTime time) { return decode_count(encode_expiry(time)); };
    CHECK(seconds_of({1'000'000}) == 1U);
    CHECK(seconds_of({1'000'001}) == 2U);
    CHECK(seconds_of({0}) == 0U);
    CHECK(seconds_of({-5'000'000}) == 0U);
    CHECK(seconds_of({INT64_MAX}) == UINT32_MAX);
    CHECK(seconds_of({INT64_MIN}) == 0U);
    CHECK(seconds_of({int64_t{UINT32_MAX} * 1'000'000}) == UINT32_MAX);
    CHECK(decode_expiry(encode_expiry({1'000'001})) == from_unix_seconds(2));
    CHECK(decode_expiry(encode_expiry({INT64_MAX})) == from_unix_seconds(UINT32_MAX));
    CHECK_FALSE(decode_expiry(as_bytes("abc")));
}

TEST_CASE("The rows that are not sealed refuse what they are not", "[store][schema]") {
    CHECK(decode_format(encode_format(7)) == 7U);
    CHECK_FALSE(decode_format(as_bytes("knuckle")));
    CHECK_FALSE(decode_format(as_bytes("KNUCKLE\0\1\0\0\0")));
    CHECK(decode_count(encode_count(70'000)) == 70'000U);
    CHECK_FALSE(decode_count(as_bytes("abc")));

    const std::vector<LookupHash> hashes(kOwnedPerRow, LookupHash{1, 2, 3});
    const ByteView value = encode_owned(hashes);
    CHECK(std::ranges::equal(*decode_owned(value), hashes));
    CHECK_FALSE(decode_owned(value.first(15)));
    CHECK_FALSE(decode_owned(value.first(0)));
    CHECK_FALSE(decode_owned(as_bytes(std::string((kOwnedPerRow + 1) * 16, 'h'))));
}
