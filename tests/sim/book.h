// SPDX-License-Identifier: GPL-3.0-or-later
// The book of what was promised and what was done: every knock, every try to push it, every answer.
// Each entry is checked against the others when it is made; the first that must not be is kept.
//
//     uint64_t knock = book.say(person, is_low)      a client says it
//     book.arrive(knock)                        a worker has all of it
//     book.answer(knock, status)                a worker answers it
//     size_t attempt = book.push({...})         the provider gets a push
//     book.reply(attempt, status, ...)          the provider answers it
//     book.learn(attempt)                       the gateway has the whole answer
//     book.look_at_disk()                       after each commit
//     book.close()                              all is calm: was every promise kept?
//
// Times of order are Events' sequence, times of deadlines are instants. Owner: World. Thread: one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "push/credential.h"
#include "store/write.h"
#include "tests/sim/disk.h"
#include "tests/sim/events.h"
#include "tests/sim/swarm.h"
#include "tests/sim/tap.h"
#include "tests/sim/trace.h"

namespace knuckle::sim {

struct BookedKnock {
    size_t person = 0;
    bool is_low = false;  // a push that nobody sees will do
    std::optional<Instant> arrived;
    int status = 0;  // 0: not answered
};

// One try to push, as the provider saw it.
struct Attempt {
    std::string push;  // apns-id
    std::string registration;
    uint64_t knock = 0;
    bool is_background = false;
    uint64_t wire = 0;
    int32_t stream = 0;
    uint32_t life = 0;  // of the gateway: counts its processes
    const Tap* tap = nullptr;
    uint64_t begun = 0;
    Instant arrived{};

    // What the provider said.
    uint16_t status = 0;  // 0: nothing
    std::string reason{};
    std::optional<UnixTime> timestamp{};
    Instant replied{};
    bool is_astray = false;  // in the environment where the phone is not
    bool is_learned = false;

    [[nodiscard]] bool is_accepted() const { return status == 200; }
    // The provider's last word about this push.
    [[nodiscard]] bool is_final() const;
};

class Book {
public:
    Book(Events& events, Swarm& swarm, Trace& trace, Disk& disk);

    [[nodiscard]] bool has_failed() const { return !failure_.empty(); }
    [[nodiscard]] const std::string& failure() const { return failure_; }
    void fail(const std::string& what);
    void check(bool is_right, const std::string& what) {
        if (!is_right) fail(what);
    }

    [[nodiscard]] uint64_t say(size_t person, bool is_low);
    void arrive(uint64_t knock);
    void answer(uint64_t knock, int status);

    [[nodiscard]] size_t push(Attempt&& attempt);
    void reply(size_t attempt,
               uint16_t status,
               std::string_view reason,
               std::optional<UnixTime> timestamp);
    void learn(size_t attempt);

    // The gateway wants this written.
    void submit(const store::Write& write);
    void look_at_disk();
    // A process began.
    void begin_life() {
        ++life_;
        minted_ = {-1};
    }
    // The row of this device was or may be changed by its owner.
    void touch(const Uuid& device);
    void mint(const push::ProviderToken& token);
    void check_token(std::string_view authorization);

    void close();

    [[nodiscard]] uint32_t life() const { return life_; }
    [[nodiscard]] const std::vector<Person>& people() const { return people_; }
    [[nodiscard]] size_t pushes() const { return attempts_.size(); }
    // When the gateway last heard of it; by its own clock.
    [[nodiscard]] UnixTime registered(std::string_view registration) const;
    // Of the phones, every other one; the others are of production.
    [[nodiscard]] bool is_of_sandbox(std::string_view registration) const;
    [[nodiscard]] bool has_open_knocks() const { return open_ > 0; }
    [[nodiscard]] uint64_t learned(uint16_t status) const;

private:
    struct Phone {
        store::Device device;  // as it is on disk
        size_t person = 0;
        bool is_alive = true;
        Instant dead_since{};
        Instant dead_until{-1};  // the last moment at which it was not to be pushed to
        Instant touched{-1};
        Instant renewed{-1};  // registered again
        // The provider's last yes, when it said it; of pushes that are seen, and of all.
        struct Rung {
            Instant seen{-1};
            Instant any{-1};

            [[nodiscard]] Instant last_for(const BookedKnock& knock) const {
                return knock.is_low ? any : seen;
            }
        };
        Rung rung;
        Rung heard;  // of those that the gateway has learned
        std::vector<size_t> attempts;
    };
    static void note(Phone::Rung& rung, const Attempt& attempt);
    [[nodiscard]] Phone* find_phone(std::string_view registration);
    [[nodiscard]] bool has_odd_clock() const {
        return swarm_.allows(Fault::clock_jumped) || swarm_.allows(Fault::clock_set_back);
    }
    void check_repetition(const Attempt& attempt);
    [[nodiscard]] bool is_outdated(const Attempt& attempt) const;
    [[nodiscard]] bool may_cross(const Attempt& attempt) const;
    void check_promise(uint64_t knock);
    [[nodiscard]] bool is_excused(const BookedKnock& knock, const Phone& phone) const;
    [[nodiscard]] bool is_refused(uint64_t knock, const Phone& phone, bool must_be_learned) const;
    [[nodiscard]] bool is_on_disk(uint64_t knock, const Phone& phone);

    Events& events_;
    Swarm& swarm_;
    Trace& trace_;
    Disk& disk_;
    std::vector<Person> people_;
    std::vector<Phone> phones_;
    std::vector<BookedKnock> knocks_;  // from 1 on
    std::vector<Attempt> attempts_;
    std::map<std::string, std::vector<size_t>, std::less<>> by_push_;
    std::map<std::string, UnixTime, std::less<>> tokens_;  // authorization: issued
    Instant minted_{-1};
    uint32_t life_ = 0;
    size_t open_ = 0;
    std::string failure_;
};

// "knock":N in a payload; 0: there is none.
[[nodiscard]] uint64_t knock_in(std::string_view payload);

}  // namespace knuckle::sim
