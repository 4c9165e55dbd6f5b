// SPDX-License-Identifier: GPL-3.0-or-later
#include <map>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/log.h"
#include "store/key_file.h"
#include "store/reseal.h"
#include "tests/support/store_shelf.h"

using namespace knuckle;
using namespace knuckle::store;

namespace {

std::string g_log;

// A store whose keys lie in a file, as the gateway's do.
class Rotation {
public:
    Rotation() : key_path_(key_directory_ / "store.key") {
        g_log.clear();
        log::set_sink([](std::string_view line) { g_log += line; });
        shelf.close();
        KeyText storage;
        write_file(key_path_, encode_keys(shelf.keys, storage));
        std::filesystem::permissions(key_path_, std::filesystem::perms(0600));
        shelf.open();
    }
    Rotation(const Rotation&) = delete;
    Rotation& operator=(const Rotation&) = delete;
    ~Rotation() {
        log::set_sink([](std::string_view) {});
    }

    // `knuckle rotate-key`, and the restart.
    void rotate() {
        REQUIRE(rotate_key(key_path_));
        restart();
    }
    void restart() {
        shelf.close();
        shelf.keys = keys_in_file();
        shelf.open();
    }
    [[nodiscard]] Keys keys_in_file() const { return must(load_or_create_keys(key_path_, false)); }
    [[nodiscard]] Resealer resealer() { return Resealer(shelf.env(), shelf.random(), key_path_); }
    // All of it; how many steps it took.
    size_t run() {
        Resealer resealer = this->resealer();
        size_t steps = 1;
        while (must(resealer.step())) ++steps;
        return steps;
    }
    // How many rows are under each key.
    [[nodiscard]] std::map<uint8_t, size_t> rows_by_key() {
        std::map<uint8_t, size_t> counts;
        shelf.tamper([&](Rows& rows) {
            for (const char table : std::string("CANKDTP")) {
                const RowKey front(static_cast<Table>(table));
                const size_t begin = *sealed_part_of(static_cast<Table>(table));
                for (const RowKey& key : must(rows.list(front))) {
                    ++counts[key_id_of(must(rows.get(key))->subspan(begin)).value_or(0)];
                }
            }
        });
        return counts;
    }
    [[nodiscard]] const std::string& key_path() const { return key_path_; }

    Shelf shelf;

private:
    TempDirectory key_directory_;
    std::string key_path_;
};

void damage(Shelf& shelf, const RowKey& key) {
    shelf.tamper([&](Rows& rows) {
        std::string value(as_text(*must(rows.get(key))));
        value.back() = static_cast<char>(value.back() ^ 1);
        REQUIRE(rows.put(key, as_bytes(value)));
    });
}

size_t count(const std::string& text, std::string_view what) {
    size_t found = 0;
    for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) ++found;
    return found;
}

}  // namespace

TEST_CASE("Without a second key there is nothing to re-seal", "[store][rotation]") {
    Rotation rotation;
    Resealer resealer = rotation.resealer();
    CHECK(resealer.counts().under_way.get() == 0);
    CHECK_FALSE(must(resealer.step()));
    CHECK(g_log.empty());
}

TEST_CASE("A rotation re-seals every row of every table, and the old key goes",
          "[store][rotation]") {
    Rotation rotation;
    Shelf& shelf = rotation.shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const Device tablet = shelf.has(a_device(anna, "tablet"));
    const Token for_bob = shelf.has(a_token(phone, "for bob"));
    const Token for_eve = shelf.has(a_token(tablet, "for eve"));
    const Pending pending = shelf.has(a_pending(phone, 1));
    CHECK(rotation.rows_by_key() == std::map<uint8_t, size_t>{{1, 9}});

    rotation.rotate();
    CHECK(shelf.look_up(for_bob) == Lookup::found);
    CHECK(rotation.rows_by_key() == std::map<uint8_t, size_t>{{1, 9}, {2, 1}});
    Resealer resealer = rotation.resealer();
    CHECK(resealer.counts().under_way.get() == 1);
    while (must(resealer.step())) {
    }
    CHECK(resealer.counts().resealed.get() == 8);
    CHECK(resealer.counts().damaged.get() == 0);
    CHECK(resealer.counts().under_way.get() == 0);
    CHECK_FALSE(must(resealer.step()));
    CHECK(rotation.rows_by_key() == std::map<uint8_t, size_t>{{2, 9}});
    CHECK_FALSE(rotation.keys_in_file().retiring);
    CHECK(count(g_log, "event=key_rotation_began key=2 retiring=1") == 1);
    CHECK(count(g_log, "event=key_rotation_ended key=2 resealed=8") == 1);

    rotation.restart();
    CHECK(shelf.account("anna") == anna);
    CHECK(shelf.devices_of(anna).size() == 2);
    CHECK(shelf.tokens_of(anna) == std::vector<std::string>{"for bob", "for eve"});
    CHECK(shelf.look_up(for_eve) == Lookup::found);
    CHECK(shelf.pending() == std::vector{pending});
    CHECK(shelf.write(DeleteToken{"chat", anna.id, for_bob.text}) == WriteStatus::done);
    CHECK(shelf.write(DeleteAccount{anna.id}) == WriteStatus::done);

    // And once more.
    rotation.rotate();
    rotation.run();
    CHECK(rotation.rows_by_key() == std::map<uint8_t, size_t>{{3, 1}});
}

TEST_CASE("A step stays small, and others write between two of them", "[store][rotation]") {
    Rotation rotation;
    Shelf& shelf = rotation.shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    std::vector<Change> changes;
    std::vector<Token> tokens;
    constexpr size_t kTokens = 800;
    for (size_t i = 0; i < kTokens; ++i) {
        tokens.push_back(a_token(phone, std::to_string(i)));
        changes.push_back(CreateToken{"chat", tokens.back(), 10'000});
    }
    shelf.write_all(std::move(changes));
    rotation.rotate();

    Resealer resealer = rotation.resealer();
    std::vector<Token> more;
    size_t deleted = 0;
    uint64_t before = 0;
    while (must(resealer.step())) {
        CHECK(resealer.counts().resealed.get() - before <= kResealedPerStep);
        before = resealer.counts().resealed.get();
        more.push_back(shelf.has(a_token(phone, "more " + std::to_string(more.size())), "chat"));
        CHECK(shelf.write(DeleteToken{"chat", anna.id, tokens[deleted].text}) == WriteStatus::done);
        ++deleted;
        // What is re-sealed and what is not yet are both found.
        CHECK(shelf.look_up(tokens.back()) == Lookup::found);
        CHECK(shelf.look_up(tokens[500]) == Lookup::found);
    }
    CHECK(deleted >= 3);
    CHECK(rotation.rows_by_key() ==
          std::map<uint8_t, size_t>{{2, 5 + kTokens - deleted + more.size()}});
    rotation.restart();
    CHECK(shelf.tokens_of(anna).size() == kTokens - deleted + more.size());
}

TEST_CASE("A step looks at a bounded number of rows that need nothing", "[store][rotation]") {
    Rotation rotation;
    Shelf& shelf = rotation.shelf;
    rotation.rotate();
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    std::vector<Change> changes;
    for (size_t i = 0; i < 2 * kVisitedPerStep; ++i) {
        changes.push_back(CreateToken{"chat", a_token(phone, std::to_string(i)), 10'000});
    }
    shelf.write_many(std::move(changes));
    CHECK(rotation.run() == 3);
    CHECK(count(g_log, "event=key_rotation_ended key=2 resealed=0") == 1);
}

TEST_CASE("A rotation that was cut short begins again and ends", "[store][rotation]") {
    Rotation rotation;
    Shelf& shelf = rotation.shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    std::vector<Change> changes;
    for (int i = 0; i < 600; ++i) {
        changes.push_back(CreateToken{"chat", a_token(phone, std::to_string(i)), 10'000});
    }
    shelf.write_all(std::move(changes));
    rotation.rotate();
    {
        Resealer resealer = rotation.resealer();
        REQUIRE(must(resealer.step()));
        CHECK(resealer.counts().resealed.get() == kResealedPerStep);
    }
    rotation.restart();
    CHECK(rotation.keys_in_file().retiring);
    Resealer resealer = rotation.resealer();
    while (must(resealer.step())) {
    }
    CHECK(resealer.counts().resealed.get() == 604 - kResealedPerStep);
    CHECK_FALSE(rotation.keys_in_file().retiring);

    // Also between the last row and the file: the next start finds nothing left to do.
    rotation.rotate();
    rotation.run();
    Keys both = rotation.shelf.keys;
    REQUIRE(both.retiring);
    KeyText storage;
    write_file(rotation.key_path(), encode_keys(both, storage));
    rotation.restart();
    CHECK(rotation.run() >= 1);
    CHECK_FALSE(rotation.keys_in_file().retiring);
    rotation.restart();
    CHECK(shelf.tokens_of(anna).size() == 600);
}

TEST_CASE("Rows that do not open keep the old key in the file, and the log says so",
          "[store][rotation]") {
    Rotation rotation;
    Shelf& shelf = rotation.shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    const Token token = shelf.has(a_token(phone, "for bob"));
    SECTION("changed") { damage(shelf, device_key({anna.id, phone.id})); }
    SECTION("cut off") {
        shelf.tamper([&](Rows& rows) {
            REQUIRE(rows.put(device_key({anna.id, phone.id}), as_bytes("\1short")));
        });
    }
    SECTION("under a key that nobody has") {
        shelf.tamper([&](Rows& rows) {
            const RowKey key = device_key({anna.id, phone.id});
            std::string value(as_text(*must(rows.get(key))));
            value[0] = 77;
            REQUIRE(rows.put(key, as_bytes(value)));
        });
    }
    rotation.rotate();
    Resealer resealer = rotation.resealer();
    while (must(resealer.step())) {
    }
    CHECK(resealer.counts().damaged.get() == 1);
    CHECK(resealer.counts().resealed.get() == 4);
    CHECK(rotation.keys_in_file().retiring);
    CHECK(count(g_log, "event=key_rotation_incomplete retiring=1 damaged=1") == 1);
    CHECK(count(g_log, "key_rotation_ended") == 0);

    // The next start tries again; and the operator may take the key out by hand.
    rotation.restart();
    CHECK(rotation.run() == 1);
    CHECK(rotation.keys_in_file().retiring);
    REQUIRE(retire_key(rotation.key_path(), rotation.keys_in_file()));
    rotation.restart();
    CHECK(shelf.account("anna") == anna);
    CHECK(shelf.look_up(token) == Lookup::found);
    Device found;
    CHECK(shelf.snapshot().find_device(anna.id, phone.id, found) == Lookup::damaged);
}

TEST_CASE("A key file that cannot be written keeps the old key, and the log says so",
          "[store][rotation]") {
    Rotation rotation;
    rotation.shelf.has(an_account("anna"));
    rotation.rotate();
    std::filesystem::create_directory(rotation.key_path() + ".new");  // not even root gets past it
    rotation.run();
    CHECK(count(g_log, "event=key_rotation_ended key=2 resealed=3") == 1);
    CHECK(count(g_log, "event=retired_key_left key=1 error=\"cannot make a new file") == 1);
    CHECK(rotation.keys_in_file().retiring);
    std::filesystem::remove(rotation.key_path() + ".new");
    // Taken out by hand, or by the next start.
    rotation.restart();
    rotation.run();
    CHECK_FALSE(rotation.keys_in_file().retiring);
    rotation.restart();
    CHECK(rotation.shelf.account("anna"));
}

TEST_CASE("A database that is full is re-sealed once there is room again", "[store][rotation]") {
    Rotation rotation;
    Shelf& shelf = rotation.shelf;
    const Account anna = shelf.has(an_account("anna"));
    const Device phone = shelf.has(a_device(anna, "phone"));
    rotation.rotate();
    shelf.close();
    shelf.open(size_t{1} << 20);
    std::vector<Change> changes;
    bool has_room = true;
    for (int made = 0; has_room; ++made) {
        has_room = shelf.write(CreateToken{
                       "chat", a_token(phone, std::to_string(made)), 100'000}) == WriteStatus::done;
    }
    Resealer resealer = rotation.resealer();
    Result<bool> more = true;
    while ((more = resealer.step()) && *more) {
    }
    if (!more) {
        CHECK(more.error().code == Errc::storage);
        CHECK(rotation.keys_in_file().retiring);
    }
    shelf.close();
    shelf.open(Shelf::kMapSize);
    rotation.run();
    CHECK_FALSE(rotation.keys_in_file().retiring);
    rotation.restart();
    CHECK(shelf.account("anna") == anna);
}

TEST_CASE("A restored copy of before the rotation opens with the old key file only",
          "[store][rotation]") {
    Rotation rotation;
    Shelf& shelf = rotation.shelf;
    const Account anna = shelf.has(an_account("anna"));
    shelf.close();
    const std::string data = shelf.directory() / "data.mdb";
    const std::string old_data = read_file(data);
    const Keys old_keys = shelf.keys;
    shelf.open();
    rotation.rotate();
    rotation.run();
    rotation.restart();
    shelf.close();

    const Keys new_keys = shelf.keys;
    CHECK_FALSE(Env::open({.directory = shelf.directory().path(), .keys = old_keys, .now = kNoon}));
    write_file(data, old_data);
    CHECK_FALSE(Env::open({.directory = shelf.directory().path(), .keys = new_keys, .now = kNoon}));
    shelf.keys = old_keys;
    shelf.open();
    CHECK(shelf.account("anna") == anna);
}
