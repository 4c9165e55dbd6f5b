// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch_amalgamated.hpp>

#include "store/recent_targets.h"
#include "tests/support/store_shelf.h"

namespace {

using namespace knuckle;
using namespace knuckle::store;

Target a_target(const std::string& name, size_t registration_size = 64) {
    Target target;
    target.device = id_of(name);
    target.kind = DeviceKind::apns;
    target.proven_in = ProvenIn::sandbox;
    target.registered = UnixTime{static_cast<int64_t>(name.size())};
    target.registration_size = static_cast<uint16_t>(registration_size);
    std::fill_n(target.registration, registration_size, name.front());
    return target;
}

bool is_same(const Target& one, const Target& other) {
    return one.device == other.device && one.kind == other.kind &&
           one.proven_in == other.proven_in && one.registered == other.registered &&
           one.registration_id() == other.registration_id();
}

struct Memory {
    [[nodiscard]] bool has(const std::string& account, const Target& expected) {
        Target found;
        return recent.find(id_of(account), found) && is_same(found, expected);
    }
    [[nodiscard]] bool has_nothing_of(const std::string& account) {
        Target found;
        return !recent.find(id_of(account), found);
    }

    DeviceChanges changes;
    RecentTargets recent{changes};
};

std::string name_of(size_t number) { return "account " + std::to_string(number); }

}  // namespace

TEST_CASE("What was kept is found as it was", "[store][recent]") {
    Memory memory;
    CHECK(memory.has_nothing_of("anna"));
    memory.recent.keep(id_of("anna"), 1, a_target("phone"));
    CHECK(memory.has("anna", a_target("phone")));
    CHECK(memory.has_nothing_of("bob"));
    memory.recent.keep(id_of("bob"), 1, a_target("tablet", RecentTargets::kRegistrationKept));
    CHECK(memory.has("bob", a_target("tablet", RecentTargets::kRegistrationKept)));
    CHECK(memory.has("anna", a_target("phone")));
}

TEST_CASE("The account whose id is all zeros is one like any other", "[store][recent]") {
    Memory memory;
    memory.recent.keep(id_of("anna"), 1, a_target("phone"));
    Target found;
    CHECK_FALSE(memory.recent.find(Uuid{}, found));
    memory.recent.keep(Uuid{}, 1, a_target("zero"));
    CHECK(memory.recent.find(Uuid{}, found));
    CHECK(is_same(found, a_target("zero")));
}

TEST_CASE("What has changed since is not found, and can be kept anew", "[store][recent]") {
    Memory memory;
    memory.recent.keep(id_of("anna"), 5, a_target("phone"));
    memory.changes.note(id_of("anna"), 5);
    CHECK(memory.has("anna", a_target("phone")));
    memory.changes.note(id_of("anna"), 6);
    CHECK(memory.has_nothing_of("anna"));
    // As long as the change is not committed, snapshots are older than it.
    memory.recent.keep(id_of("anna"), 5, a_target("phone"));
    CHECK(memory.has_nothing_of("anna"));
    memory.recent.keep(id_of("anna"), 6, a_target("new phone"));
    CHECK(memory.has("anna", a_target("new phone")));
}

TEST_CASE("A registration that is too long is not kept", "[store][recent]") {
    Memory memory;
    const size_t size = RecentTargets::kRegistrationKept + 1;
    memory.recent.keep(id_of("anna"), 1, a_target("phone", size));
    CHECK(memory.has_nothing_of("anna"));
}

TEST_CASE("A slot that held a longer registration holds the shorter one alone", "[store][recent]") {
    Memory memory;
    memory.recent.keep(id_of("anna"), 1, a_target("phone", RecentTargets::kRegistrationKept));
    memory.recent.keep(id_of("anna"), 2, a_target("phone", 3));
    CHECK(memory.has("anna", a_target("phone", 3)));
}

TEST_CASE("The table grows with the accounts, up to its limit, and keeps most of them",
          "[store][recent]") {
    Memory memory;
    CHECK(memory.recent.slots() == 0);
    memory.recent.keep(id_of(name_of(0)), 1, a_target(name_of(0)));
    CHECK(memory.recent.slots() == RecentTargets::kSlotsMin);

    static constexpr size_t kMax = RecentTargets::kSlotsMax;
    const auto [many, least] =
        GENERATE(std::pair{kMax / 4 * 3, kMax / 400 * 3 * 97}, std::pair{kMax, kMax / 2});
    size_t count = 0;
    for (size_t round = 0; round < 2; ++round) {
        for (count = 0; count < many; ++count) {
            memory.recent.keep(id_of(name_of(count)), 1, a_target(name_of(count)));
        }
    }
    CHECK(memory.recent.slots() == RecentTargets::kSlotsMax);
    size_t found = 0;
    Target target;
    for (size_t i = 0; i < count; ++i) {
        if (!memory.recent.find(id_of(name_of(i)), target)) continue;
        ++found;
        if (!is_same(target, a_target(name_of(i)))) FAIL("another one's");
    }
    CHECK(found > least);
}

TEST_CASE("Nothing is forgotten when the table grows", "[store][recent]") {
    const auto keep = [](Memory& memory, size_t i) {
        memory.recent.keep(id_of(name_of(i)), 1, a_target(name_of(i)));
    };
    size_t last = 0;
    for (Memory memory; memory.recent.slots() <= RecentTargets::kSlotsMin; ++last)
        keep(memory, last);
    --last;  // it makes the table grow

    Memory memory;
    for (size_t i = 0; i < last; ++i) keep(memory, i);
    const auto count = [&] {
        size_t found = 0;
        for (size_t i = 0; i < last; ++i) found += memory.has(name_of(i), a_target(name_of(i)));
        return found;
    };
    const size_t before = count();
    CHECK(before > last / 10 * 9);
    REQUIRE(memory.recent.slots() == RecentTargets::kSlotsMin);
    keep(memory, last);
    REQUIRE(memory.recent.slots() > RecentTargets::kSlotsMin);
    CHECK(count() + 1 >= before);  // one may have had to give way
    CHECK(count() + 1 >= before);
}

TEST_CASE("A few accounts need little memory and stay in it", "[store][recent]") {
    Memory memory;
    for (size_t round = 0; round < 100; ++round) {
        for (size_t i = 0; i < 100; ++i)
            memory.recent.keep(id_of(name_of(i)), round + 1, a_target(name_of(i)));
    }
    CHECK(memory.recent.slots() == RecentTargets::kSlotsMin);
    size_t found = 0;
    for (size_t i = 0; i < 100; ++i) found += memory.has(name_of(i), a_target(name_of(i)));
    CHECK(found == 100);
}

TEST_CASE("A knock sees each change of the device it goes to", "[store][recent][snapshot]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    Device phone = shelf.has(a_device(anna, "phone"));
    const auto ids = [&] { return shelf.targets_of(anna); };
    REQUIRE(ids() == std::vector{phone.registration_id});
    REQUIRE(ids() == std::vector{phone.registration_id});

    const auto write = [&](Change change) {
        REQUIRE(shelf.write(std::move(change)) == WriteStatus::done);
    };
    SECTION("another registration") {
        phone.registration_id = registration_of("new phone");
        write(UpdateDevice{phone});
        CHECK(ids() == std::vector{registration_of("new phone")});
    }
    SECTION("a second device") {
        shelf.has(a_device(anna, "tablet"));
        CHECK(ids().size() == 2);
        CHECK(ids().size() == 2);
    }
    SECTION("it is gone") {
        write(DeleteDevice{anna.id, phone.id});
        CHECK(ids().empty());
    }
    SECTION("the account is gone") {
        write(DeleteAccount{anna.id});
        CHECK(ids().empty());
    }
    SECTION("it is dead") {
        write(
            MarkDeviceDead{.account = anna.id, .device = phone.id, .registered = phone.registered});
        CHECK(ids().empty());
    }
    SECTION("the database is opened anew") {
        shelf.reopen();
        CHECK(ids() == std::vector{phone.registration_id});
    }
    SECTION("it is off, and on again") {
        phone.is_active = false;
        write(UpdateDevice{phone});
        CHECK(ids().empty());
        phone.is_active = true;
        write(UpdateDevice{phone});
        CHECK(ids() == std::vector{phone.registration_id});
    }
    SECTION("beside one that is off, which is turned on") {
        Device tablet = a_device(anna, "tablet");
        tablet.is_active = false;
        shelf.has(tablet);
        CHECK(ids() == std::vector{phone.registration_id});
        CHECK(ids() == std::vector{phone.registration_id});
        tablet.is_active = true;
        write(UpdateDevice{tablet});
        CHECK(ids().size() == 2);
    }
    SECTION("it is another kind of device") {
        phone.kind = DeviceKind::gcm;
        write(UpdateDevice{phone});
        for (int i = 0; i < 2; ++i) {
            const auto visit = [](const Target& target) { CHECK(target.kind == DeviceKind::gcm); };
            CHECK(shelf.snapshot().for_each_target(anna.id, visit) == Lookup::found);
        }
    }
    SECTION("it is proven") {
        write(MarkDeviceProven{.account = anna.id,
                               .device = phone.id,
                               .registered = phone.registered,
                               .proven_in = ProvenIn::production});
        ProvenIn proven_in = ProvenIn::nowhere;
        const auto visit = [&](const Target& target) { proven_in = target.proven_in; };
        CHECK(shelf.snapshot().for_each_target(anna.id, visit) == Lookup::found);
        CHECK(proven_in == ProvenIn::production);
    }
}

TEST_CASE("A change is not seen before it is committed, nor missed after a failure",
          "[store][recent][snapshot]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const auto ids = [&] { return shelf.targets_of(anna); };
    REQUIRE(ids() == std::vector{phone.registration_id});
    {
        Transaction txn = shelf.begin_write();
        Rows rows(txn.get(), shelf.env().state());
        REQUIRE(rows.erase(device_key({anna.id, phone.id})));
        CHECK(ids() == std::vector{phone.registration_id});
        CHECK(ids() == std::vector{phone.registration_id});
    }  // aborts
    CHECK(ids() == std::vector{phone.registration_id});
    shelf.tamper([&](Rows& rows) { REQUIRE(rows.erase(device_key({anna.id, phone.id}))); });
    CHECK(ids().empty());
}

TEST_CASE("One may look up more while a remembered target is visited",
          "[store][recent][snapshot]") {
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const Account bob = shelf.has(an_account("bob"));
    const Device tablet = shelf.has(a_device(bob, "tablet"));
    const Token token = shelf.has(a_token(tablet, "for anna"));
    for (int i = 0; i < 3; ++i) {
        Snapshot snapshot = shelf.snapshot();
        std::vector<std::string> ids;
        const Lookup lookup = snapshot.for_each_target(anna.id, [&](const Target& target) {
            TokenOwner owner;
            CHECK(snapshot.find_token("chat", token.text, owner) == Lookup::found);
            Device device;
            CHECK(snapshot.find_device(bob.id, tablet.id, device) == Lookup::found);
            ids.emplace_back(target.registration_id());
        });
        CHECK(lookup == Lookup::found);
        CHECK(ids == std::vector{phone.registration_id});
    }
    CHECK(shelf.targets_of(bob) == std::vector{tablet.registration_id});
}

// For tsan, too.
TEST_CASE("While a device changes, readers find what their snapshot has", "[store][recent]") {
    constexpr int kChanges = 300;
    Shelf shelf;
    const Account anna = shelf.has(an_account("anna"));
    Device phone = shelf.has(a_device(anna, "phone"));
    const Uuid id = phone.id;
    std::atomic<bool> is_over = false;
    std::atomic<int> faults = 0;
    const auto read = [&] {
        Reader reader(shelf.env());
        while (!is_over) {
            Snapshot snapshot = reader.snapshot();
            Device device;
            if (snapshot.find_device(anna.id, id, device) != Lookup::found) ++faults;
            for (int i = 0; i < 3; ++i) {
                const Lookup lookup = snapshot.for_each_target(anna.id, [&](const Target& target) {
                    faults += target.registration_id() != device.registration_id;
                });
                faults += lookup != Lookup::found;
            }
        }
    };
    std::vector<std::thread> readers;
    for (int i = 0; i < 2; ++i) readers.emplace_back(read);
    for (int i = 0; i < kChanges; ++i) {
        if (i % 7 == 0) {  // noted, but never committed
            Transaction txn = shelf.begin_write();
            faults += !Rows(txn.get(), shelf.env().state()).erase(device_key({anna.id, phone.id}));
        }
        phone.registration_id = registration_of(std::to_string(i));
        faults += shelf.write(UpdateDevice{phone}) != WriteStatus::done;
        faults += shelf.targets_of(anna) != std::vector{phone.registration_id};
    }
    is_over = true;
    for (std::thread& reader : readers) reader.join();
    CHECK(faults == 0);
}
