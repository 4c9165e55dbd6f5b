// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/book.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/text.h"
#include "push/apns.h"
#include "push/retry.h"
#include "tests/support/pending_list.h"

namespace knuckle::sim {

namespace {

bool is_retried(push::Outcome outcome) {
    switch (outcome) {
        case push::Outcome::misconfigured:
        case push::Outcome::credential_expired:
        case push::Outcome::credential_throttled:
        case push::Outcome::throttled:
        case push::Outcome::provider_failed:
        case push::Outcome::provider_leaving:
            return true;
        default:
            return false;
    }
}

}  // namespace

uint64_t knock_in(std::string_view payload) {
    constexpr std::string_view kName = "\"knock\":";
    const size_t at = payload.find(kName);
    if (at == std::string_view::npos) return 0;
    std::string_view digits = payload.substr(at + kName.size());
    digits = digits.substr(0, digits.find_first_not_of("0123456789"));
    return parse_decimal(digits).value_or(0);
}

bool Attempt::is_final() const {
    if (is_astray && reason == "BadDeviceToken") return false;
    return status != 0 && !is_retried(push::apns::classify(status, reason));
}

Book::Book(Events& events, Swarm& swarm, Trace& trace, Disk& disk)
    : events_(events),
      swarm_(swarm),
      trace_(trace),
      disk_(disk),
      people_(make_people(swarm.apps)),
      knocks_(1) {
    for (size_t i = 0; i < people_.size(); ++i) {
        for (const store::Device& device : people_[i].devices) {
            Phone phone;
            phone.device = device;
            phone.person = i;
            phones_.push_back(phone);
        }
    }
}

void Book::fail(const std::string& what) {
    if (has_failed()) return;
    failure_ = what;
    trace_.note("VIOLATION: %s", what.c_str());
}

Book::Phone* Book::find_phone(std::string_view registration) {
    for (Phone& phone : phones_) {
        if (phone.device.registration_id == registration) return &phone;
    }
    return nullptr;
}

UnixTime Book::registered(std::string_view registration) const {
    for (const Phone& phone : phones_) {
        if (phone.device.registration_id == registration) return phone.device.registered;
    }
    return {};
}

bool Book::is_of_sandbox(std::string_view registration) const {
    for (size_t i = 0; i < phones_.size(); ++i) {
        if (phones_[i].device.registration_id == registration) return i % 2 == 1;
    }
    return false;
}

// ---- promises ----

uint64_t Book::say(size_t person, bool is_low) {
    BookedKnock knock;
    knock.person = person;
    knock.is_low = is_low;
    knocks_.push_back(knock);
    return knocks_.size() - 1;
}

void Book::arrive(uint64_t number) {
    BookedKnock& knock = knocks_[number];
    knock.arrived = events_.now().instant;
    ++open_;
    trace_.note(
        "knock %lu for person %zu arrived%s", number, knock.person, knock.is_low ? ", low" : "");
}

void Book::answer(uint64_t number, int status) {
    BookedKnock& knock = knocks_[number];
    trace_.note("knock %lu answered %d", number, status);
    if (!knock.arrived) return fail("a knock was answered before all of it had come");
    if (knock.status != 0) return fail("a knock was answered twice");
    knock.status = status;
    --open_;
    if (status == 202) return check_promise(number);
    check(status == 503 || status == 429, "a knock was answered " + std::to_string(status));
}

// At this moment, for each of its phones: the provider has had its say, or the disk has the push.
void Book::check_promise(uint64_t number) {
    const BookedKnock& knock = knocks_[number];
    for (const Phone& phone : phones_) {
        if (phone.person != knock.person || is_excused(knock, phone)) continue;
        if (phone.heard.last_for(knock) >= *knock.arrived || is_refused(number, phone, true))
            continue;
        if (is_on_disk(number, phone)) continue;
        fail("knock " + std::to_string(number) + " was answered 202, but phone " +
             phone.device.registration_id.substr(0, 8) +
             " has not rung since, and the disk does not have it");
    }
}

// A push whose next try would come after its end is given up.
//
// And a push that is deferred knows only the phones that were there when it was made.
bool Book::is_excused(const BookedKnock& knock, const Phone& phone) const {
    // The push that stands for it may have been made before, or after the clock was set back.
    const UnixTime accepted = events_.earliest_civil(*knock.arrived + swarm_.deferral_max() * -1);
    return !phone.is_alive || phone.dead_until + swarm_.deferral_max() >= *knock.arrived ||
           phone.touched >= *knock.arrived ||
           accepted + swarm_.expiration <= events_.latest_civil() + push::kRetryMax;
}

// The provider said no, for good, to this knock's push or to one that took its place or
// stands for it.
bool Book::is_refused(uint64_t number, const Phone& phone, bool must_be_learned) const {
    return std::ranges::any_of(phone.attempts, [&](size_t index) {
        const Attempt& attempt = attempts_[index];
        if (attempt.is_background && !knocks_[number].is_low) return false;
        return attempt.is_final() && (attempt.is_learned || !must_be_learned) &&
               (knocks_[attempt.knock].arrived >= knocks_[number].arrived ||
                attempt.arrived >= *knocks_[number].arrived);
    });
}

bool Book::is_on_disk(uint64_t number, const Phone& phone) {
    std::vector<store::Pending> rows;
    check(store::list_pending(disk_.snapshot(), rows) != store::Lookup::damaged,
          "the pending table cannot be read");
    // Two workers tell which came first to the microsecond, and in a burst not even to that.
    const bool is_low = knocks_[number].is_low;
    const Instant arrived = *knocks_[number].arrived + milliseconds(-1);
    return std::ranges::any_of(rows, [&](const store::Pending& row) {
        if (row.device != phone.device.id) return false;
        trace_.note("on disk: push %.8s of knock %lu, serial %lu, unseen %lu",
                    row.push.text().c_str(),
                    knock_in(row.payload),
                    row.serial,
                    row.unseen_serial);
        if (row.is_background && !is_low) return false;
        // Somebody who asks for no more relies on it, even if it is on its way already.
        if (row.unseen_serial != 0 && is_low) return true;
        const uint64_t other = knock_in(row.payload);
        if (other < knocks_.size() && knocks_[other].arrived >= arrived) return true;
        // An older one that has yet to go out wakes the owner for this one too.
        const auto tries = by_push_.find(row.push.text());
        return tries == by_push_.end() || std::ranges::none_of(tries->second, [&](size_t i) {
                   return attempts_[i].arrived < arrived;
               });
    });
}

// ---- pushes ----

size_t Book::push(Attempt&& attempt) {
    attempt.arrived = events_.now().instant;
    attempt.life = life_;
    if (attempt.tap != nullptr) {
        const TappedStream* const stream = attempt.tap->find(attempt.stream);
        attempt.begun = stream != nullptr ? stream->begun : 0;
    }
    trace_.note("%s %.8s of knock %lu to %.8s on wire %lu stream %d",
                attempt.is_background ? "background push" : "push",
                attempt.push.c_str(),
                attempt.knock,
                attempt.registration.c_str(),
                attempt.wire,
                attempt.stream);
    Phone* const phone = find_phone(attempt.registration);
    if (phone == nullptr || attempt.knock == 0 || attempt.knock >= knocks_.size()) {
        fail("a push for nobody, or of no knock");
    } else {
        const BookedKnock& knock = knocks_[attempt.knock];
        check(knock.person == phone->person, "a push to somebody else's phone");
        check(knock.arrived.has_value(), "a push of a knock that has not come");
        if (!phone->is_alive && knock.arrived > phone->dead_since)
            fail("a phone that is known to be dead was pushed to");
        check_repetition(attempt);
        phone->attempts.push_back(attempts_.size());
    }
    by_push_[attempt.push].push_back(attempts_.size());
    attempts_.push_back(std::move(attempt));
    return attempts_.size() - 1;
}

// A push is tried again only when the try before it is over, and not when it was the last word.
void Book::check_repetition(const Attempt& attempt) {
    const auto found = by_push_.find(attempt.push);
    if (found == by_push_.end()) return;
    for (const size_t index : found->second) {
        const Attempt& before = attempts_[index];
        check(before.knock == attempt.knock && before.registration == attempt.registration,
              "one apns-id stands for two pushes");
        if (before.life != attempt.life || before.tap == nullptr || attempt.tap == nullptr)
            continue;
        // What the gateway sent first may come last, if its wire stood still.
        const bool is_late = before.begun > attempt.begun;
        const Attempt& first = is_late ? attempt : before;
        const Attempt& second = is_late ? before : attempt;
        const TappedStream* const stream = first.tap->find(first.stream);
        if (stream == nullptr || stream->resolved > second.begun)
            fail("push " + attempt.push + " was tried again while the try before was open");
        else if (stream->answered < second.begun && first.is_final() && !is_outdated(first) &&
                 !may_cross(first))
            fail("push " + attempt.push + " was tried again after the answer " +
                 std::to_string(first.status));
    }
    const Attempt& first = attempts_[found->second.front()];
    const int64_t age = to_seconds(events_.now().instant - first.arrived);
    check(static_cast<int64_t>(found->second.size()) <= 16 + 3 * age,
          "push " + attempt.push + " is tried again and again");
}

// The other environment may know the phone.
bool Book::may_cross(const Attempt& attempt) const {
    return swarm_.has_twins && attempt.reason == "BadDeviceToken";
}

// The provider spoke of a registration, and the app has made another since the knock; or before it,
// when the clock was set back then and the push is one with an older one, whose registration seems
// to be the later.
bool Book::is_outdated(const Attempt& attempt) const {
    if (attempt.status != 410 && attempt.reason != "BadDeviceToken" &&
        attempt.reason != "DeviceTokenNotForTopic")
        return false;
    return std::ranges::any_of(phones_, [&](const Phone& phone) {
        return phone.device.registration_id == attempt.registration &&
               (phone.renewed >= knocks_[attempt.knock].arrived ||
                (swarm_.allows(Fault::clock_set_back) && phone.renewed.ns >= 0));
    });
}

void Book::reply(size_t index,
                 uint16_t status,
                 std::string_view reason,
                 std::optional<UnixTime> timestamp) {
    Attempt& attempt = attempts_[index];
    attempt.status = status;
    attempt.reason = reason;
    attempt.timestamp = timestamp;
    attempt.replied = events_.now().instant;
    trace_.note("push %.8s answered %u %s", attempt.push.c_str(), status, attempt.reason.c_str());
    Phone* const phone = find_phone(attempt.registration);
    if (phone != nullptr && attempt.is_accepted()) note(phone->rung, attempt);
}

void Book::note(Phone::Rung& rung, const Attempt& attempt) {
    rung.any = std::max(rung.any, attempt.replied);
    if (!attempt.is_background) rung.seen = std::max(rung.seen, attempt.replied);
}

void Book::learn(size_t index) {
    Attempt& attempt = attempts_[index];
    attempt.is_learned = true;
    Phone* const phone = find_phone(attempt.registration);
    if (phone != nullptr && attempt.is_accepted()) note(phone->heard, attempt);
}

uint64_t Book::learned(uint16_t status) const {
    return static_cast<uint64_t>(std::ranges::count_if(attempts_, [&](const Attempt& attempt) {
        return attempt.is_learned && attempt.status == status;
    }));
}

// ---- devices ----

// A device is called dead only when the provider has said so, and of its present life; and proven
// only after the provider has taken a push for it.
void Book::submit(const store::Write& write) {
    if (const auto* const put = std::get_if<store::PutPending>(&write.change)) {
        trace_.note("push %.8s of knock %lu is to be stored, serial %lu",
                    put->pending.push.text().c_str(),
                    knock_in(put->pending.payload),
                    put->pending.serial);
    }
    if (const auto* const clear = std::get_if<store::ClearPending>(&write.change))
        trace_.note("a row is to be cleared, serial %lu%s",
                    clear->serial,
                    clear->is_background ? ", unseen" : "");
    if (const auto* const proven = std::get_if<store::MarkDeviceProven>(&write.change)) {
        for (const Phone& phone : phones_) {
            if (phone.device.id != proven->device) continue;
            const bool was_taken = std::ranges::any_of(phone.attempts, [&](size_t index) {
                return attempts_[index].is_learned && attempts_[index].is_accepted();
            });
            check(was_taken, "a device is called proven to which no push was taken");
        }
    }
    const auto* const dead = std::get_if<store::MarkDeviceDead>(&write.change);
    if (dead == nullptr) return;
    trace_.note("a device is to be marked dead");
    for (const Phone& phone : phones_) {
        if (phone.device.id != dead->device) continue;
        const bool was_said = std::ranges::any_of(phone.attempts, [&](size_t index) {
            const Attempt& attempt = attempts_[index];
            if (!attempt.is_learned) return false;
            if (attempt.status == 400)
                return attempt.reason == "BadDeviceToken" && !attempt.is_astray;
            const bool is_news = !attempt.timestamp || *attempt.timestamp >= dead->registered ||
                                 events_.latest_civil() >= dead->registered + push::kDoubtMax;
            return attempt.status == 410 && is_news;
        });
        check(was_said, "a device is forgotten that the provider has not called dead");
    }
}

void Book::look_at_disk() {
    const Instant now = events_.now().instant;
    store::Snapshot snapshot = disk_.snapshot();
    for (Phone& phone : phones_) {
        store::Device device;
        const store::Lookup lookup =
            snapshot.find_device(phone.device.account, phone.device.id, device);
        check(lookup != store::Lookup::damaged, "a device cannot be read");
        const bool is_alive = lookup == store::Lookup::found && device.is_active && !device.is_dead;
        if (lookup == store::Lookup::found) {
            if (phone.device.registered != device.registered) phone.renewed = now;
            phone.device = device;
        }
        if (phone.is_alive != is_alive) {
            trace_.note("phone %.8s is %s",
                        phone.device.registration_id.c_str(),
                        is_alive ? "alive" : "dead");
            if (phone.is_alive) phone.dead_since = now;
            phone.dead_until = now;
            phone.is_alive = is_alive;
        }
    }
}

void Book::touch(const Uuid& device) {
    for (Phone& phone : phones_) {
        if (phone.device.id == device) phone.touched = events_.now().instant;
    }
}

// ---- provider tokens ----

void Book::mint(const push::ProviderToken& token) {
    const Now now = events_.now();
    // One that was shown before is no new one.
    const bool is_new = !tokens_.contains(token.authorization);
    trace_.note("a provider token was %s", is_new ? "minted" : "brought back");
    if (!is_new) return;
    if (!has_odd_clock() && minted_.ns >= 0)
        check(now.instant - minted_ >= minutes(20), "provider tokens were minted too soon");
    minted_ = now.instant;
    tokens_[token.authorization] = token.issued;
}

void Book::check_token(std::string_view authorization) {
    const auto found = tokens_.find(authorization);
    if (found == tokens_.end()) return fail("a provider token that nobody minted");
    if (has_odd_clock() || swarm_.allows(Fault::late) || swarm_.allows(Fault::stalled)) return;
    const bool may_be_restored = swarm_.allows(Fault::token_updates);
    check(events_.true_time() - found->second < minutes(may_be_restored ? 60 : 55),
          "a provider token past its age");
}

// ---- the end ----

void Book::close() {
    for (uint64_t number = 1; number < knocks_.size(); ++number) {
        const BookedKnock& knock = knocks_[number];
        if (knock.status != 202) continue;
        for (const Phone& phone : phones_) {
            if (phone.person != knock.person || is_excused(knock, phone)) continue;
            if (phone.rung.last_for(knock) >= *knock.arrived || is_refused(number, phone, false))
                continue;
            fail("knock " + std::to_string(number) + " was answered 202 and is lost: phone " +
                 phone.device.registration_id.substr(0, 8) + " has not rung since");
        }
    }
}

}  // namespace knuckle::sim
