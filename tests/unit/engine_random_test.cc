// SPDX-License-Identifier: GPL-3.0-or-later
// One worker under everything that can go wrong at once, drawn from a seed. First the storm, then
// calm, in which all must come right; then a restart, which must find nothing left to do.
//
// KNUCKLE_SEED=n runs one seed, KNUCKLE_SEEDS=n the first n.
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <catch_amalgamated.hpp>

#include "base/random.h"
#include "tests/support/engine_world.h"

namespace knuckle::test {

namespace {

using metrics::KnockResult;

constexpr uint64_t kSeeds = 200;
constexpr int kSteps = 100;
constexpr size_t kPhones = 4;

// Shared by all seeds, because making one takes longer than a storm; each leaves it as it was.
struct People {
    People() : shelf(make_shelf()) {
        for (size_t i = 0; i < kPhones; ++i) {
            const std::string name = "phone " + std::to_string(i);
            const store::Account account = shelf->has(store::an_account(name));
            const store::Device device = shelf->has(store::a_device(account, name));
            phones.push_back({account, device, shelf->has(store::a_token(device, name))});
        }
        // One rings twice.
        second = shelf->has(store::a_device(phones[0].account, "second"));
    }
    void revive() {
        for (const Phone& phone : phones)
            REQUIRE(shelf->write(store::UpdateDevice{phone.device}) == store::WriteStatus::done);
        REQUIRE(shelf->write(store::UpdateDevice{second}) == store::WriteStatus::done);
    }

    std::unique_ptr<store::Shelf> shelf;
    std::vector<Phone> phones;
    store::Device second;
};

class Storm {
public:
    Storm(uint64_t seed, People& people)
        : random_(seed), people_(people), world_(draw(seed), *people.shelf) {
        world_.on_push = [this](ArrivedPush& push) { on_push(push); };
        // Every class of trouble is left out of many storms and frequent in some.
        for (uint64_t& weight : weights_) weight = draw_below(2) == 0 ? 0 : 1 + draw_below(20);
        weights_[say_knock] = 30;
        weights_[answer] = 30;
        weights_[pass] = 20;
    }

    void run() {
        for (int i = 0; i < kSteps; ++i) {
            step();
            check();
        }
        calm_down();
        if (draw_below(2) == 0) {
            world_.pass(hours(2));
            check();
            find_lane_well();
            check_settled();
        }
        world_.leave();
        check();
        check_all_answered();
        restart();
    }

private:
    enum Action : size_t {
        connect,
        say_knock,
        say_piece,
        hang_up,
        answer,
        refuse,
        goaway,
        cut,
        stall,
        change_limit,
        change_dials,
        change_pieces,
        change_disk,
        pass,
        kActions,
    };
    struct Request {
        const Phone* phone = nullptr;  // nullptr: for a token that nobody has
        Instant said{};
    };
    struct Sender {
        Client* client;
        std::vector<Request> requests;
        std::string rest;  // of the last one, not said yet
        size_t answers = 0;
    };

    EngineWorld::Setup draw(uint64_t seed) {
        EngineWorld::Setup setup;
        setup.seed = seed;
        setup.options.jobs_max = 2 + draw_below(40);
        setup.options.connections_max = 2 + draw_below(30);
        setup.options.idle_timeout = seconds(static_cast<int64_t>(5 + draw_below(70)));
        engine::LimitOptions& limits = setup.options.limits;
        for (const auto limit : {engine::Limit::knocks_per_token,
                                 engine::Limit::knocks_per_account,
                                 engine::Limit::knocks_per_address}) {
            const auto count = static_cast<uint32_t>(1 + draw_below(30));
            if (draw_below(2) == 0) limits.set(limit, engine::rate_of(count, minutes(1)));
        }
        if (draw_below(2) == 0) {
            const auto window = milliseconds(static_cast<int64_t>(1 + draw_below(3'000)));
            limits.set(engine::Limit::alert_window, engine::rate_of(1, window));
        }
        return setup;
    }
    uint64_t draw_below(uint64_t bound) { return random_.below(bound); }

    void step() {
        uint64_t sum = 0;
        for (const uint64_t weight : weights_) sum += weight;
        uint64_t pick = draw_below(sum);
        size_t action = 0;
        while (pick >= weights_[action]) pick -= weights_[action++];
        act(static_cast<Action>(action));
        if (draw_below(4) == 0) return;  // and something else before the next turn
        if (draw_below(2) == 0) {
            world_.turn();
        } else {
            world_.run();
            note_settled();
        }
    }

    void act(Action action) {
        switch (action) {
            case connect:
                senders_.push_back(
                    {&world_.connect(draw_below(8) == 0, draw_address()), {}, {}, 0});
                break;
            case say_knock:
                if (Sender* const sender = draw_sender()) say(*sender);
                break;
            case say_piece:
                if (Sender* const sender = draw_sender()) say_in_pieces(*sender);
                break;
            case hang_up:
                if (Sender* const sender = draw_sender()) sender->client->hangs_up();
                break;
            case answer:
                if (ArrivedPush* const push = draw_push()) answer_somehow(*push);
                break;
            case refuse:
                if (ArrivedPush* const push = draw_push()) world_.refuse(*push);
                break;
            case goaway:
                if (ProviderEnd* const end = draw_provider())
                    world_.goaway(*end, draw_last_stream(*end));
                break;
            case cut:
                if (ProviderEnd* const end = draw_provider()) world_.hang_up(*end);
                break;
            case stall:
                if (ProviderEnd* const end = draw_provider()) {
                    end->is_stalled = !end->is_stalled;
                    stalled_.insert(end->number);
                }
                break;
            case change_limit:
                world_.streams_max = static_cast<uint32_t>(draw_below(20));
                if (ProviderEnd* const end = draw_provider())
                    end->http2.set_streams_max(world_.streams_max);
                break;
            case change_dials:
                world_.dials = static_cast<Dials>(draw_below(3));
                world_.may_dial = draw_below(4) != 0;
                break;
            case change_pieces:
                world_.pieces = nullptr;
                if (draw_below(2) == 0) world_.pieces = [this] { return 1 + draw_below(200); };
                break;
            case change_disk:
                world_.is_disk_slow = draw_below(2) == 0;
                world_.is_disk_broken = draw_below(3) == 0;
                world_.is_store_queue_full = draw_below(4) == 0;
                break;
            case pass:
                world_.pass(milliseconds(static_cast<int64_t>(
                    draw_below(3) == 0 ? draw_below(20'000) : draw_below(500))));
                note_settled();
                break;
            case kActions:
                break;
        }
    }

    std::string_view draw_address() {
        static const std::vector<std::string_view> kAddresses = {
            "", "192.0.2.7", "192.0.2.8", "2001:db8::7", "2001:db8::8"};
        return kAddresses[draw_below(kAddresses.size())];
    }
    Sender* draw_sender() {
        std::vector<Sender*> alive;
        for (Sender& sender : senders_) {
            if (!sender.client->wire.is_stale && !sender.client->wire.end) alive.push_back(&sender);
        }
        if (alive.empty() || draw_below(8) == 0) {
            act(connect);
            return &senders_.back();
        }
        return alive[draw_below(alive.size())];
    }
    ArrivedPush* draw_push() {
        std::vector<ArrivedPush*> open;
        for (ArrivedPush& push : world_.pushes) {
            if (!push.is_answered) open.push_back(&push);
        }
        return open.empty() ? nullptr : open[draw_below(open.size())];
    }
    ProviderEnd* draw_provider() {
        std::vector<ProviderEnd*> open;
        for (const auto& end : world_.providers) {
            if (!end->wire.is_stale && !end->wire.end && end->tls.is_ready())
                open.push_back(end.get());
        }
        return open.empty() ? nullptr : open[draw_below(open.size())];
    }

    // One that leaves alone what was answered already.
    int32_t draw_last_stream(const ProviderEnd& end) {
        if (draw_below(3) == 0) return INT32_MAX;
        int32_t last = 0;
        for (const ArrivedPush& push : world_.pushes) {
            const bool is_kept = push.is_answered || draw_below(2) == 0;
            if (push.connection == end.number && is_kept) last = std::max(last, push.stream);
        }
        return last;
    }

    std::string make_request(Sender& sender) {
        if (draw_below(10) == 0) {
            sender.requests.push_back({});
            store::Token unknown;
            unknown.text = store::secret_of("nobody");
            return knock(unknown);
        }
        const Phone& phone = people_.phones[draw_below(kPhones)];
        sender.requests.push_back({&phone, world_.now.instant});
        return knock(phone.token);
    }
    void say(Sender& sender) {
        std::string text = std::move(sender.rest);
        sender.rest.clear();
        do text += make_request(sender);
        while (draw_below(5) == 0);
        sender.client->says(text);
    }
    void say_in_pieces(Sender& sender) {
        if (sender.rest.empty()) sender.rest = make_request(sender);
        const size_t size = 1 + draw_below(sender.rest.size());
        sender.client->says(sender.rest.substr(0, size));
        sender.rest.erase(0, size);
    }

    void answer_somehow(ArrivedPush& push) {
        static const std::vector<ProviderAnswer> kAnswers = {
            {.status = 410, .reason = "Unregistered"},
            {.status = 400, .reason = "BadDeviceToken"},
            {.status = 413, .reason = "PayloadTooLarge"},
            {.status = 403, .reason = "ExpiredProviderToken"},
            {.status = 403, .reason = "InvalidProviderToken"},
            {.status = 429, .reason = "TooManyRequests"},
            {.status = 500, .reason = "InternalServerError"},
            {.status = 503, .reason = "Shutdown"},
        };
        const ProviderAnswer is_well;
        const bool is_good = draw_below(2) == 0;
        const size_t which = draw_below(kAnswers.size());
        const ProviderAnswer& what = is_good ? is_well : kAnswers[which];
        const bool is_final = is_good || which < 3;
        if (!world_.answer(push, what) || !is_final) return;
        rung_[push.device] = world_.now.instant;
        if (world_.pieces == nullptr && !world_.provider(push.connection).is_stalled)
            on_their_way_.push_back({push.id, push.connection});
    }
    // When all has been delivered, the final answers on living connections are known to the worker.
    void note_settled() {
        for (const auto& [id, connection] : on_their_way_) {
            const ProviderEnd& end = world_.provider(connection);
            if (world_.pieces == nullptr && !end.wire.is_stale && !end.is_stalled)
                settled_.insert(id);
        }
        on_their_way_.clear();
    }

    void on_push(ArrivedPush& push) {
        INFO("push " << push.id);
        const ProviderEnd& end = world_.provider(push.connection);
        // Where the provider was stalled it may read what was sent long ago.
        if (!stalled_.contains(push.connection)) CHECK_FALSE(settled_.contains(push.id));
        // Before the first answer a connection carries one push.
        const auto is_answered_here = [&](const ArrivedPush& other) {
            return other.connection == push.connection && other.is_answered;
        };
        if (std::ranges::none_of(world_.pushes, is_answered_here))
            CHECK(end.http2.counters().streams_open == 1);
        if (is_calm_) answer_well(push);
    }
    void answer_well(ArrivedPush& push) {
        if (world_.answer(push)) rung_[push.device] = world_.now.instant;
    }

    // Each answer belongs to a request, in order, and says what is true.
    void check() {
        for (Sender& sender : senders_) {
            const std::vector<HttpAnswer> answers = sender.client->answers();
            for (; sender.answers < answers.size(); ++sender.answers) {
                const size_t complete = sender.requests.size() - (sender.rest.empty() ? 0 : 1);
                const int status = answers[sender.answers].status;
                if (sender.answers >= complete) {
                    // An unfinished request takes too long.
                    CHECK(status == 408);
                    CHECK(sender.client->is_cut_off());
                    continue;
                }
                check_answer(sender.requests[sender.answers], status);
            }
        }
        if (is_calm_) return;
        CHECK(world_.counters.jobs_in_flight.get() + world_.counters.jobs_waiting.get() <= 42);
    }
    void check_answer(const Request& request, int status) {
        if (status == 429) {
            CHECK(world_.knocks(KnockResult::limited) > 0);
            return;
        }
        if (request.phone == nullptr) {
            CHECK(status == 404);
            return;
        }
        CHECK((status == 202 || status == 503));
        if (status != 202) return;
        // For each phone the disk has it, or a newer one, or the provider has had its say since.
        std::vector<store::Device> devices = {request.phone->device};
        if (request.phone == &people_.phones[0]) devices.push_back(people_.second);
        for (const store::Device& device : devices) {
            INFO("device " << device.registration_id.substr(0, 8));
            const bool is_on_disk = std::ranges::any_of(
                people_.shelf->pending(),
                [&](const store::Pending& row) { return row.device == device.id; });
            store::Device known;
            const auto lookup =
                people_.shelf->snapshot().find_device(device.account, device.id, known);
            REQUIRE(lookup == store::Lookup::found);
            const bool has_rung = rung_.contains(device.registration_id) &&
                                  rung_[device.registration_id] >= request.said;
            const bool is_gone = known.is_dead || gone_.contains(device.registration_id);
            CHECK((is_on_disk || has_rung || is_gone));
            if (known.is_dead) gone_.insert(device.registration_id);
        }
    }

    // Whatever was wrong is right again.
    void calm_down() {
        is_calm_ = true;
        on_their_way_.clear();
        world_.dials = Dials::succeed;
        world_.may_dial = true;
        world_.pieces = nullptr;
        world_.streams_max = 100;
        world_.is_disk_slow = world_.is_disk_broken = world_.is_store_queue_full = false;
        for (const auto& end : world_.providers) {
            end->is_stalled = false;
            if (!end->wire.is_stale) end->http2.set_streams_max(100);
        }
        for (Sender& sender : senders_) {
            if (!sender.rest.empty() && !sender.client->wire.is_stale)
                sender.client->says(sender.rest);
            sender.rest.clear();
        }
        for (ArrivedPush& push : world_.pushes) {
            if (!push.is_answered) answer_well(push);
        }
        world_.run();
    }
    // A lane that was stopped needs a push to find out that it may go on, and a phone to push to.
    void find_lane_well() {
        people_.revive();
        CHECK(world_.ask(knock(people_.phones[0].token)).status == 202);
        world_.pass(hours(1));
    }
    void check_settled() {
        CHECK(world_.counters.jobs_in_flight.get() == 0);
        CHECK(world_.counters.jobs_waiting.get() == 0);
        CHECK(world_.counters.jobs_pending.get() == 0);
        CHECK(world_.reports.back().is_ready);
    }
    void check_all_answered() {
        for (const Sender& sender : senders_) {
            const bool is_over =
                sender.client->is_cut_off() || sender.answers == sender.requests.size();
            CHECK(is_over);
        }
        uint64_t results = 0;
        for (const metrics::Counter& counter : world_.counters.knocks) results += counter.get();
        CHECK(results == world_.counters.requests.get());
        CHECK(world_.drained_count == 1);
    }
    void restart() {
        settled_.clear();  // an answer may have been lost with the rows that should note it
        world_.start();
        world_.pass(hours(2));
        CHECK(people_.shelf->pending().empty());
        CHECK(world_.counters.jobs_pending.get() == 0);
        world_.end();
        people_.revive();
    }

    Random random_;
    People& people_;
    EngineWorld world_;
    std::array<uint64_t, kActions> weights_{};
    std::deque<Sender> senders_;
    bool is_calm_ = false;
    std::map<std::string, Instant> rung_;  // by device: when the provider last said yes or never
    std::vector<std::pair<std::string, size_t>> on_their_way_;  // answers: id and connection
    std::set<std::string> settled_;                             // ids the worker has an answer for
    std::set<std::string> gone_;
    std::set<size_t> stalled_;  // connections
};

}  // namespace

TEST_CASE("whatever happens, every knock is answered once and truly, and nothing is left behind",
          "[random]") {
    People people;
    const char* const only = std::getenv("KNUCKLE_SEED");
    const char* const count = std::getenv("KNUCKLE_SEEDS");
    const uint64_t first = only != nullptr ? std::stoull(only) : 1;
    const uint64_t last =
        only != nullptr ? first : (count != nullptr ? std::stoull(count) : kSeeds);
    for (uint64_t seed = first; seed <= last; ++seed) {
        INFO("seed " << seed);
        Storm(seed, people).run();
    }
}

}  // namespace knuckle::test
