// SPDX-License-Identifier: GPL-3.0-or-later
// The database of a simulated gateway, a real one on a memory file system, and those who are in it:
// made once, copied for every run. A commit is durable when it returns, so whatever happens to the
// process, opening it again is all that a restart sees.
//
// Owner: World.  Thread: one.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "crypto/random.h"
#include "store/committer.h"
#include "store/env.h"
#include "store/records.h"
#include "store/snapshot.h"
#include "store/write.h"

namespace knuckle::sim {

// Somebody with one phone or two, and a token to knock with.
struct Person {
    size_t app = 0;
    store::Account account;
    std::vector<store::Device> devices;
    store::Token token;
};

[[nodiscard]] std::string app_name(size_t app);
// Those of the first `apps` apps.
[[nodiscard]] std::vector<Person> make_people(size_t apps);

class Disk {
public:
    explicit Disk(uint64_t seed);
    ~Disk();
    Disk(const Disk&) = delete;
    Disk& operator=(const Disk&) = delete;

    // As a process does at its start.
    void open();
    void close();

    [[nodiscard]] const store::Env& env() const { return *env_; }
    [[nodiscard]] store::Reader& reader() { return *reader_; }
    [[nodiscard]] store::Snapshot snapshot() { return reader_->snapshot(); }
    Result<void> apply(std::span<const store::Write> writes,
                       std::span<store::WriteStatus> statuses) {
        return committer_->apply(writes, statuses);
    }

private:
    std::string directory_;
    crypto::SecureRandom random_;
    std::optional<store::Env> env_;
    std::unique_ptr<store::Committer> committer_;
    std::unique_ptr<store::Reader> reader_;
};

}  // namespace knuckle::sim
