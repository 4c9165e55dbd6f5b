// SPDX-License-Identifier: GPL-3.0-or-later
// An operator moves here from a ChatSecure push server: what it knew is imported from a dump of its
// database, and its phones ring again.
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/wait.h>
#include <system_error>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/integration/conformance.h"
#include "tests/support/chatsecure_dump.h"

namespace knuckle::test {

namespace {

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr uint64_t kLargeTokens = 1'000'000;
constexpr uint64_t kCutTokens = 200'000;
#else
constexpr uint64_t kLargeTokens = 20'000;
constexpr uint64_t kCutTokens = 20'000;
#endif

constexpr std::string_view kAnna = "c2264edf-078e-4be8-84e3-929062f64f1e";
constexpr std::string_view kBert = "11111111-2222-4333-8444-555555555555";
constexpr std::string_view kGone = "99999999-9999-4999-8999-999999999999";
constexpr std::string_view kAnnasAuth = "6b9b9b6d9cd27ea93e1adac580b94e3e75a72560";
constexpr std::string_view kAnnasPhone = "638426e6-832f-4a45-ae9a-db409ba2fb4d";
constexpr std::string_view kAnnasDroid = "738426e6-832f-4a45-ae9a-db409ba2fb4d";
// Of "correct horse".
constexpr std::string_view kHash =
    "pbkdf2_sha256$1000$seasalt$mQnueSakb748zqBAC1tmWVZsZbi2zPGZarEzTGdfmso=";

std::string line(const std::vector<std::string_view>& fields) {
    std::string text;
    for (const std::string_view field : fields) text.append(field) += '\t';
    text.back() = '\n';
    return text;
}

std::string token_text(int number) {
    std::string text(40, '0');
    text[38] = static_cast<char>('a' + number / 10);
    text[39] = static_cast<char>('0' + number % 10);
    return text;
}

// What a small server knew, and a few rows that are not as they should be.
DumpRows some_rows() {
    const std::string lately = hours_ago(48);
    const std::string long_ago = hours_ago(24 * 31);
    const std::string phone = registration_of(7);
    const std::string spaced = phone.substr(0, 8) + " " + phone.substr(8);
    const auto account = [&](std::string_view name, std::string_view active, std::string_view id) {
        return line({kHash, "\\N", "f", name, "anna@example.org", active, lately, id});
    };
    DumpRows rows;
    rows.accounts = account("anna", "t", kAnna) + account("b\\\\ert\\x2e", "t", kBert) +  // b\ert.
                    account("carol", "f", "22222222-2222-4333-8444-555555555555") +
                    account(std::string(31, 'n'), "t", "32222222-2222-4333-8444-555555555555") +
                    account("dora", "t", "no uuid") + "only\tthree\tfields\n";
    rows.auth_tokens = line({kAnnasAuth, lately, kAnna}) +
                       line({"aa9b9b6d9cd27ea93e1adac580b94e3e75a72560", lately, kGone});
    rows.apns_devices =
        line({"Anna\\'s\\tphone", "t", lately, kAnnasPhone, "\\N", spaced, kAnna}) +
        line({"\\N", "f", lately, "648426e6-832f-4a45-ae9a-db409ba2fb4d", "\\N", "abcd", kAnna}) +
        line({"\\N", "t", lately, "658426e6-832f-4a45-ae9a-db409ba2fb4d", "\\N", "", kAnna}) +
        line({"\\N", "t", lately, "668426e6-832f-4a45-ae9a-db409ba2fb4d", "\\N", "ef", kGone});
    rows.gcm_devices = line({"", "f", lately, kAnnasDroid, "0x1f", "APA91b", kAnna});
    rows.tokens = line({"1", "Bert\\nis this", token_text(1), lately, kAnnasPhone, "\\N", kAnna}) +
                  line({"2", "\\N", token_text(2), "\\N", "\\N", kAnnasDroid, kAnna}) +
                  line({"3", "\\N", token_text(3), long_ago, kAnnasPhone, "\\N", kAnna}) +
                  line({"4", "\\N", token_text(4), lately, "\\N", "\\N", kAnna}) +
                  line({"5", "\\N", token_text(5), lately, kAnnasPhone, "\\N", kBert}) +
                  line({"6", "\\N", "no token", lately, kAnnasPhone, "\\N", kAnna});
    return rows;
}

// A world without a gateway as yet, and what `knuckle import` says in it.
struct Migration : World {
    // `words` behind "import".
    int import(const std::vector<std::string>& words) {
        std::vector<std::string> all = {KNUCKLE_BINARY, "import"};
        all.insert(all.end(), words.begin(), words.end());
        all.insert(all.end(), {"--config", config.write()});
        return run(all);
    }
    int import_file(const std::string& path) { return import({"chatsecure", path}); }
    int import_text(std::string_view text) { return import_file(dir.write("dump.sql", text)); }
    // By a shell, with the command as $0 and what follows, from "import" on.
    int import_by_shell(const std::string& script) {
        return run({"/bin/sh", "-c", script, KNUCKLE_BINARY, config.write()});
    }
    int run(const std::vector<std::string>& words) {
        std::filesystem::remove(dir / "import");
        Process process(words, dir / "import");
        const int status = process.wait(minutes(2)).value_or(-1);
        said = process.output();
        return status;
    }
    [[nodiscard]] bool says(std::string_view words) const {
        return said.find(words) != std::string::npos;
    }
    // Rows, imported, already there, skipped.
    [[nodiscard]] std::vector<uint64_t> counts(const std::string& table) const {
        std::istringstream numbers(said.substr(said.find("  " + table) + table.size() + 2));
        std::vector<uint64_t> counts(4);
        for (uint64_t& count : counts) numbers >> count;
        return counts;
    }

    std::string said;
};

using Counts = std::vector<uint64_t>;

}  // namespace

TEST_CASE("what a ChatSecure server knew is here after an import, and its phones ring",
          "[import]") {
    Migration here;
    const bool is_reversed = GENERATE(false, true);
    REQUIRE(here.import_text(dump_text(
                some_rows(), is_reversed ? DumpOrder::reversed : DumpOrder::as_pg_dump)) == 0);
    INFO(here.said);
    CHECK(here.counts("accounts_pushuser") == Counts{6, 2, 0, 4});
    CHECK(here.counts("authtoken_token") == Counts{2, 1, 0, 1});
    CHECK(here.counts("devices_apnsdevice") == Counts{4, 2, 0, 2});
    CHECK(here.counts("devices_gcmdevice") == Counts{1, 1, 0, 0});
    CHECK(here.counts("tokens_token") == Counts{6, 2, 0, 4});
    CHECK(here.says("1  the account is deactivated; line "));
    CHECK(here.says("1  it has expired; line "));
    CHECK(here.says("done: imported for the app chat"));
    if (!is_reversed) CHECK(here.says("a wrong number of fields, or too long; line 25\n"));

    ApiClient api(here.start().port());
    const auto log_in = [&](std::string_view name) {
        return api.ask(post(
            "accounts/", form({{"username", std::string(name)}, {"password", "correct horse"}})));
    };
    // The second time with the hash that has taken the place of Django's.
    for (int i = 0; i < 2; ++i) {
        const HttpResponse anna = log_in("anna");
        CHECK(anna.status == 200);
        CHECK(json_string(anna.body, "/id") == kAnna);
        CHECK(json_string(anna.body, "/token") == kAnnasAuth);
        CHECK(json_string(anna.body, "/email") == "anna@example.org");
    }
    CHECK(api.ask(post("accounts/", form({{"username", "anna"}, {"password", "wrong"}}))).status ==
          401);
    const HttpResponse bert = log_in("b\\ert.");
    CHECK(json_string(bert.body, "/id") == kBert);
    CHECK(json_string(bert.body, "/token").size() == 40);  // it never had one

    const HttpResponse phone =
        api.ask(get("device/apns/" + std::string(kAnnasPhone) + "/").by(kAnnasAuth));
    CHECK(json_string(phone.body, "/registration_id") == registration_of(7));
    CHECK(json_string(phone.body, "/name") == "Anna's\tphone");
    CHECK(json_shape(phone.body).find("device_id:null") != std::string::npos);
    const HttpResponse droid =
        api.ask(get("device/gcm/" + std::string(kAnnasDroid) + "/").by(kAnnasAuth));
    CHECK(json_string(droid.body, "/registration_id") == "APA91b");
    CHECK(json_string(droid.body, "/device_id") == "0x1f");
    CHECK(droid.body.find("\"active\":true") != std::string::npos);
    CHECK(json_string(droid.body, "/name").empty());
    const HttpResponse token = api.ask(get("tokens/" + token_text(1) + "/").by(kAnnasAuth));
    CHECK(json_string(token.body, "/name") == "Bert\nis this");

    CHECK(api.knock(token_text(1)) == 202);
    CHECK(here.apns.count("/accepted") == 1);  // the other phone is inactive
    CHECK(here.apns.arrivals().back().find(registration_of(7)) != std::string::npos);
    CHECK(api.knock(token_text(2)) == 202);
    CHECK(here.apns.count("/accepted") == 2);
    for (const int absent : {3, 4, 5}) CHECK(api.knock(token_text(absent)) == 404);

    // While the gateway serves nobody else writes.
    CHECK(here.import_text(dump_text(some_rows())) == 1);
    CHECK(here.says("another process serves from the data directory; stop it"));
    CHECK(here.gateway->stop() == 0);
    CHECK(here.gateway->log().find(kAnnasAuth) == std::string::npos);

    // Again, it changes nothing.
    CHECK(here.import_text(dump_text(some_rows())) == 0);
    CHECK(here.counts("accounts_pushuser") == Counts{6, 0, 2, 4});
    CHECK(here.counts("authtoken_token") == Counts{2, 0, 1, 1});
    CHECK(here.counts("devices_apnsdevice") == Counts{4, 0, 2, 2});
    CHECK(here.counts("devices_gcmdevice") == Counts{1, 0, 1, 0});
    CHECK(here.counts("tokens_token") == Counts{6, 0, 2, 4});
}

TEST_CASE("what cannot be imported is refused in words that say what to do", "[import]") {
    Migration here;
    const std::string dump = dump_text(some_rows());
    SECTION("another format") {
        CHECK(here.import_text("PGDMP\x01\x0e") == 1);
        CHECK(here.import_text("PGDMP\x01\n") == 1);
        CHECK(here.says("pg_restore -f"));
    }
    SECTION("INSERT statements") {
        CHECK(here.import_text("INSERT INTO public.tokens_token VALUES (1);\n") == 1);
        CHECK(here.says("without --inserts"));
    }
    SECTION("another database") {
        CHECK(here.import_text("COPY public.recipes (id) FROM stdin;\n\\.\n") == 1);
        CHECK(here.says("is no dump of the reference's database"));
        CHECK(here.import_text("COPY public.accounts_pushuser (id) FROM stdin;\n\\.\n") == 1);
        CHECK(here.says("dump.sql:1: lacks a column"));
    }
    SECTION("a file that was cut off; what was there is kept") {
        CHECK(here.import_text(dump.substr(0, dump.find("no token"))) == 1);
        CHECK(here.says("ends in the middle of a table"));
        CHECK(here.import_text(dump) == 0);
        CHECK(here.counts("accounts_pushuser") == Counts{6, 0, 2, 4});
        CHECK(here.counts("tokens_token") == Counts{6, 0, 2, 4});
    }
    SECTION("no file") {
        CHECK(here.import_file(here.dir / "absent.sql") == 1);
        CHECK(here.says("No such file"));
        CHECK(here.import_file(here.dir.path()) == 1);
        CHECK(here.says("Is a directory"));
    }
    SECTION("standard input that would have to be read twice") {
        here.dir.write("dump.sql", dump_text(some_rows(), DumpOrder::reversed));
        const std::string command =
            "cat " + here.dir / "dump.sql" + " | exec \"$0\" import chatsecure - --config \"$1\"";
        CHECK(here.import_by_shell(command) == 1);
        CHECK(here.says("put it into a file"));
        here.dir.write("dump.sql", dump);
        CHECK(here.import_by_shell(command) == 0);
        CHECK(here.counts("tokens_token") == Counts{6, 2, 0, 4});
    }
    SECTION("one of several apps") {
        here.config.apns = "[apps.zom]\nhosts = [\"zom.example.org\"]\n" +
                           here.config.text().substr(here.config.text().find("[apps.chat.apns]"));
        here.config.apns.replace(here.config.apns.find("[apps.chat.apns]"), 16, "[apps.zom.apns]");
        here.config.app = "hosts = [\"push.example.org\"]\n";
        CHECK(here.import_text(dump) == 1);
        CHECK(here.says("there are several apps; say with --app"));
        CHECK(here.import({"chatsecure", here.dir / "dump.sql", "--app", "foo"}) == 1);
        CHECK(here.says("there are: chat, zom"));
        CHECK(here.import({"chatsecure", here.dir / "dump.sql", "--app", "zom"}) == 0);
        ApiClient api(here.start().port());
        const Request knock = post("messages/", form({{"token", token_text(1)}}));
        CHECK(api.ask(knock.to("push.example.org")).status == 404);
        CHECK(api.ask(knock.to("zom.example.org")).status == 202);
    }
    SECTION("a command that is not understood") {
        CHECK(here.import({}) == 2);
        CHECK(here.import({"prosody", "x"}) == 2);
        CHECK(here.import({"chatsecure", "x", "y"}) == 2);
    }
}

TEST_CASE("an import that is killed goes on where it ended", "[import][crash]") {
    Migration here;
    const LargeDump size{.accounts = kCutTokens / 20, .tokens = kCutTokens};
    const std::string dump = here.dir / "large.sql";
    write_large_dump(dump, size);
    {
        Process first(
            {KNUCKLE_BINARY, "import", "chatsecure", dump, "--config", here.config.write()},
            here.dir / "first");
        const std::string data = here.config.data_dir + "/data.mdb";
        std::error_code ignored;
        const bool has_begun = eventually(
            [&] {
                return std::filesystem::exists(data) &&
                       std::filesystem::file_size(data, ignored) > kCutTokens * 100;
            },
            minutes(1));
        first.signal(SIGKILL);
        CHECK(has_begun);
        CHECK(first.wait(seconds(20)) == 128 + SIGKILL);
    }
    REQUIRE(here.import_file(dump) == 0);
    INFO(here.said);
    const Counts tokens = here.counts("tokens_token");
    CHECK(tokens[0] == size.tokens);
    CHECK(tokens[1] > 0);
    CHECK(tokens[2] > 0);
    CHECK(tokens[3] == 0);
    CHECK(tokens[1] + tokens[2] == size.tokens);
    CHECK(here.counts("authtoken_token") == Counts{size.accounts, 0, size.accounts, 0});
    REQUIRE(here.import_file(dump) == 0);
    CHECK(here.counts("tokens_token") == Counts{size.tokens, 0, size.tokens, 0});

    ApiClient api(here.start().port());
    for (uint64_t i = 0; i < size.tokens; i += size.tokens / 50) {
        CHECK(api.knock(large_dump_token(i)) == 202);
    }
    CHECK(here.apns.count("/accepted") > 0);
    CHECK(api.ask(get("accounts/").by(large_dump_auth_token(size.accounts - 1))).status == 200);
}

TEST_CASE("a million tokens are imported in little memory", "[import][large]") {
    constexpr uint64_t kAccounts = kLargeTokens / 20;
    Migration here;
    const std::string dump = here.dir / "large.sql";
    write_large_dump(dump, {.accounts = kAccounts, .tokens = kLargeTokens});
    REQUIRE(here.import_file(dump) == 0);
    INFO(here.said);
    for (const char* const table : {"accounts_pushuser", "authtoken_token", "devices_apnsdevice"}) {
        CHECK(here.counts(table) == Counts{kAccounts, kAccounts, 0, 0});
    }
    CHECK(here.counts("tokens_token") == Counts{kLargeTokens, kLargeTokens, 0, 0});
    std::filesystem::remove(dump);
    ApiClient api(here.start().port());
    for (uint64_t i = 0; i < kLargeTokens; i += kLargeTokens / 100) {
        CHECK(api.knock(large_dump_token(i)) == 202);
    }
}

}  // namespace knuckle::test
