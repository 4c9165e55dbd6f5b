// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/env.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <span>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "crypto/digest.h"
#include "store/lmdb_env.h"
#include "store/page_check.h"
#include "store/rows.h"
#include "store/schema.h"
#include "store/upgrade.h"
#include "store/vault.h"

namespace knuckle::store {

namespace {

std::string data_path(const std::string& directory) { return directory + "/data.mdb"; }

Result<void> check_directory(const std::string& directory) {
    struct stat status;
    if (::stat(directory.c_str(), &status) != 0) {
        if (errno == ENOENT) {
            return fail(Errc::not_found, "the data directory does not exist; create it", ENOENT);
        }
        return fail(Errc::system, "cannot use the data directory", errno);
    }
    if (!S_ISDIR(status.st_mode)) {
        return fail(Errc::invalid, "the data directory is not a directory", ENOTDIR);
    }
    return {};
}

// Held as long as the process lives, however it ends. Not LMDB's own lock file, so that tools may
// still read beside us.
Result<File> take_lock(const std::string& directory) {
    File lock(::open((directory + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock.is_open()) {
        return fail(Errc::system, "cannot write to the data directory", errno);
    }
    if (::flock(lock.descriptor(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return fail(Errc::system, "cannot lock the data directory", errno);
        return fail(Errc::unavailable,
                    "another process serves from the data directory; stop it or use another one");
    }
    return lock;
}

// A file's bytes, read from the disk in one go.
class MappedFile {
public:
    [[nodiscard]] static Result<MappedFile> open(const std::string& path) {
        const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file.is_open() && errno == ENOENT) return MappedFile();
        struct stat status;
        if (!file.is_open() || ::fstat(file.descriptor(), &status) != 0) {
            return fail(Errc::system, "cannot open data.mdb", errno);
        }
        const auto size = static_cast<size_t>(status.st_size);
        if (size == 0) return MappedFile();
        void* const start =
            ::mmap(nullptr, size, PROT_READ, MAP_SHARED | MAP_POPULATE, file.descriptor(), 0);
        if (start == MAP_FAILED) return fail(Errc::system, "cannot read data.mdb", errno);
        return MappedFile({static_cast<const uint8_t*>(start), size});
    }
    MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
    MappedFile& operator=(MappedFile&&) = delete;
    ~MappedFile() {
        if (!bytes_.empty()) ::munmap(const_cast<uint8_t*>(bytes_.data()), bytes_.size());
    }
    [[nodiscard]] ByteView bytes() const { return bytes_; }

private:
    MappedFile() = default;
    explicit MappedFile(ByteView bytes) : bytes_(bytes) {}

    ByteView bytes_;
};

Result<void> check_file(const std::string& directory) {
    const MappedFile file = KNUCKLE_TRY(MappedFile::open(data_path(directory)));
    if (file.bytes().empty()) return {};  // LMDB will make it
    return check_pages(file.bytes());
}

Error open_error(int code) {
    if (code == EACCES || code == EROFS || code == ENOSPC) {
        return fail(Errc::system, "cannot write to the data directory", code);
    }
    return storage_error(code);
}

Result<std::unique_ptr<MDB_env, CloseEnv>> open_lmdb(const EnvOptions& options) {
    MDB_env* env = nullptr;
    if (const int code = mdb_env_create(&env)) return storage_error(code);
    std::unique_ptr<MDB_env, CloseEnv> owner(env);
    // Read-ahead stays on (no MDB_NORDAHEAD): without it each first touch of a page that is not in
    // memory stops the worker for a tenth of a millisecond.
    constexpr unsigned kFlags = MDB_NOTLS | MDB_NOMETASYNC;
    int code = mdb_env_set_mapsize(env, options.map_size);
    if (code == 0) code = mdb_env_set_maxreaders(env, kReadersMax);
    if (code == 0) code = mdb_env_open(env, options.directory.c_str(), kFlags, 0600);
    if (code != 0) return open_error(code);
    // Readers that died with their process would keep old pages from being used again.
    int dead = 0;
    if ((code = mdb_reader_check(env, &dead)) != 0) return storage_error(code);
    return owner;
}

Result<void> put_version(Rows& rows) {
    return rows.put(RowKey(Table::format), encode_format(kSchemaVersion));
}

// The version of the schema; 0 if there is no row at all yet.
Result<uint32_t> read_version(MDB_txn* txn, MDB_dbi tree) {
    MDB_stat size;
    if (const int code = mdb_stat(txn, tree, &size)) return storage_error(code);
    if (size.ms_entries == 0) return uint32_t{0};
    constexpr Error kForeign = fail(Errc::invalid, "data.mdb is not a database of Knuckle");
    const RowKey format(Table::format);
    MDB_val key = to_val(format.view());
    MDB_val value;
    const int code = mdb_get(txn, tree, &key, &value);
    if (code == MDB_NOTFOUND) return kForeign;
    if (code != 0) return storage_error(code);
    const auto version = decode_format(to_view(value));
    if (!version || *version == 0) return kForeign;
    return *version;
}

// Every key that rows may be under must be there.
Result<void> check_keys(Rows& rows, const Keys& keys, Vault& vault) {
    constexpr Error kWrong =
        fail(Errc::invalid,
             "the key file does not belong to this database; use the one it was made with");
    const auto checks = KNUCKLE_TRY(rows.list(RowKey(Table::check)));
    if (checks.empty()) return kWrong;
    const LookupHash expected = vault.hash(Table::check, "", "check");
    for (const RowKey& check : checks) {
        const ByteView value = KNUCKLE_TRY(rows.get(check)).value_or(ByteView());
        const auto id = key_id_of(value);
        if (id && !keys.has_seal(*id)) {
            return fail(Errc::invalid,
                        "the key file lacks a seal key that the database needs, from before or "
                        "after a rotation; use the key file that belongs to this copy");
        }
        PlainBytes plain;
        const auto opened = vault.open(check.view(), value, plain);
        if (!opened || !std::ranges::equal(*opened, expected)) return kWrong;
    }
    return {};
}

// Before the first row is sealed with the current key, that key is one of those to check.
Result<void> note_current_key(Rows& rows,
                              const Keys& keys,
                              Vault& vault,
                              crypto::SecureRandom& random) {
    for (const RowKey& check : KNUCKLE_TRY(rows.list(RowKey(Table::check)))) {
        const auto value = KNUCKLE_TRY(rows.get(check));
        if (value && key_id_of(*value) == keys.current.id) return {};
    }
    const RowKey check = check_key(keys.current.id);
    const LookupHash hash = vault.hash(Table::check, "", "check");
    SealedBytes sealed;
    return rows.put(check, vault.seal(check.view(), hash, random, sealed));
}

Result<void> open_schema(Env::State& state, const std::string& directory, UnixTime now) {
    crypto::SecureRandom::Seed seed;
    KNUCKLE_TRY(crypto::os_random(seed));
    crypto::SecureRandom random(seed);
    crypto::wipe(seed);
    Transaction txn = KNUCKLE_TRY(Transaction::begin_write(state.lmdb.get()));
    if (const int code = mdb_dbi_open(txn.get(), nullptr, 0, &state.tree))
        return storage_error(code);
    if (const int code = mdb_set_compare(txn.get(), state.tree, compare_keys))
        return storage_error(code);
    Vault vault(state.keys);
    const uint32_t version = KNUCKLE_TRY(read_version(txn.get(), state.tree));
    if (version > kSchemaVersion) {
        return fail(
            Errc::invalid,
            "the database was written by a newer Knuckle; install that version or a later one",
            static_cast<int32_t>(version));
    }
    Rows rows(txn.get(), state);
    if (version == 0) {
        KNUCKLE_TRY(put_version(rows));
        KNUCKLE_TRY(note_current_key(rows, state.keys, vault, random));
        KNUCKLE_TRY(txn.commit());
        return sync_directory(directory);
    }
    KNUCKLE_TRY(check_keys(rows, state.keys, vault));
    KNUCKLE_TRY(note_current_key(rows, state.keys, vault, random));
    if (version < kSchemaVersion) {
        KNUCKLE_TRY(upgrade(rows, vault, random, version, now));
        KNUCKLE_TRY(put_version(rows));
    }
    return txn.commit();
}

}  // namespace

Env::Env(std::unique_ptr<State> state) : state_(std::move(state)) {}
Env::Env(Env&&) noexcept = default;
Env& Env::operator=(Env&&) noexcept = default;
Env::~Env() = default;

Result<Env> Env::open(const EnvOptions& options) {
    auto state = std::make_unique<State>();
    state->keys = options.keys;
    KNUCKLE_TRY(check_directory(options.directory));
    state->lock = KNUCKLE_TRY(take_lock(options.directory));
    KNUCKLE_TRY(check_file(options.directory));
    state->lmdb = KNUCKLE_TRY(open_lmdb(options));
    KNUCKLE_TRY(open_schema(*state, options.directory, options.now));
    return Env(std::move(state));
}

bool Env::exists(const std::string& directory) {
    struct stat status;
    return ::stat(data_path(directory).c_str(), &status) == 0 && status.st_size > 0;
}

void Env::warm_up() const {
    auto txn = Transaction::begin_read(state_->lmdb.get());
    if (!txn) return;
    MDB_cursor* cursor = nullptr;
    if (mdb_cursor_open(txn->get(), state_->tree, &cursor) != 0) return;
    MDB_val key;
    MDB_val value;
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
    }
    mdb_cursor_close(cursor);
}

}  // namespace knuckle::store
