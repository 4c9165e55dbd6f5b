// SPDX-License-Identifier: GPL-3.0-or-later
// The n-th failure: whichever call of a commit to the disk fails (the first, the second, and so on
// until none does), nothing half is left, knocks go on, and the next batch goes through.
#include <cerrno>
#include <string>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <vector>

#include <catch_amalgamated.hpp>

#include "tests/support/store_shelf.h"

namespace {

// How many calls from now the disk fails, once; 0: it does not. Of one thread.
size_t g_fails_in = 0;
bool g_has_failed = false;
bool g_is_meta = false;  // the call that failed wrote a meta page

bool fails_now() {
    if (g_fails_in == 0 || --g_fails_in > 0) return false;
    g_has_failed = true;
    errno = EIO;
    return true;
}

}  // namespace

// LMDB's calls come here first, because they are linked into the test.
extern "C" {
ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset) {
    if (fails_now()) {
        g_is_meta = offset < 2 * 4'096;
        return -1;
    }
    return ::syscall(SYS_pwrite64, file, bytes, size, offset);
}
ssize_t writev(int file, const iovec* parts, int count) {
    return fails_now() ? -1 : ::syscall(SYS_writev, file, parts, count);
}
int fdatasync(int file) {
    return fails_now() ? -1 : static_cast<int>(::syscall(SYS_fdatasync, file));
}
}

using namespace knuckle;
using namespace knuckle::store;

namespace {

using Statuses = std::vector<WriteStatus>;

// A batch that replaces, adds and removes.
std::vector<Change> a_batch(const Account& anna, const Device& phone, int number) {
    Device changed = phone;
    changed.registration_id = std::string(kRegistrationMax, static_cast<char>('A' + number % 26));
    const auto name = [number](int index) {
        return std::to_string(number) + "/" + std::to_string(index);
    };
    std::vector<Change> changes = {UpdateDevice{changed}};
    for (int i = 0; i < 40; ++i) {
        changes.push_back(CreateToken{"chat", a_token(phone, name(i)), 100'000});
    }
    changes.push_back(DeleteToken{"chat", anna.id, secret_of("token " + name(0))});
    return changes;
}

}  // namespace

TEST_CASE("Whichever call to the disk fails, a batch is there as a whole or not at all",
          "[store][failure]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const Token token = shelf.has(a_token(phone, "for bob"));
    size_t failures = 0;
    for (size_t n = 1;; ++n) {
        INFO("call " << n << " fails");
        const int number = static_cast<int>(n);
        const size_t tokens = shelf.tokens_of(anna).size();
        const std::string registration = shelf.devices_of(anna).front().registration_id;

        g_has_failed = g_is_meta = false;
        g_fails_in = n;
        const Statuses statuses = shelf.write_all(a_batch(anna, phone, number));
        g_fails_in = 0;
        if (!g_has_failed) {
            CHECK(statuses == Statuses(42, WriteStatus::done));
            break;
        }
        ++failures;
        REQUIRE(statuses == Statuses(42, WriteStatus::failed));
        REQUIRE(std::string(shelf.error().what) == "the disk of the database reports an I/O error");
        if (g_is_meta) {
            // The one failure that LMDB does not get over; a restart does.
            CHECK(shelf.write(UpdateDevice{phone}) == WriteStatus::failed);
            CHECK(std::string(shelf.error().what) ==
                  "the database failed and needs a restart of Knuckle");
            CHECK(shelf.look_up(token) == Lookup::damaged);
            shelf.reopen();
        }

        CHECK(shelf.look_up(token) == Lookup::found);
        const bool is_whole = shelf.tokens_of(anna).size() == tokens + 39;
        const bool is_nothing = shelf.tokens_of(anna).size() == tokens;
        CHECK((is_whole || is_nothing));
        CHECK((shelf.devices_of(anna).front().registration_id == registration) == is_nothing);
        if (n % 2 == 0) shelf.reopen();
        CHECK(shelf.write_all(a_batch(anna, phone, number + 1'000)) ==
              Statuses(42, WriteStatus::done));
    }
    CHECK(failures >= 4);  // pages, their sync, the meta page, its sync
    shelf.reopen();
    CHECK(shelf.look_up(token) == Lookup::found);
}
