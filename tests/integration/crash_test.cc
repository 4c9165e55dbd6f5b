// SPDX-License-Identifier: GPL-3.0-or-later
// kill -9 in the middle of traffic, again and again: what was answered is there after the restart,
// what was answered to be deleted is gone, and of what was not answered any person has one call at
// most, which counts as a whole or not at all. Apple is away all the time; at the end it comes up,
// and each device hears the last knock that was answered.
//
// The traffic is drawn from a seed, and so is after how many answers the kill strikes: on a busy
// machine, too, there is something to lose. Which calls are under way then is chance, as in life.
// KNUCKLE_SEED=n runs the traffic of a failed run again.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/random.h"
#include "tests/integration/world.h"
#include "tests/support/api_client.h"
#include "tests/support/json_fields.h"

namespace knuckle::test {

namespace {

constexpr int kRounds = kIsProduct ? 200 : 20;
constexpr uint64_t kAnswersMax = 80;  // of a round
constexpr size_t kPeople = 4;
constexpr size_t kDevicesMax = 6;
constexpr size_t kTokensMax = 20;

// By id or token, each as the JSON that the API shows of it, made for the call or in a list.
using Things = std::map<std::string, std::string>;

struct Belongings {
    Things devices;
    Things tokens;
    bool operator==(const Belongings&) const = default;

    void erase_device(const std::string& id) {
        devices.erase(id);
        std::erase_if(
            tokens, [&](const auto& token) { return token.second.find(id) != std::string::npos; });
    }
};

std::string renamed(std::string thing, const std::string& name) {
    const std::string key = R"("name":")";
    const size_t begin = thing.find(key) + key.size();
    return thing.replace(begin, thing.find('"', begin) - begin, name);
}

Things list(ApiClient& api, const std::string& auth, const char* path, std::string_view key) {
    Things things;
    for (const std::string& each : json_elements(api.ask(get(path).by(auth)).body, "/results"))
        things[json_string(each, key)] = each;
    return things;
}

// Somebody who uses the API, and remembers what it has answered.
class Person {
public:
    Person(std::string name, uint64_t seed) : name_(std::move(name)), random_(seed) {}

    // Calls until the connection breaks. What it throws is kept for the main thread.
    void live(uint16_t port, const std::atomic<bool>& is_killed) {
        try {
            ApiClient api(port);
            for (;;) act(api);
        } catch (const std::exception& error) {
            if (!is_killed) complaint_ = error.what();
        }
    }

    // Until some device has a word to hear: whoever was killed while signing up has none.
    void have_a_word(uint16_t port) {
        ApiClient api(port);
        while (!has_word()) act(api);
    }

    // After the restart: compares, and settles what was left open.
    void look_around(uint16_t port) {
        INFO(name_ << " left open: " << open_);
        REQUIRE(complaint_ == "");
        ApiClient api(port);
        for (const std::string& token : gone_tokens_) CHECK(api.knock(token) == 404);
        for (const std::string& auth : gone_auths_)
            CHECK(api.ask(get("accounts/").by(auth)).status == 401);
        gone_tokens_.clear();
        gone_auths_.clear();
        if (!member_.auth.empty()) settle_account(api);
        if (!member_.auth.empty()) settle_belongings(api);
        open_.clear();
    }

    [[nodiscard]] uint64_t answered() const { return answered_; }
    // What may be the last word that each registration hears; an empty one: none.
    [[nodiscard]] std::map<std::string, std::set<std::string>> last_words() const {
        std::map<std::string, std::set<std::string>> all;
        for (const auto& [id, device] : had_.devices) {
            const auto words = words_.find(id);
            all[json_string(device, "/registration_id")] =
                words != words_.end() ? words->second : std::set<std::string>{""};
        }
        return all;
    }

private:
    [[nodiscard]] bool has_word() const {
        return std::ranges::any_of(had_.devices, [this](const auto& device) {
            const auto words = words_.find(device.first);
            return words != words_.end() && !words->second.contains("");
        });
    }

    void act(ApiClient& api) {
        if (member_.auth.empty()) return sign_up(api);
        const uint64_t dice = random_.below(100);
        const bool has_device = !had_.devices.empty();
        const bool has_token = !had_.tokens.empty();
        if (dice < 2) return delete_account(api);
        if (!has_device || (dice < 12 && had_.devices.size() < kDevicesMax)) return add_device(api);
        if (!has_token || (dice < 40 && had_.tokens.size() < kTokensMax)) return add_token(api);
        if (dice < 50) return rename(api, "device/apns/", had_.devices, will_have_.devices);
        if (dice < 60) return rename(api, "tokens/", had_.tokens, will_have_.tokens);
        if (dice < 63) return remove_device(api);
        if (dice < 73) return remove_token(api);
        knock(api);
    }

    void sign_up(ApiClient& api) {
        open("sign up");
        member_ = api.sign_up(name_);
        close();
    }

    void delete_account(ApiClient& api) {
        open("delete account");
        will_have_ = {};
        expect(api.ask(del("accounts/" + name_ + "/").by(member_.auth)), 204);
        forget_account();
        close();
    }

    void add_device(ApiClient& api) {
        open("add device");
        newcomer_ = next_name();
        const HttpResponse made = api.ask(
            post("device/apns/",
                 form({{"registration_id", registration_of(random_.next())}, {"name", newcomer_}}))
                .by(member_.auth));
        expect(made, 201);
        had_.devices[json_string(made.body, "/id")] = made.body;
        close();
    }

    void add_token(ApiClient& api) {
        open("add token");
        newcomer_ = next_name();
        const HttpResponse made = api.ask(
            post("tokens/", form({{"apns_device", any_of(had_.devices)}, {"name", newcomer_}}))
                .by(member_.auth));
        expect(made, 201);
        had_.tokens[json_string(made.body, "/token")] = made.body;
        close();
    }

    void rename(ApiClient& api, const std::string& path, const Things& had, Things& will_have) {
        open("rename in " + path);
        const std::string key = any_of(had);
        const std::string name = next_name();
        will_have[key] = renamed(will_have[key], name);
        const HttpResponse changed =
            api.ask(patch(path + key + "/", form({{"name", name}})).by(member_.auth));
        expect(changed, 200);
        if (changed.body != will_have[key]) throw std::runtime_error("not so: " + changed.body);
        had_ = will_have_;
        close();
    }

    void remove_device(ApiClient& api) {
        open("remove device");
        const std::string id = any_of(had_.devices);
        will_have_.erase_device(id);
        expect(api.ask(del("device/apns/" + id + "/").by(member_.auth)), 204);
        note_gone_tokens();
        had_ = will_have_;
        close();
    }

    void remove_token(ApiClient& api) {
        open("remove token");
        const std::string token = any_of(had_.tokens);
        will_have_.tokens.erase(token);
        expect(api.ask(del("tokens/" + token + "/").by(member_.auth)), 204);
        note_gone_tokens();
        had_ = will_have_;
        close();
    }

    // It wakes all devices, whatever the token was made for.
    void knock(ApiClient& api) {
        open("knock");
        const std::string word = next_name();
        for (const auto& [id, device] : had_.devices) {
            std::set<std::string>& words = words_[id];
            if (words.empty()) words.insert("");
            words.insert(word);
        }
        expect(api.ask(post("messages/", form({{"token", any_of(had_.tokens)}, {"data", word}}))),
               202);
        for (const auto& [id, device] : had_.devices) words_[id] = {word};
        close();
    }

    // From here on the call may or may not have been carried out.
    void open(std::string what) {
        open_ = std::move(what);
        newcomer_.clear();
        will_have_ = had_;
    }
    void close() {
        open_.clear();
        ++answered_;
    }

    void settle_account(ApiClient& api) {
        const int status = api.ask(get("accounts/").by(member_.auth)).status;
        if (open_ == "delete account" && status == 401) {
            forget_account();
        } else {
            REQUIRE(status == 200);
        }
    }

    void settle_belongings(ApiClient& api) {
        Belongings has{list(api, member_.auth, "device/apns/", "/id"),
                       list(api, member_.auth, "tokens/", "/token")};
        if (!newcomer_.empty() && !open_.empty()) {
            adopt(has.devices, had_.devices);
            adopt(has.tokens, had_.tokens);
        } else if (open_ != "delete account" && has == will_have_) {
            had_ = will_have_;
        }
        CHECK(has.devices == had_.devices);
        CHECK(has.tokens == had_.tokens);
        had_ = std::move(has);
    }

    // What was being made may be there, under a key that nobody was told.
    void adopt(const Things& has, Things& had) const {
        for (const auto& [key, thing] : has) {
            if (!had.contains(key) && json_string(thing, "/name") == newcomer_) {
                had[key] = thing;
                return;
            }
        }
    }

    void forget_account() {
        gone_auths_.push_back(member_.auth);
        for (const auto& [token, thing] : had_.tokens) gone_tokens_.push_back(token);
        member_ = {};
        had_ = will_have_ = {};
        words_.clear();
    }

    void note_gone_tokens() {
        for (const auto& [token, thing] : had_.tokens) {
            if (!will_have_.tokens.contains(token)) gone_tokens_.push_back(token);
        }
    }

    static void expect(const HttpResponse& response, int status) {
        if (response.status == status) return;
        throw std::runtime_error("unexpected " + std::to_string(response.status) + " " +
                                 response.body);
    }

    std::string any_of(const Things& things) {
        auto it = things.begin();
        std::advance(it, random_.below(things.size()));
        return it->first;
    }
    std::string next_name() { return name_ + std::to_string(++names_); }

    std::string name_;
    Random random_;
    uint64_t names_ = 0;
    Member member_;         // without auth: has no account, or does not know
    Belongings had_;        // as answered
    Belongings will_have_;  // once the open call is answered
    std::string open_;      // the call that is not answered yet; empty: none
    std::string newcomer_;  // the name of what it makes, if it makes something
    std::map<std::string, std::set<std::string>> words_;  // by device
    std::vector<std::string> gone_tokens_;                // of this round
    std::vector<std::string> gone_auths_;
    std::string complaint_;
    std::atomic<uint64_t> answered_ = 0;  // calls, told to the main thread
};

uint64_t choose_seed() {
    const char* const chosen = std::getenv("KNUCKLE_SEED");
    return chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : 2'026;
}

}  // namespace

TEST_CASE("kill -9 in the middle of traffic loses nothing that was answered", "[crash]") {
    const uint64_t seed = choose_seed();
    INFO("KNUCKLE_SEED=" << seed);
    Random random(seed);
    World world;
    world.config.workers = 2;
    world.config.tables = "[knocks]\nack_wait = \"20ms\"\n";
    const uint16_t apns_port = world.apns.port();
    REQUIRE(world.apns.stop() == 0);

    std::vector<std::unique_ptr<Person>> people;
    for (size_t i = 0; i < kPeople; ++i) {
        people.push_back(
            std::make_unique<Person>(std::string(1, static_cast<char>('a' + i)), random.next()));
    }
    const auto answered = [&people] {
        uint64_t all = 0;
        for (const auto& person : people) all += person->answered();
        return all;
    };
    for (int round = 0; round < kRounds; ++round) {
        INFO("round " << round);
        Gateway& gateway = world.serve();
        for (const auto& person : people) person->look_around(gateway.port());
        std::atomic<bool> is_killed = false;
        std::vector<std::thread> threads;
        for (const auto& person : people) {
            threads.emplace_back([&] { person->live(gateway.port(), is_killed); });
        }
        const uint64_t enough = answered() + random.below(kAnswersMax);
        static_cast<void>(eventually([&] { return answered() >= enough; }));
        pause_for(microseconds(static_cast<int64_t>(random.below(10'000))));
        is_killed = true;
        gateway.process().signal(SIGKILL);
        for (std::thread& thread : threads) thread.join();
        REQUIRE(gateway.process().wait(kPatience) == 128 + SIGKILL);
    }
    Gateway& last = world.serve();
    for (const auto& person : people) {
        person->look_around(last.port());
        person->have_a_word(last.port());
    }
    last.process().signal(SIGKILL);
    REQUIRE(last.process().wait(kPatience) == 128 + SIGKILL);

    ApnsProcess apns = make_apns(world.apns.directory(), apns_port, {"--keep", "10000"});
    Gateway& gateway = world.start();
    for (const auto& person : people) person->look_around(gateway.port());
    std::map<std::string, std::set<std::string>> expected;
    for (const auto& person : people) expected.merge(person->last_words());
    REQUIRE(expected.size() >= kPeople);
    CHECK(eventually([&] { return gateway.metric("knuckle_jobs_pending") == 0; }));
    CHECK(gateway.stop() == 0);

    std::map<std::string, std::string> heard;
    for (const std::string& push : apns.arrivals()) {
        const std::string registration = json_string(push, "/path").substr(10);
        CHECK_FALSE(heard.contains(registration));
        heard[registration] = json_string(json_string(push, "/payload"), "/aps/alert/message/data");
    }
    for (const auto& [registration, words] : expected) CHECK(words.contains(heard[registration]));
    for (const auto& [registration, word] : heard) CHECK(expected.contains(registration));
}

}  // namespace knuckle::test
