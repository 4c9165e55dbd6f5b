// SPDX-License-Identifier: GPL-3.0-or-later
// Brings a dump of the reference's database into ours.
//
//     Import import(env, committer, random, options);
//     do {
//         import.begin_pass();
//         for each piece of the file:  import.feed(bytes)      an error ends the import
//     } while (*import.end_pass());                             once more from the beginning?
//     import.ledger()
//
// A table is taken when those that it refers to have been: accounts, then auth tokens and devices,
// then tokens. In the order in which pg_dump writes them that is one pass, in the worst one three.
// The joins are made in the database: a row whose account or device is not there is refused by it.
// So an import needs no memory but for one batch of writes, whatever the size of the file.
//
// Rows keep their ids and texts, and one that is there already is left as it is. So an import may
// be made again, and one that was cut off goes on where it ended.
// Errors: of the dump (line() says where), and of the disk. What was written until then stays.
// Owner: app/import.cc.  Thread: one; nobody else writes to the database meanwhile.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/random.h"
#include "migrate/ledger.h"
#include "migrate/pg_dump.h"
#include "migrate/reference.h"
#include "store/committer.h"
#include "store/env.h"
#include "store/snapshot.h"
#include "store/write.h"

namespace knuckle::migrate {

struct ImportOptions {
    Terms terms;
    uint32_t devices_max = 0;  // of an account
    uint32_t tokens_max = 0;
};

class Import {
public:
    Import(const store::Env& env,
           store::Committer& committer,
           crypto::SecureRandom& random,
           const ImportOptions& options);

    void begin_pass();
    Result<void> feed(ByteView bytes);
    // True: there are tables left, which came before those that they refer to. After the third
    // pass that is an error: the file is not what it was.
    Result<bool> end_pass();

    [[nodiscard]] const Ledger& ledger() const { return ledger_; }
    [[nodiscard]] const PgDump& dump() const { return dump_; }
    // Was the table in the dump?
    [[nodiscard]] bool has_seen(Source source) const { return state_of(source) != State::unseen; }

private:
    enum class State : uint8_t { unseen, seen, taken };
    struct Origin {
        Source source;
        uint64_t line;
    };

    [[nodiscard]] State state_of(Source source) const {
        return states_[static_cast<size_t>(source)];
    }
    [[nodiscard]] bool is_settled(Source source) const;
    [[nodiscard]] bool is_ready(Source source) const;
    Result<void> begin_table();
    void end_table();
    Result<void> take_row(const Layout& layout);
    [[nodiscard]] Fate to_change(const Row& row, store::Change& change);
    Result<void> flush();
    [[nodiscard]] Fate judge(store::WriteStatus status, const store::Write& write, Source source);
    [[nodiscard]] bool is_there(const store::Change& change);

    store::Committer& committer_;
    store::Reader reader_;
    crypto::SecureRandom& random_;
    ImportOptions options_;
    PgDump dump_;
    Ledger ledger_;
    std::array<State, kSourceCount> states_{};
    uint32_t passes_ = 0;           // that have ended
    std::optional<Layout> layout_;  // of the table that is being taken
    std::vector<store::Write> writes_;
    std::vector<Origin> origins_;  // of the writes
    std::vector<store::WriteStatus> statuses_;
};

}  // namespace knuckle::migrate
