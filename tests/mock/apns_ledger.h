// SPDX-License-Identifier: GPL-3.0-or-later
// What the simulated APNs has seen: the truth that tests compare a gateway's words with.
//
//     ledger.record(arrival)
//     ledger.counts().accepted, ledger.find_push(id), ledger.find_device(token), ledger.arrivals()
//
// A push is known by its apns-id, the same for all its attempts. `duplicates` counts acceptances of
// a push that had been accepted before. Times are monotonic.
// Limits: kEntriesMax pushes and as many devices are told apart, more are only counted; the texts
// of the last `arrivals_max` requests are kept. Thread: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace knuckle::mock {

struct ArrivedField {
    std::string name;
    std::string value;
};

// One request as it came, and what it was answered.
struct Arrival {
    Now at{};
    uint64_t connection = 0;  // numbered from 1
    std::string method;
    std::string path;
    std::vector<ArrivedField> fields;
    std::string payload;
    uint16_t status = 0;
    std::string reason;  // empty: accepted

    // Of the first such field, or empty.
    [[nodiscard]] std::string_view field(std::string_view name) const;
};

struct LedgerEntry {
    uint32_t received = 0;
    uint32_t accepted = 0;
    bool is_fate_unknown = false;  // for the client, after one of its attempts
    Instant first{};
    Instant last{};
};

// From a text to its entry, in one block of memory: at a benchmark's rates a map of nodes would
// cost as much as the whole HTTP/2. A text is known by 128 bits of its hashes, so two are never
// confused.
class LedgerEntries {
public:
    // Made if it is not there; nullptr when `count_max` are.
    [[nodiscard]] LedgerEntry* take(std::string_view text, size_t count_max);
    [[nodiscard]] const LedgerEntry* find(std::string_view text) const;
    void clear();
    [[nodiscard]] size_t count() const { return count_; }

private:
    struct Key {
        uint64_t low = 0;
        uint64_t high = 0;
        bool operator==(const Key&) const = default;
    };
    struct Slot {
        Key key;
        LedgerEntry entry;  // received == 0: free
    };

    [[nodiscard]] static Key key_of(std::string_view text);
    // Where it is, or where it would be.
    [[nodiscard]] size_t position_of(const Key& key) const;
    void grow();

    std::vector<Slot> slots_;
    size_t count_ = 0;
};

class ApnsLedger {
public:
    static constexpr size_t kEntriesMax = 4'000'000;

    struct Counts {
        uint64_t requests = 0;
        uint64_t accepted = 0;
        uint64_t refused = 0;
        uint64_t duplicates = 0;
        uint64_t duplicates_inexcusable = 0;  // of them, those whose fate was known
        uint64_t unprocessed = 0;             // turned away so that they must be sent again
        uint64_t expired_on_arrival = 0;      // apns-expiration in the past but not 0
        uint64_t untracked = 0;               // beyond kEntriesMax
    };

    explicit ApnsLedger(size_t arrivals_max) : arrivals_max_(arrivals_max) {}

    // The device token is what stands in the path; the id is the one that was answered.
    void record(std::string_view id, std::string_view device, std::string_view reason, Now now);
    // An attempt that ended, or will, so that the client can't know its fate.
    void note_unknown(std::string_view id, Now now);
    void note_unprocessed() { ++counts_.unprocessed; }
    void note_expired() { ++counts_.expired_on_arrival; }
    // Only if the texts are wanted; see keeps_arrivals().
    void keep(Arrival&& arrival);
    void clear();

    [[nodiscard]] bool keeps_arrivals() const { return arrivals_max_ > 0; }
    [[nodiscard]] const Counts& counts() const { return counts_; }
    [[nodiscard]] size_t pushes() const { return pushes_.count(); }
    [[nodiscard]] size_t pushes_accepted() const { return pushes_accepted_; }
    [[nodiscard]] size_t devices() const { return devices_.count(); }
    [[nodiscard]] const LedgerEntry* find_push(std::string_view id) const {
        return pushes_.find(id);
    }
    [[nodiscard]] const LedgerEntry* find_device(std::string_view token) const {
        return devices_.find(token);
    }
    [[nodiscard]] const std::map<std::string, uint64_t, std::less<>>& reasons() const {
        return reasons_;
    }
    [[nodiscard]] const std::deque<Arrival>& arrivals() const { return arrivals_; }

private:
    LedgerEntry* note(LedgerEntries& entries, std::string_view key, bool is_accepted, Now now);

    size_t arrivals_max_;
    Counts counts_;
    size_t pushes_accepted_ = 0;
    LedgerEntries pushes_;
    LedgerEntries devices_;
    std::map<std::string, uint64_t, std::less<>> reasons_;
    std::deque<Arrival> arrivals_;
};

}  // namespace knuckle::mock
