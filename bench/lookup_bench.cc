// SPDX-License-Identifier: GPL-3.0-or-later
// What a knock pays for its look-up (token, then the devices to ring), and how that grows with the
// number of tokens; beside it a bare LMDB get among as many rows, as the anchor. All stores are
// open at once and measured in alternating rounds, so that a noisy moment spoils all alike.
//
//     lookup_bench [TOKENS ...]          default: 10000 100000 1000000
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <lmdb.h>

#include "base/random.h"
#include "bench/filled_store.h"
#include "bench/load.h"
#include "store/snapshot.h"
#include "tests/support/temp_dir.h"

namespace {

using namespace knuckle;
using namespace knuckle::bench;

constexpr size_t kRounds = 11;
constexpr size_t kLookups = 50'000;
constexpr size_t kAnchorKeySize = 16;
constexpr size_t kAnchorValueSize = 120;  // a little more than a token's row weighs

int64_t cpu_ns() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// The time of one look-up in nanoseconds, the name of the token included.
template <typename Find>
double measure(uint64_t tokens, Random& random, Find find) {
    size_t found = 0;
    const int64_t begin = cpu_ns();
    for (size_t i = 0; i < kLookups; ++i) found += find(token_text(random.below(tokens)));
    const int64_t end = cpu_ns();
    if (found != kLookups) throw std::runtime_error("a token was not found");
    return static_cast<double>(end - begin) / kLookups;
}

class Ours {
public:
    Ours(const std::string& directory, uint64_t tokens)
        : env_(fill_store(directory, {.tokens = tokens})), reader_(env_) {
        env_.warm_up();
    }

    size_t find(const std::string& token) {
        store::TokenOwner owner;
        size_t rung = 0;
        store::Snapshot snapshot = reader_.snapshot();
        if (snapshot.find_token(kApp, token, owner) != store::Lookup::found) return 0;
        const auto ring = [&](const store::Target&) { ++rung; };
        static_cast<void>(snapshot.for_each_target(owner.account, ring));
        return rung;
    }

private:
    store::Env env_;
    store::Reader reader_;
};

// LMDB alone: as many rows, a get of one at random within a renewed transaction.
class Bare {
public:
    Bare(const std::string& directory, uint64_t rows) {
        std::filesystem::create_directories(directory);
        MDB_txn* txn = nullptr;
        check(mdb_env_create(&env_));
        check(mdb_env_set_mapsize(env_, size_t{8} << 30));
        check(mdb_env_open(env_, directory.c_str(), MDB_NOSYNC | MDB_NOTLS, 0600));
        check(mdb_txn_begin(env_, nullptr, 0, &txn));
        check(mdb_dbi_open(txn, nullptr, 0, &tree_));
        std::array<char, kAnchorValueSize> value{};
        for (uint64_t i = 0; i < rows; ++i) {
            std::string name = token_text(i);
            MDB_val key = key_of(name);
            MDB_val content{value.size(), value.data()};
            check(mdb_put(txn, tree_, &key, &content, 0));
        }
        check(mdb_txn_commit(txn));
        check(mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader_));
        mdb_txn_reset(reader_);
    }
    Bare(const Bare&) = delete;
    Bare& operator=(const Bare&) = delete;
    ~Bare() {
        mdb_txn_abort(reader_);
        mdb_env_close(env_);
    }

    size_t find(std::string token) {
        MDB_val key = key_of(token);
        MDB_val value;
        mdb_txn_renew(reader_);
        const bool is_found = mdb_get(reader_, tree_, &key, &value) == 0;
        mdb_txn_reset(reader_);
        return is_found ? 1 : 0;
    }

private:
    static void check(int code) {
        if (code != 0) throw std::runtime_error(mdb_strerror(code));
    }
    // As wide as a hash.
    static MDB_val key_of(std::string& name) { return {kAnchorKeySize, name.data()}; }

    MDB_env* env_ = nullptr;
    MDB_txn* reader_ = nullptr;
    MDB_dbi tree_ = 0;
};

struct Row {
    uint64_t tokens = 0;
    std::unique_ptr<Ours> ours;
    std::unique_ptr<Bare> bare;
    std::vector<double> ours_ns;
    std::vector<double> bare_ns;
    double bytes_per_token = 0;
};

void run(const std::vector<uint64_t>& sizes) {
    const test::TempDir dir;
    std::vector<Row> rows(sizes.size());
    for (size_t i = 0; i < sizes.size(); ++i) {
        Row& row = rows[i];
        const std::string directory = dir / std::to_string(sizes[i]);
        row.tokens = sizes[i];
        row.ours = std::make_unique<Ours>(directory, row.tokens);
        row.bare = std::make_unique<Bare>(directory + "-bare", row.tokens);
        const auto size = static_cast<double>(std::filesystem::file_size(directory + "/data.mdb"));
        row.bytes_per_token = size / static_cast<double>(row.tokens);
    }
    Random random(1);
    for (size_t round = 0; round < kRounds; ++round) {
        for (Row& row : rows) {
            row.ours_ns.push_back(measure(row.tokens, random, [&](const std::string& token) {
                return row.ours->find(token);
            }));
            row.bare_ns.push_back(measure(row.tokens, random, [&](const std::string& token) {
                return row.bare->find(token);
            }));
        }
    }
    const double ours_first = median(rows.front().ours_ns);
    const double bare_first = median(rows.front().bare_ns);
    std::printf("look-up of a token and its owner's device, against one bare LMDB get; CPU time\n");
    std::printf("%12s %12s %12s %12s %12s %12s\n",
                "tokens",
                "ns",
                "growth",
                "LMDB ns",
                "growth",
                "bytes/token");
    for (const Row& row : rows) {
        const double ours = median(row.ours_ns);
        const double bare = median(row.bare_ns);
        std::printf("%12llu %12.0f %12.0f %12.0f %12.0f %12.0f\n",
                    static_cast<unsigned long long>(row.tokens),
                    ours,
                    ours - ours_first,
                    bare,
                    bare - bare_first,
                    row.bytes_per_token);
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<uint64_t> sizes;
    for (int i = 1; i < argc; ++i) sizes.push_back(std::strtoull(argv[i], nullptr, 10));
    if (sizes.empty()) sizes = {10'000, 100'000, 1'000'000};
    try {
        run(sizes);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "lookup_bench: %s\n", error.what());
        return 1;
    }
    return 0;
}
