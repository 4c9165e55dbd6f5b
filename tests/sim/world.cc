// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/world.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/log.h"
#include "tests/support/pending_list.h"

namespace knuckle::sim {

namespace {

constexpr UnixTime kNoon = {1'795'996'800'000'000};
constexpr Instant kStart = {1'000'000'000'000};
// A world that never comes to rest is a failure, too.
constexpr uint64_t kTurnsAtOnceMax = 20'000;

// The sink of the log has no context: the one world that is running.
Trace* listening = nullptr;

}  // namespace

World::World(uint64_t seed, bool is_printed)
    : trace_(is_printed),
      swarm_(seed),
      events_(kStart, kNoon),
      disk_(seed),
      book_(events_, swarm_, trace_, disk_),
      network_(events_, swarm_, trace_),
      provider_(events_, swarm_, network_, book_),
      clients_(events_,
               swarm_,
               network_,
               book_,
               [this] { return process_ != nullptr ? process_->pick_seat() : nullptr; }),
      knocks_left_(swarm_.knocks) {
    listening = &trace_;
    log::set_level(log::Level::debug);
    log::set_sink([](std::string_view line) {
        if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
        if (listening != nullptr)
            listening->note("  log %.*s", static_cast<int>(line.size()), line.data());
    });
    trace_.advance_to(kStart);
    network_.set_answerer([this](Wire& wire, const io::Endpoint& endpoint) -> FarEnd& {
        return provider_.accept(wire, endpoint);
    });
}

World::~World() {
    lives_.clear();
    listening = nullptr;
}

bool World::run() {
    begin_life();
    storm();
    if (!book_.has_failed()) calm();
    if (!book_.has_failed()) check_calm();
    // Stopped in peace, and begun once more.
    if (!book_.has_failed()) stop_process();
    if (!book_.has_failed()) {
        begin_life();
        run_until(events_.now().instant + kCalmMax, [] { return false; });
        std::vector<store::Pending> rows;
        static_cast<void>(store::list_pending(disk_.snapshot(), rows));
        book_.check(rows.empty(), "a push is still on disk after hours of calm");
    }
    if (!book_.has_failed()) check_calm();
    if (!book_.has_failed()) stop_process();
    if (!book_.has_failed()) book_.close();
    return !book_.has_failed();
}

void World::begin_life() {
    disk_.close();
    disk_.open();
    lives_.push_back(std::make_unique<Process>(events_, swarm_, network_, disk_, book_, trace_));
    process_ = lives_.back().get();
    process_->start();
}

void World::turn(Instant limit) {
    Instant next = events_.next();
    if (process_ != nullptr) next = std::min(next, process_->next_deadline());
    next = std::clamp(next, events_.now().instant, limit);
    turns_at_once_ = next == last_turn_ ? turns_at_once_ + 1 : 0;
    last_turn_ = next;
    book_.check(turns_at_once_ < kTurnsAtOnceMax, "time stands still: a loop that never waits");
    events_.advance_to(next);
    trace_.advance_to(next);
    events_.run_due();
    if (process_ == nullptr) return;
    process_->wake();
    if (process_->is_over()) process_ = nullptr;
}

void World::run_until(Instant end, const std::function<bool()>& done) {
    // One more turn at `end` itself, for what is due then.
    while (!book_.has_failed() && !done()) {
        turn(end);
        const bool is_quiet =
            events_.next() > end && (process_ == nullptr || process_->next_deadline() > end);
        if (events_.now().instant >= end && is_quiet) return;
    }
}

// ---- the storm ----

void World::storm() {
    events_.after(Duration{}, [this] { act(); });
    run_until(events_.now().instant + hours(24), [this] { return knocks_left_ == 0; });
    // What is under way may run into trouble, too.
    run_until(events_.now().instant + swarm_.span(minutes(1)), [] { return false; });
}

// One thing that people do, and maybe one thing that goes wrong; then the next.
void World::act() {
    if (knocks_left_ == 0 || swarm_.is_calm()) return;
    const size_t people = book_.people().size();
    if (swarm_.has(Fault::unknown_token)) clients_.knock_wrongly();
    if (swarm_.has(Fault::registered_again))
        clients_.register_again(swarm_.below(people), swarm_.below(2));
    // Some people are more popular than others, so that knocks meet.
    const size_t burst = swarm_.below(8) == 0 ? 1 + swarm_.below(6) : 1;
    const size_t person = swarm_.coin() ? 0 : swarm_.below(people);
    for (size_t i = 0; i < burst && knocks_left_ > 0; ++i, --knocks_left_) clients_.knock(person);
    trouble();
    events_.after(swarm_.span(swarm_.pace * 2), [this] { act(); });
}

void World::jump(Duration by) {
    trace_.note("the clock jumps by %lld ms", static_cast<long long>(to_ms(by)));
    events_.jump(by);
}

void World::trouble() {
    if (swarm_.has(Fault::clock_jumped)) jump(swarm_.span(hours(2)));
    if (swarm_.has(Fault::clock_set_back)) jump(Duration{-swarm_.span(hours(2)).ns});
    if (process_ == nullptr) return;
    const bool is_killed = swarm_.has(Fault::crashed);
    const bool is_stopped = swarm_.has(Fault::drained);
    if (is_killed) {
        events_.after(swarm_.span(swarm_.pace), [this, life = process_] {
            if (swarm_.is_calm()) return;
            life->crash();
            if (process_ == life) process_ = nullptr;
        });
    } else if (is_stopped) {
        process_->drain();
    } else {
        return;
    }
    // Somebody starts it again, when it is gone.
    const Duration pause = swarm_.span(seconds(20));
    const auto restart = [this, pause](const auto& again) -> void {
        events_.after(pause + milliseconds(1), [this, again] {
            if (swarm_.is_calm()) return;
            if (process_ == nullptr) {
                begin_life();
            } else if (process_->is_draining()) {
                again(again);
            }
        });
    };
    restart(restart);
}

// ---- calm ----

void World::calm() {
    trace_.note("calm");
    swarm_.calm();
    // Setting it right may mean setting it back.
    if (swarm_.allows(Fault::clock_set_back)) events_.set_clock_right();
    network_.thaw();
    provider_.calm();
    // What was dying may die.
    const auto is_gone = [this] { return process_ == nullptr; };
    if (process_ != nullptr && process_->is_draining())
        run_until(events_.now().instant + minutes(5), is_gone);
    book_.check(process_ == nullptr || !process_->is_draining(), "a process does not stop");
    if (book_.has_failed()) return;
    if (process_ == nullptr) begin_life();
    run_until(events_.now().instant + kCalmMax, [] { return false; });
    // Before anybody knocks again: a later push would cover up for one that was lost.
    if (!book_.has_failed()) book_.close();
    say_good_morning();
    run_until(events_.now().instant + kCalmMax, [] { return false; });
}

// All phones are registered, and somebody knocks at every worker for every app, not more often than
// any limit lets him: now each lane has something to deliver.
void World::say_good_morning() {
    Duration later{};
    for (size_t person = 0; person < book_.people().size(); ++person) {
        for (size_t n = 0; n < book_.people()[person].devices.size(); ++n)
            events_.after(later, [this, person, n] { clients_.register_again(person, n); });
        for (uint32_t worker = 0; worker < swarm_.workers; ++worker) {
            later = later + minutes(3);
            events_.after(later, [this, person, worker] {
                if (process_ != nullptr) clients_.knock(person, process_->seat(worker));
            });
        }
    }
}

void World::check_calm() {
    book_.check(process_ != nullptr, "the process is gone");
    if (book_.has_failed()) return;
    book_.check(process_->is_ready(), "a lane is not ready after hours of calm");
    const auto sum = [this](uint64_t (*of)(const metrics::Counters&)) { return process_->sum(of); };
    book_.check(sum([](const metrics::Counters& c) {
                    return c.jobs_waiting.get() + c.jobs_in_flight.get();
                }) == 0,
                "a push is still in hand after hours of calm");
    book_.check(sum([](const metrics::Counters& c) { return c.jobs_pending.get(); }) == 0,
                "a push is still counted as pending after hours of calm");
    book_.check(clients_.waiting() == 0, "a client still waits for an answer after hours of calm");
}

void World::stop_process() {
    process_->drain();
    run_until(events_.now().instant + minutes(5), [this] { return process_ == nullptr; });
    book_.check(process_ == nullptr, "the process does not stop");
}

}  // namespace knuckle::sim
