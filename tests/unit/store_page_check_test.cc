// SPDX-License-Identifier: GPL-3.0-or-later
#include <cstring>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <catch_amalgamated.hpp>
#include <lmdb.h>

#include "base/random.h"
#include "store/page_check.h"
#include "tests/support/store_shelf.h"

// g++ has no fuzzer to link it with; so it is compiled at least. The module has two.
#define LLVMFuzzerTestOneInput fuzz_store_pages
#include "tests/fuzz/store_pages_fuzz.cc"

using namespace knuckle;
using namespace knuckle::store;

namespace {

constexpr size_t kPageSize = 4'096;

// Some of everything: three levels of pages, rows that are longer than a page, free pages.
std::string a_lived_in_database() {
    Shelf shelf;
    for (int i = 0; i < 8; ++i) {
        const Account account = shelf.has(an_account("person " + std::to_string(i)));
        std::vector<Change> changes;
        for (int j = 0; j < 4; ++j) {
            Device device = a_device(account, "phone " + std::to_string(j));
            if (j == 0) device.registration_id = std::string(kRegistrationMax, 'R');
            changes.push_back(CreateDevice{device, 100});
            for (int k = 0; k < 40; ++k) {
                const std::string name = account.username + std::to_string(j) + std::to_string(k);
                changes.push_back(CreateToken{"chat", a_token(device, name), 1'000});
            }
            Pending pending = a_pending(device, 1);
            pending.payload = std::string(kPayloadMax, 'P');
            changes.push_back(PutPending{pending});
        }
        shelf.write_all(std::move(changes));
        if (i % 4 == 3) REQUIRE(shelf.write(DeleteAccount{account.id}) == WriteStatus::done);
    }
    const std::string path = shelf.directory() / "data.mdb";
    shelf.close();
    return read_file(path);
}

std::string complaint(const std::string& file) {
    const auto result = check_pages(as_bytes(file));
    return result ? "" : result.error().what;
}

// Opens the file in a child, reads and writes all over it, and says how the child ended: "refused",
// "used" or "crashed".
std::string live_with(const TempDirectory& directory, const std::string& file) {
    write_file(directory / "data.mdb", file);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        auto env = Env::open({.directory = directory.path(),
                              .keys = some_keys(),
                              .now = kNoon,
                              .map_size = Shelf::kMapSize});
        if (!env) ::_exit(1);
        env->warm_up();
        crypto::SecureRandom random(crypto::SecureRandom::Seed{3});
        Committer committer(*env, random);
        Reader reader(*env);
        for (int i = 0; i < 12; ++i) {
            const Account account = an_account("person " + std::to_string(i));
            Snapshot snapshot = reader.snapshot();
            Account found;
            std::vector<Device> devices;
            std::vector<Token> tokens;
            std::vector<Pending> pending;
            static_cast<void>(snapshot.find_account("chat", account.username, found));
            static_cast<void>(snapshot.list_devices(account.id, devices));
            static_cast<void>(snapshot.list_tokens(account.id, tokens));
            static_cast<void>(snapshot.for_each_pending([](const PendingRow&) {}));
            static_cast<void>(snapshot.for_each_target(account.id, [](const Target&) {}));
        }
        std::vector<Write> writes;
        for (int i = 0; i < 14; ++i) {
            const Account account = an_account("person " + std::to_string(i));
            const Device device = a_device(account, "new phone");
            const Token token = a_token(device, "new " + account.username);
            writes.push_back({0, 0, CreateAccount{account}});
            writes.push_back({0, 0, CreateDevice{device, 100}});
            writes.push_back({0, 0, CreateToken{"chat", token, 1'000}});
            if (i % 2 == 0) writes.push_back({0, 0, DeleteAccount{account.id}});
        }
        std::vector<WriteStatus> statuses(writes.size());
        static_cast<void>(committer.apply(writes, statuses));
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status)) return "crashed";
    return WEXITSTATUS(status) == 0 ? "used" : WEXITSTATUS(status) == 1 ? "refused" : "crashed";
}

}  // namespace

TEST_CASE("A sound database passes, however it has been used", "[store][page_check]") {
    CHECK(complaint(a_lived_in_database()) == "");
    Shelf shelf;
    shelf.close();
    CHECK(complaint(read_file(shelf.directory() / "data.mdb")) == "");
}

TEST_CASE("A file that is none of ours is called so", "[store][page_check]") {
    CHECK(complaint(std::string(100'000, '\0')) == "data.mdb is not a database of Knuckle");
    CHECK(complaint(std::string(100'000, 'x')) == "data.mdb is not a database of Knuckle");

    // Another program's LMDB file, with a named table.
    const TempDirectory directory;
    MDB_env* env = nullptr;
    MDB_txn* txn = nullptr;
    MDB_dbi table = 0;
    REQUIRE(mdb_env_create(&env) == 0);
    REQUIRE(mdb_env_set_maxdbs(env, 2) == 0);
    REQUIRE(mdb_env_open(env, directory.path().c_str(), 0, 0600) == 0);
    REQUIRE(mdb_txn_begin(env, nullptr, 0, &txn) == 0);
    REQUIRE(mdb_dbi_open(txn, "table", MDB_CREATE, &table) == 0);
    REQUIRE(mdb_txn_commit(txn) == 0);
    mdb_env_close(env);
    CHECK(complaint(read_file(directory / "data.mdb")) == "data.mdb is not a database of Knuckle");
}

TEST_CASE("A file that was cut off is never opened", "[store][page_check]") {
    const std::string file = a_lived_in_database();
    const std::string cut_off =
        "the database is damaged: data.mdb is shorter than it should be; restore it from a backup";
    for (size_t size = 1; size < file.size(); size += size < 2 * kPageSize ? 511 : kPageSize) {
        const std::string said = complaint(file.substr(0, size));
        // Free pages at the end may be missing.
        const bool is_tail = size > file.size() - 16 * kPageSize;
        INFO(size << " of " << file.size() << " bytes: " << said);
        CHECK((said == cut_off || (is_tail && said.empty())));
    }
}

TEST_CASE("A damaged page is refused, or does no harm", "[store][page_check]") {
    const std::string file = a_lived_in_database();
    const TempDirectory directory;
    Random random(4'711);
    size_t refused = 0;
    const auto harm = [&](std::string damaged, const std::string& what) {
        const std::string end = live_with(directory, damaged);
        INFO(what);
        CHECK(end != "crashed");
        refused += end == "refused" ? 1 : 0;
    };

    SECTION("where a bit has flipped in the head of a page") {
        for (size_t page = 0; page < file.size() / kPageSize; page += 1 + random.below(3)) {
            std::string damaged = file;
            const size_t at = page * kPageSize + random.below(40);
            damaged[at] = static_cast<char>(damaged[at] ^ 1 << random.below(8));
            harm(std::move(damaged), "byte " + std::to_string(at));
        }
        CHECK(refused > 20);
    }
    SECTION("where a byte has changed anywhere") {
        for (int round = 0; round < 150; ++round) {
            std::string damaged = file;
            const size_t at = random.below(file.size());
            damaged[at] = static_cast<char>(random.below(256));
            harm(std::move(damaged), "byte " + std::to_string(at));
        }
    }
    SECTION("where a page has been lost, or is another's") {
        for (size_t page = 0; page < file.size() / kPageSize; page += 1 + random.below(3)) {
            std::string damaged = file;
            damaged.replace(page * kPageSize, kPageSize, kPageSize, '\0');
            harm(damaged, "page " + std::to_string(page) + " is zero");
            const size_t other = random.below(file.size() / kPageSize);
            damaged.replace(page * kPageSize, kPageSize, file, other * kPageSize, kPageSize);
            harm(damaged, "page " + std::to_string(page) + " is page " + std::to_string(other));
        }
        CHECK(refused > 40);
    }
}

TEST_CASE("The check itself reads only the file", "[store][page_check][fuzz]") {
    // Under ASan each of these is its own heap block.
    const std::string file = a_lived_in_database();
    Random random(99);
    for (int round = 0; round < 600; ++round) {
        std::vector<uint8_t> damaged(file.begin(), file.end());
        for (int n = 0; n < 4; ++n) {
            const size_t page = random.below(damaged.size() / kPageSize);
            const size_t at = page * kPageSize + random.below(n == 0 ? kPageSize : 160);
            damaged[at] = static_cast<uint8_t>(random.below(256));
        }
        damaged.resize(damaged.size() - random.below(3) * random.below(kPageSize));
        damaged.shrink_to_fit();
        static_cast<void>(check_pages(damaged));
    }
    CHECK(fuzz_store_pages(nullptr, 0) == 0);
}
