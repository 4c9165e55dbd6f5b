// SPDX-License-Identifier: GPL-3.0-or-later
// The open database: one LMDB environment in `data_dir`, one writer (the committer), many readers.
//
//     auto keys = load_or_create_keys(key_file, !Env::exists(data_dir));
//     auto env = Env::open({.directory = data_dir, .keys = *keys, .now = now});
//     env->warm_up();
//     Reader reader(*env);                       one per worker
//     Committer committer(*env, random);         one per process
//
// Files: data.mdb (everything), lock.mdb (LMDB's readers), lock (held by the process that serves).
// open() refuses, with a text that says which: a directory that is missing or cannot be written,
// one that another process serves from, a file that is no database of ours or is damaged (how much
// of that it sees: store/page_check.h), a schema newer than this binary knows, a wrong key file.
// Limit: LMDB reads through a map, so a disk that fails under a page not in memory ends the
// process. Owner: the supervisor; outlives all readers and the committer.  Thread: open and close
// on one; readers and the committer each use it from their own (LMDB is opened with MDB_NOTLS).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "store/keys.h"

namespace knuckle::store {

inline constexpr uint32_t kReadersMax = 256;
// Address space, not memory: growing the map later would need quiet readers.
inline constexpr size_t kMapSize = size_t{64} << 30;

struct EnvOptions {
    std::string directory;
    Keys keys;
    UnixTime now;  // when accounts of a schema that did not say were seen last
    size_t map_size = kMapSize;
};

class Env {
public:
    [[nodiscard]] static Result<Env> open(const EnvOptions& options);
    // Does `directory` hold a database already?
    [[nodiscard]] static bool exists(const std::string& directory);

    Env(Env&&) noexcept;
    Env& operator=(Env&&) noexcept;
    ~Env();

    // Touches every row of the database once, so that no knock waits for the disk or a page fault.
    void warm_up() const;

    struct State;
    [[nodiscard]] State& state() const { return *state_; }

private:
    explicit Env(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace knuckle::store
