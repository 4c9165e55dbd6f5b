// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/disk.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <unistd.h>
#include <utility>

#include "base/assert.h"
#include "base/text.h"
#include "crypto/digest.h"

namespace knuckle::sim {

namespace {

namespace fs = std::filesystem;

constexpr size_t kAppsMax = 2;
constexpr size_t kPeoplePerApp = 3;
constexpr size_t kMapSize = size_t{32} << 20;
constexpr UnixTime kMade = {1'795'953'600'000'000};

std::string make_directory() {
    const bool has_memory = ::access("/dev/shm", W_OK) == 0;
    std::string name = has_memory ? std::string("/dev/shm") : fs::temp_directory_path().string();
    name += "/knuckle-sim-XXXXXX";
    KNUCKLE_ASSERT(::mkdtemp(name.data()) != nullptr);
    return name;
}

Uuid id_of(const std::string& name) {
    const auto digest = crypto::sha256(as_bytes(name));
    std::array<uint8_t, 16> bytes;
    std::copy_n(digest.begin(), bytes.size(), bytes.begin());
    return Uuid::from_random(bytes);
}
std::string secret_of(const std::string& name) {
    return to_hex(ByteView(crypto::sha256(as_bytes(name))).first(20));
}

store::Env open_env(const std::string& directory) {
    store::Keys keys;
    keys.current.key.fill(1);
    keys.lookup.fill(2);
    auto env = store::Env::open(
        {.directory = directory, .keys = keys, .now = kMade, .map_size = kMapSize});
    if (!env) std::fprintf(stderr, "cannot open the database: %s\n", env.error().what);
    KNUCKLE_ASSERT(env.has_value());
    return std::move(*env);
}

// Made once in a program.
struct Template {
    Template() : directory(make_directory()) {
        const store::Env env = open_env(directory);
        crypto::SecureRandom random(crypto::SecureRandom::Seed{7});
        store::Committer committer(env, random);
        std::vector<store::Write> writes;
        const auto add = [&](store::Change change) { writes.push_back({0, 0, std::move(change)}); };
        for (const Person& person : make_people(kAppsMax)) {
            add(store::CreateAccount{person.account});
            for (const store::Device& device : person.devices) add(store::CreateDevice{device, 9});
            add(store::CreateToken{app_name(person.app), person.token, 9});
        }
        std::vector<store::WriteStatus> statuses(writes.size());
        KNUCKLE_ASSERT(committer.apply(writes, statuses).has_value());
        for (const store::WriteStatus status : statuses)
            KNUCKLE_ASSERT(status == store::WriteStatus::done);
    }
    ~Template() {
        std::error_code ignored;
        fs::remove_all(directory, ignored);
    }
    Template(const Template&) = delete;
    Template& operator=(const Template&) = delete;

    std::string directory;
};

}  // namespace

std::string app_name(size_t app) { return app == 0 ? "chat" : "talk"; }

std::vector<Person> make_people(size_t apps) {
    std::vector<Person> people;
    for (size_t i = 0; i < apps * kPeoplePerApp; ++i) {
        Person person;
        const std::string name = "person" + std::to_string(i);
        person.app = i / kPeoplePerApp;
        person.account.id = id_of(name);
        person.account.app = app_name(person.app);
        person.account.username = name;
        person.account.password_hash = "none";
        person.account.auth_token = secret_of("auth " + name);
        person.account.created = person.account.seen = kMade;
        const size_t devices = i % kPeoplePerApp == 0 ? 2 : 1;
        for (size_t n = 0; n < devices; ++n) {
            store::Device device;
            const std::string phone = name + " phone" + std::to_string(n);
            device.id = id_of(phone);
            device.account = person.account.id;
            device.registration_id = to_hex(crypto::sha256(as_bytes(phone)));
            device.created = device.registered = kMade;
            // Some have been pushed to before.
            if (i % 2 == 0) device.proven_in = store::ProvenIn::production;
            person.devices.push_back(device);
        }
        person.token.text = secret_of("token " + name);
        person.token.account = person.account.id;
        person.token.device = person.devices[0].id;
        person.token.created = kMade;
        person.token.expires = kMade + hours(24 * 3'650);
        people.push_back(person);
    }
    return people;
}

Disk::Disk(uint64_t seed)
    : directory_(make_directory()),
      random_({static_cast<uint8_t>(seed), static_cast<uint8_t>(seed >> 8), 3}) {
    static const Template one;
    fs::copy_file(one.directory + "/data.mdb", directory_ + "/data.mdb");
    open();
}

Disk::~Disk() {
    close();
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
}

void Disk::open() {
    env_.emplace(open_env(directory_));
    committer_ = std::make_unique<store::Committer>(*env_, random_);
    reader_ = std::make_unique<store::Reader>(*env_);
}

void Disk::close() {
    reader_.reset();
    committer_.reset();
    env_.reset();
}

}  // namespace knuckle::sim
