// SPDX-License-Identifier: GPL-3.0-or-later
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "store/lmdb_env.h"
#include "store/rows.h"
#include "store/schema.h"
#include "tests/support/full_disk.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

using Statuses = std::vector<WriteStatus>;

size_t row_count(Shelf& shelf) {
    const Transaction txn = shelf.begin_read();
    MDB_stat size;
    REQUIRE(mdb_stat(txn.get(), shelf.env().state().tree, &size) == 0);
    return size.ms_entries;
}

std::vector<Change> many_tokens(const Device& device, int count, const std::string& prefix = "") {
    std::vector<Change> changes;
    for (int i = 0; i < count; ++i) {
        changes.push_back(
            CreateToken{"chat", a_token(device, prefix + std::to_string(i)), 1'000'000});
    }
    return changes;
}

}  // namespace

TEST_CASE("A username belongs to the first who asks, in the same batch too", "[store][committer]") {
    Shelf shelf;
    Account second = an_account("anna");
    second.id = id_of("another anna");
    second.auth_token = secret_of("another anna");
    CHECK(shelf.write_all({CreateAccount{an_account("anna")},
                           CreateAccount{second},
                           CreateAccount{an_account("bob")}}) ==
          Statuses{WriteStatus::done, WriteStatus::exists, WriteStatus::done});
    CHECK(shelf.account("anna") == an_account("anna"));
    CHECK(shelf.write(CreateAccount{second}) == WriteStatus::exists);

    SECTION("and so do its auth token and its id") {
        Account thief = an_account("carol");
        thief.auth_token = an_account("anna").auth_token;
        CHECK(shelf.write(CreateAccount{thief}) == WriteStatus::exists);
        thief = an_account("carol");
        thief.id = an_account("anna").id;
        CHECK(shelf.write(CreateAccount{thief}) == WriteStatus::exists);
        CHECK_FALSE(shelf.account("carol"));
    }
    SECTION("until it is given up") {
        CHECK(shelf.write_all({DeleteAccount{an_account("anna").id}, CreateAccount{second}}) ==
              Statuses{WriteStatus::done, WriteStatus::done});
        CHECK(shelf.account("anna") == second);
    }
}

TEST_CASE("A password hash is replaced and nothing else", "[store][committer]") {
    Shelf shelf;
    Account anna = shelf.has(an_account("anna"));
    anna.password_hash = "$argon2id$new";
    CHECK(shelf.write(SetPasswordHash{anna.id, anna.password_hash}) == WriteStatus::done);
    CHECK(shelf.account("anna") == anna);
    CHECK(shelf.write(SetPasswordHash{id_of("nobody"), "x"}) == WriteStatus::not_found);
    const std::string too_long(kPasswordHashMax + 1, 'x');
    CHECK(shelf.write(SetPasswordHash{anna.id, too_long}) == WriteStatus::failed);
    CHECK(shelf.account("anna") == anna);
}

TEST_CASE("A new auth token takes the place of the old one, and nobody else's",
          "[store][committer]") {
    Shelf shelf;
    Account anna = shelf.has(an_account("anna"));
    const Account bob = shelf.has(an_account("bob"));
    const std::string old_token = anna.auth_token;
    anna.auth_token = secret_of("imported");
    CHECK(shelf.write(SetAuthToken{anna.id, anna.auth_token}) == WriteStatus::done);
    CHECK(shelf.account("anna") == anna);
    Account found;
    CHECK(shelf.snapshot().find_account_by_auth("chat", anna.auth_token, found) == Lookup::found);
    CHECK(found == anna);
    CHECK(shelf.snapshot().find_account_by_auth("chat", old_token, found) == Lookup::absent);

    CHECK(shelf.write(SetAuthToken{anna.id, anna.auth_token}) == WriteStatus::exists);
    CHECK(shelf.write(SetAuthToken{anna.id, bob.auth_token}) == WriteStatus::exists);
    CHECK(shelf.write(SetAuthToken{id_of("nobody"), old_token}) == WriteStatus::not_found);
    CHECK(shelf.write(SetAuthToken{anna.id, secret_of("new"), "zom"}) == WriteStatus::not_found);
    const std::string too_long(kTokenTextMax + 1, 'x');
    CHECK(shelf.write(SetAuthToken{anna.id, too_long}) == WriteStatus::failed);
    CHECK(shelf.account("anna") == anna);
    // Another app's tokens are its own.
    const Account other = shelf.has(an_account("anna", "zom"));
    CHECK(shelf.write(SetAuthToken{other.id, bob.auth_token}) == WriteStatus::done);
    CHECK(shelf.account("bob") == bob);
}

TEST_CASE("A deleted account leaves no row behind", "[store][committer]") {
    Shelf shelf;
    const size_t empty = row_count(shelf);
    const Account bob = shelf.has(an_account("bob"));
    const Device bobs_phone = shelf.has(a_device(bob, "phone"));
    const Token bobs_token = shelf.has(a_token(bobs_phone, "bob's"));
    shelf.has(a_pending(bobs_phone, 1));
    const size_t with_bob = row_count(shelf);

    const Account anna = shelf.has(an_account("anna"));
    std::vector<Token> tokens;
    for (const char* name : {"phone", "tablet", "watch"}) {
        const Device device = shelf.has(a_device(anna, name));
        for (int i = 0; i < 50; ++i) {
            tokens.push_back(shelf.has(a_token(device, name + std::to_string(i))));
        }
        shelf.has(a_pending(device, 1));
    }
    CHECK(shelf.write(DeleteAccount{anna.id}) == WriteStatus::done);
    CHECK(row_count(shelf) == with_bob);
    CHECK_FALSE(shelf.account("anna"));
    CHECK(shelf.devices_of(anna).empty());
    for (const Token& token : tokens) REQUIRE(shelf.look_up(token) == Lookup::absent);
    Account found;
    CHECK(shelf.snapshot().find_account_by_auth("chat", anna.auth_token, found) == Lookup::absent);
    CHECK(shelf.write(DeleteAccount{anna.id}) == WriteStatus::not_found);

    CHECK(shelf.look_up(bobs_token) == Lookup::found);
    CHECK(shelf.pending().size() == 1);
    CHECK(shelf.write(DeleteAccount{bob.id}) == WriteStatus::done);
    CHECK(row_count(shelf) == empty);
}

TEST_CASE("Devices are created within their quota, replaced, and deleted with all that is theirs",
          "[store][committer]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    Device phone = a_device(anna, "phone");
    CHECK(shelf.write(CreateDevice{phone, 2}) == WriteStatus::done);
    CHECK(shelf.write(CreateDevice{phone, 2}) == WriteStatus::exists);
    CHECK(shelf.write(CreateDevice{a_device(anna, "tablet"), 2, "chat"}) == WriteStatus::done);
    CHECK(shelf.write(CreateDevice{a_device(anna, "watch"), 2}) == WriteStatus::over_quota);
    CHECK(shelf.write(CreateDevice{a_device(anna, "watch"), 0}) == WriteStatus::over_quota);
    CHECK(shelf.write(CreateDevice{a_device(anna, "watch"), 9, "zom"}) == WriteStatus::not_found);
    CHECK(shelf.write(CreateDevice{a_device(an_account("bob"), "phone"), 2}) ==
          WriteStatus::not_found);

    phone.registration_id = registration_of("another phone");
    phone.is_active = false;
    CHECK(shelf.write(UpdateDevice{phone}) == WriteStatus::done);
    Device found;
    CHECK(shelf.snapshot().find_device(anna.id, phone.id, found) == Lookup::found);
    CHECK(found == phone);
    CHECK(shelf.write(UpdateDevice{a_device(anna, "watch")}) == WriteStatus::not_found);

    const Token token = shelf.has(a_token(phone, "phone's"));
    shelf.has(a_token(a_device(anna, "tablet"), "tablet's"));
    shelf.has(a_pending(phone, 1));
    CHECK(shelf.write(DeleteDevice{anna.id, phone.id}) == WriteStatus::done);
    CHECK(shelf.write(DeleteDevice{anna.id, phone.id}) == WriteStatus::not_found);
    CHECK(shelf.tokens_of(anna) == std::vector<std::string>{"tablet's"});
    CHECK(shelf.look_up(token) == Lookup::absent);
    CHECK(shelf.pending().empty());
    CHECK(shelf.devices_of(anna).size() == 1);
}

TEST_CASE("No account has more devices than a knock can reach", "[store][committer]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    std::vector<Change> changes;
    for (size_t i = 0; i <= kDevicesPerAccountMax; ++i) {
        changes.push_back(CreateDevice{a_device(anna, "device " + std::to_string(i)), UINT32_MAX});
    }
    const Statuses statuses = shelf.write_all(std::move(changes));
    CHECK(std::ranges::count(statuses, WriteStatus::done) == kDevicesPerAccountMax);
    CHECK(statuses.back() == WriteStatus::over_quota);
    CHECK(shelf.targets_of(anna).size() == kDevicesPerAccountMax);
}

TEST_CASE("A device dies unless the app has registered it again since", "[store][committer]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    Device phone = shelf.has(a_device(anna, "phone"));
    const UnixTime pushed = phone.registered;
    CHECK(shelf.write(MarkDeviceDead{anna.id, id_of("gone"), pushed}) == WriteStatus::not_found);

    phone.registered = pushed + microseconds(1);
    CHECK(shelf.write_all({UpdateDevice{phone}, MarkDeviceDead{anna.id, phone.id, pushed}}) ==
          Statuses{WriteStatus::done, WriteStatus::done});
    CHECK(shelf.devices_of(anna) == std::vector{phone});

    CHECK(shelf.write(MarkDeviceDead{anna.id, phone.id, phone.registered}) == WriteStatus::done);
    CHECK(shelf.write(MarkDeviceDead{anna.id, phone.id, phone.registered}) == WriteStatus::done);
    CHECK(shelf.targets_of(anna).empty());
    CHECK(shelf.devices_of(anna).front().is_dead);
    CHECK(shelf.write(UpdateDevice{phone}) == WriteStatus::done);  // the app's next PUT
    CHECK(shelf.targets_of(anna).size() == 1);
}

TEST_CASE("A registration is proven until the app registers another", "[store][committer]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    Device phone = shelf.has(a_device(anna, "phone"));
    const auto proven_in = [&] { return shelf.devices_of(anna).front().proven_in; };
    const MarkDeviceProven proof{anna.id, phone.id, phone.registered, ProvenIn::sandbox};
    CHECK(shelf.write(MarkDeviceProven{anna.id, id_of("gone"), kNoon, ProvenIn::sandbox}) ==
          WriteStatus::not_found);

    CHECK(shelf.write_all({proof, proof}) == Statuses{WriteStatus::done, WriteStatus::done});
    CHECK(proven_in() == ProvenIn::sandbox);
    CHECK(shelf.write(MarkDeviceProven{
              anna.id, phone.id, phone.registered, ProvenIn::production}) == WriteStatus::done);
    CHECK(proven_in() == ProvenIn::production);

    phone.registration_id = registration_of("another");
    phone.registered = kNoon + seconds(1);
    CHECK(shelf.write_all({UpdateDevice{phone}, proof}) ==
          Statuses{WriteStatus::done, WriteStatus::done});
    CHECK(proven_in() == ProvenIn::nowhere);
}

TEST_CASE("A device that dies or comes back is reported, once each", "[store][committer]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna", "zom"));
    Device phone = shelf.has(a_device(anna, "phone"));
    MarkDeviceDead early = a_death(phone);
    early.registered = phone.registered + microseconds(-1);
    CHECK(shelf.write(early) == WriteStatus::done);  // of an earlier life
    CHECK(shelf.write(UpdateDevice{phone}) == WriteStatus::done);
    CHECK(shelf.feedback().empty());

    const MarkDeviceDead death = a_death(phone, kNoon + hours(1));
    const Feedback died{.number = 1,
                        .account = anna.id,
                        .device = phone.id,
                        .device_kind = phone.kind,
                        .kind = FeedbackKind::dead,
                        .app = "zom",
                        .reason = "Unregistered",
                        .dead_since = death.dead_since,
                        .noticed = death.noticed};
    CHECK(shelf.write_all({death, death}) == Statuses{WriteStatus::done, WriteStatus::done});
    CHECK(shelf.feedback() == std::vector{died});

    phone.registered = kNoon + hours(2);
    CHECK(shelf.write_all({UpdateDevice{phone}, UpdateDevice{phone}}) ==
          Statuses{WriteStatus::done, WriteStatus::done});
    const Feedback revived{.number = 2,
                           .account = anna.id,
                           .device = phone.id,
                           .device_kind = phone.kind,
                           .kind = FeedbackKind::revived,
                           .app = "zom",
                           .reason = {},
                           .dead_since = {},
                           .noticed = phone.registered};
    CHECK(shelf.feedback() == std::vector{revived});
}

TEST_CASE("A device dies also when nothing can be reported of it", "[store][committer]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    shelf.tamper([&](Rows& rows) { REQUIRE(rows.put(account_key(anna.id), as_bytes("odd"))); });
    CHECK(shelf.write(a_death(phone)) == WriteStatus::done);
    CHECK(shelf.devices_of(anna).front().is_dead);
    CHECK(shelf.feedback().empty());
}

TEST_CASE("What a provider says at length is cut, not refused", "[store][committer]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    MarkDeviceDead death = a_death(shelf.has(a_device(anna, "phone")));
    death.reason = std::string(kReasonMax + 1, 'r');
    CHECK(shelf.write(death) == WriteStatus::done);
    CHECK(shelf.feedback().front().reason == std::string(kReasonMax, 'r'));
}

TEST_CASE("Tokens are created within their quota, which deleting frees", "[store][committer]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const auto create = [&](const std::string& name, uint32_t tokens_max) {
        return shelf.write(CreateToken{"chat", a_token(phone, name), tokens_max});
    };
    CHECK(create("1", 0) == WriteStatus::over_quota);
    CHECK(create("1", 2) == WriteStatus::done);
    CHECK(create("1", 2) == WriteStatus::exists);
    CHECK(create("2", 2) == WriteStatus::done);
    CHECK(create("3", 2) == WriteStatus::over_quota);
    CHECK(shelf.write(CreateToken{"chat", a_token(a_device(anna, "gone"), "4"), 9}) ==
          WriteStatus::not_found);

    CHECK(shelf.write(DeleteToken{"chat", anna.id, secret_of("token 1")}) == WriteStatus::done);
    CHECK(shelf.write(DeleteToken{"chat", anna.id, secret_of("token 1")}) ==
          WriteStatus::not_found);
    CHECK(create("3", 2) == WriteStatus::done);
    CHECK(shelf.tokens_of(anna) == std::vector<std::string>{"2", "3"});
}

TEST_CASE("A token is of the app that its account is of", "[store][committer]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Token token = a_token(shelf.has(a_device(anna, "phone")), "for bob");
    CHECK(shelf.write(CreateToken{"other", token, 9}) == WriteStatus::not_found);
    CHECK(shelf.tokens_of(anna).empty());
    CHECK(shelf.write(CreateToken{"chat", token, 9}) == WriteStatus::done);
}

TEST_CASE("A token is changed and deleted by its owner only", "[store][committer]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Account bob = shelf.has(an_account("bob"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const Device tablet = shelf.has(a_device(anna, "tablet"));
    const Device bobs = shelf.has(a_device(bob, "phone"));
    Token token = shelf.has(a_token(phone, "for carol"));

    Token stolen = token;
    stolen.account = bob.id;
    stolen.device = bobs.id;
    CHECK(shelf.write(UpdateToken{"chat", stolen}) == WriteStatus::not_found);
    CHECK(shelf.write(DeleteToken{"chat", bob.id, token.text}) == WriteStatus::not_found);
    CHECK(shelf.write(CreateToken{"chat", stolen, 10}) == WriteStatus::exists);

    token.name = "for dave";
    token.expires = token.expires + hours(1);
    CHECK(shelf.write(UpdateToken{"chat", token}) == WriteStatus::done);
    token.device = tablet.id;
    CHECK(shelf.write(UpdateToken{"chat", token}) == WriteStatus::done);
    Token found;
    CHECK(shelf.snapshot().find_token("chat", token.text, found) == Lookup::found);
    CHECK(found == token);

    // It goes with its new device, not with its old one.
    CHECK(shelf.write(DeleteDevice{anna.id, phone.id}) == WriteStatus::done);
    CHECK(shelf.tokens_of(anna) == std::vector<std::string>{"for dave"});
    Token orphan = token;
    orphan.device = phone.id;
    CHECK(shelf.write(UpdateToken{"chat", orphan}) == WriteStatus::not_found);
    CHECK(shelf.write(UpdateToken{"chat", a_token(tablet, "unknown")}) == WriteStatus::not_found);
    CHECK(shelf.write(DeleteDevice{anna.id, tablet.id}) == WriteStatus::done);
    CHECK(shelf.look_up(token) == Lookup::absent);
}

TEST_CASE("The newest knock of a device is the one that waits", "[store][committer][pending]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const auto clear = [&](uint64_t serial) {
        return shelf.write(ClearPending{anna.id, phone.id, serial});
    };
    CHECK(clear(1) == WriteStatus::done);  // nothing to clear
    shelf.has(a_pending(phone, 5));
    CHECK(shelf.write(PutPending{a_pending(phone, 4)}) == WriteStatus::done);  // too late
    CHECK(shelf.pending() == std::vector{a_pending(phone, 5)});
    shelf.has(a_pending(phone, 7));
    CHECK(shelf.pending() == std::vector{a_pending(phone, 7)});
    CHECK(clear(5) == WriteStatus::done);  // settled, but superseded meanwhile
    CHECK(shelf.pending().size() == 1);
    CHECK(clear(7) == WriteStatus::done);
    CHECK(shelf.pending().empty());

    // A knock for a device that has gone meanwhile must not bring anything of it back.
    CHECK(shelf.write_all({DeleteDevice{anna.id, phone.id}, PutPending{a_pending(phone, 8)}}) ==
          Statuses{WriteStatus::done, WriteStatus::not_found});
    CHECK(shelf.pending().empty());
}

TEST_CASE("A knock to be seen does not vanish into one that is not",
          "[store][committer][pending]") {
    Shelf shelf;
    const Device phone = shelf.has(a_device(shelf.has(an_account("anna")), "phone"));
    const Pending loud = shelf.has(a_pending(phone, 5));
    Pending quiet = a_pending(phone, 6);
    quiet.is_background = true;
    SECTION("it is still worth something") {
        shelf.has(quiet);
        const Pending row = shelf.pending().at(0);
        CHECK_FALSE(row.is_background);
        CHECK(row.payload == loud.payload);
        CHECK(row.push == loud.push);
        CHECK(row.expires == quiet.expires);
        // Whichever is settled first, the other has its row.
        const auto settle = [&](const Pending& it) {
            shelf.write(ClearPending{it.account, it.device, it.serial, it.is_background});
        };
        settle(quiet);
        CHECK(shelf.pending().at(0).payload == loud.payload);
        settle(loud);
        CHECK(shelf.pending().empty());
    }
    SECTION("it has expired") {
        quiet.accepted = loud.expires;
        shelf.has(quiet);
        CHECK(shelf.pending() == std::vector{quiet});
    }
    SECTION("it is the newer one") {
        quiet.serial = 4;
        shelf.write(ClearPending{phone.account, phone.id, 9});
        shelf.has(quiet);
        shelf.has(loud);
        CHECK(shelf.pending() == std::vector{loud});
    }
}

TEST_CASE("Knocks that wait have a limit, and what there is is counted",
          "[store][committer][pending]") {
    Shelf shelf;
    shelf.pending_limits = {.rows_max = 2, .bytes_max = 1'000};
    shelf.reopen();
    const Account anna = shelf.has(an_account("anna"));
    const Account ben = shelf.has(an_account("ben"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const Device tablet = shelf.has(a_device(anna, "tablet"));
    const Device third = shelf.has(a_device(ben, "ben's"));
    const auto counts = [&] {
        const PendingCounts& now = shelf.committer().pending_counts();
        return std::vector{now.rows.get(), now.bytes.get(), now.oldest.get()};
    };
    const auto second_of = [](const Pending& row) {
        return static_cast<uint64_t>(to_unix_seconds(row.accepted));
    };
    const auto before = counts();
    CHECK(before == std::vector<uint64_t>{0, 0, 0});
    const Pending first = shelf.has(a_pending(phone, 1));
    const uint64_t size = counts()[1];
    CHECK(size > first.payload.size());
    shelf.has(a_pending(tablet, 2));
    CHECK(counts() == std::vector{uint64_t{2}, 2 * size, second_of(first)});

    SECTION("no room for a third, but for a newer one") {
        CHECK(shelf.write(PutPending{a_pending(third, 3)}) == WriteStatus::over_quota);
        shelf.has(a_pending(phone, 4));
        CHECK(counts() == std::vector{uint64_t{2}, 2 * size, second_of(a_pending(phone, 2))});
        CHECK(shelf.write(ClearPending{anna.id, tablet.id, 2}) == WriteStatus::done);
        shelf.has(a_pending(third, 3));
        CHECK(counts()[0] == 2);
    }
    SECTION("no room for many bytes: what was there stays") {
        Pending large = a_pending(phone, 4);
        large.payload = std::string(1'000, 'p');
        CHECK(shelf.write(PutPending{large}) == WriteStatus::over_quota);
        CHECK(shelf.pending().size() == 2);
        CHECK(counts()[1] == 2 * size);
    }
    SECTION("after a restart it is the same") {
        const auto now = counts();
        shelf.reopen();
        CHECK(counts() == now);
        CHECK(shelf.write(PutPending{a_pending(third, 3)}) == WriteStatus::over_quota);
    }
    SECTION("they go with their device, or their account") {
        CHECK(shelf.write(DeleteDevice{anna.id, tablet.id}) == WriteStatus::done);
        CHECK(counts() == std::vector{uint64_t{1}, size, second_of(first)});
        CHECK(shelf.write(DeleteAccount{anna.id}) == WriteStatus::done);
        CHECK(counts() == before);
    }
    SECTION("what is damaged takes room, too") {
        shelf.tamper([&](Rows& rows) {
            REQUIRE(rows.put(pending_key({anna.id, phone.id}), as_bytes("damaged")));
        });
        shelf.reopen();
        CHECK(counts()[0] == 2);
        shelf.has(a_pending(phone, 9));
        CHECK(counts()[0] == 2);
        CHECK(counts()[1] == 2 * size);
    }
}

TEST_CASE("A write beyond the limits fails alone", "[store][committer]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const std::string long_name(kNameMax + 1, 'n');
    Account account = an_account("bob");
    account.username = long_name;
    Device device = a_device(anna, long_name);
    Device changed = phone;
    changed.registration_id = std::string(kRegistrationMax + 1, 'R');
    Token token = a_token(phone, "for bob");
    token.text = std::string(kTokenTextMax + 1, 't');
    Token renamed = shelf.has(a_token(phone, "for carol"));
    renamed.name = long_name;
    Pending pending = a_pending(phone, 1);
    pending.payload = std::string(kPayloadMax + 1, 'p');
    const size_t before = row_count(shelf);
    CHECK(shelf.write_all({CreateAccount{account},
                           CreateDevice{device, 9},
                           UpdateDevice{changed},
                           CreateToken{"chat", token, 9},
                           UpdateToken{"chat", renamed},
                           PutPending{pending},
                           CreateAccount{an_account("dave")}}) == Statuses{WriteStatus::failed,
                                                                           WriteStatus::failed,
                                                                           WriteStatus::failed,
                                                                           WriteStatus::failed,
                                                                           WriteStatus::failed,
                                                                           WriteStatus::failed,
                                                                           WriteStatus::done});
    CHECK(row_count(shelf) == before + 3);
    CHECK(shelf.devices_of(anna) == std::vector{phone});
}

TEST_CASE("What was answered is there after a restart", "[store][committer]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const Token token = shelf.has(a_token(phone, "for bob"));
    const Pending pending = shelf.has(a_pending(phone, 1));
    shelf.reopen();
    CHECK(shelf.account("anna") == anna);
    CHECK(shelf.devices_of(anna) == std::vector{phone});
    CHECK(shelf.look_up(token) == Lookup::found);
    CHECK(shelf.pending() == std::vector{pending});
}

TEST_CASE("A full map fails the whole batch, says so, and lets go when there is room",
          "[store][committer][failure]") {
    Shelf shelf(size_t{1} << 20);
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const Token kept = shelf.has(a_token(phone, "kept"));
    int batches = 0;
    Statuses statuses;
    do {
        statuses = shelf.write_all(many_tokens(phone, 500, std::to_string(batches) + "/"));
        ++batches;
    } while (statuses.front() == WriteStatus::done && batches < 100);
    CHECK(batches < 100);
    CHECK(statuses == Statuses(500, WriteStatus::failed));
    CHECK(shelf.error().code == Errc::storage);
    CHECK(std::string(shelf.error().what) == "the database has reached its largest size");
    CHECK(shelf.error().detail == MDB_MAP_FULL);
    CHECK_FALSE(shelf.tokens_of(anna).empty());
    CHECK(shelf.tokens_of(anna).size() == static_cast<size_t>(batches - 1) * 500 + 1);

    // Reading goes on, and so does writing once there is room.
    CHECK(shelf.look_up(kept) == Lookup::found);
    shelf.close();
    shelf.open(size_t{4} << 20);
    CHECK(shelf.write_all(many_tokens(phone, 500, "more/")) == Statuses(500, WriteStatus::done));
    CHECK(shelf.look_up(kept) == Lookup::found);
}

TEST_CASE("A full disk fails the whole batch, and readers never notice",
          "[store][committer][failure]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const Token token = shelf.has(a_token(phone, "for bob"));
    Statuses statuses;
    Lookup lookup = Lookup::damaged;
    bool is_probe_done = true;
    {
        const test::FullDisk disk;
        statuses = shelf.write_all(many_tokens(phone, 300));
        is_probe_done = shelf.committer().probe().has_value();
        lookup = shelf.look_up(token);
    }
    CHECK(statuses == Statuses(300, WriteStatus::failed));
    CHECK(std::string(shelf.error().what) == "no room for the database on its disk");
    CHECK_FALSE(is_probe_done);
    CHECK(lookup == Lookup::found);
    CHECK(shelf.tokens_of(anna).size() == 1);

    CHECK(shelf.committer().probe());
    CHECK(shelf.write_all(many_tokens(phone, 300)) == Statuses(300, WriteStatus::done));
    shelf.reopen();
    CHECK(shelf.tokens_of(anna).size() == 301);
}

TEST_CASE("A probe changes nothing", "[store][committer]") {
    Shelf shelf;
    shelf.has(an_account("anna"));
    const size_t before = row_count(shelf);
    CHECK(shelf.committer().probe());
    CHECK(row_count(shelf) == before);
    shelf.reopen();
    CHECK(shelf.account("anna"));
    CHECK(shelf.write_all({}).empty());
}
