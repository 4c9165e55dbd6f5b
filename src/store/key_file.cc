// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/key_file.h"

#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <span>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "crypto/random.h"
#include "store/file.h"

namespace knuckle::store {

namespace {

// A key's text, and what an editor may leave behind it.
using FileText = std::array<char, 2 * sizeof(KeyText)>;

void wipe_text(std::span<char> text) {
    crypto::wipe({reinterpret_cast<uint8_t*>(text.data()), text.size()});
}

Result<struct stat> check_is_private(const File& file) {
    struct stat status;
    if (::fstat(file.descriptor(), &status) != 0) {
        return fail(Errc::system, "cannot look at the key file", errno);
    }
    if (!S_ISREG(status.st_mode)) {
        return fail(Errc::invalid, "the key file is not a regular file");
    }
    const bool is_ours = status.st_uid == ::geteuid();
    const mode_t forbidden = is_ours ? S_IRWXG | S_IRWXO : S_IWGRP | S_IRWXO;
    if ((status.st_mode & forbidden) != 0) {
        return fail(Errc::invalid, "others can read or write the key file; run chmod 600 on it");
    }
    return status;
}

// not_found: there is no such file.
Result<File> open_file(const std::string& path) {
    File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) {
        if (errno == ENOENT) return fail(Errc::not_found, "the key file does not exist", ENOENT);
        return fail(Errc::system, "cannot open the key file", errno);
    }
    return file;
}

Result<Keys> read_keys(const File& file) {
    FileText text;
    const ssize_t size = ::read(file.descriptor(), text.data(), text.size());
    if (size < 0) return fail(Errc::system, "cannot read the key file", errno);
    if (static_cast<size_t>(size) == text.size()) {
        return fail(Errc::invalid, "the key file is too long; restore it from a backup");
    }
    auto keys = decode_keys({text.data(), static_cast<size_t>(size)});
    wipe_text(text);
    return keys;
}

Result<Keys> load(const std::string& path) {
    const File file = KNUCKLE_TRY(open_file(path));
    KNUCKLE_TRY(check_is_private(file));
    return read_keys(file);
}

// What becomes the key file once it is complete. Of one that was not finished, because its process
// was killed, nothing is of use.
std::string draft_of(const std::string& path) { return path + ".new"; }

Result<File> write_draft(const std::string& path, const Keys& keys) {
    const std::string draft = draft_of(path);
    ::unlink(draft.c_str());
    File file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.is_open()) {
        return fail(Errc::system, "cannot make a new file in the folder of the key file", errno);
    }
    KeyText storage;
    const std::string_view text = encode_keys(keys, storage);
    const ssize_t size = ::write(file.descriptor(), text.data(), text.size());
    const int error = size < 0 ? errno : ENOSPC;
    const bool is_written = size == static_cast<ssize_t>(text.size());
    wipe_text(storage);
    if (!is_written) return fail(Errc::system, "cannot write the key file", error);
    return file;
}

Result<void> sync(const File& file) {
    if (::fsync(file.descriptor()) == 0) return {};
    return fail(Errc::system, "cannot write the key file", errno);
}

// The file appears under its name complete and on disk, or not at all; one that another process has
// put there meanwhile stays.
Result<void> create(const std::string& path) {
    Keys keys;
    KNUCKLE_TRY(crypto::os_random(keys.lookup));
    KNUCKLE_TRY(crypto::os_random(keys.current.key));
    const auto publish = [&]() -> Result<void> {
        const File file = KNUCKLE_TRY(write_draft(path, keys));
        KNUCKLE_TRY(sync(file));
        if (::link(draft_of(path).c_str(), path.c_str()) == 0 || errno == EEXIST) return {};
        return fail(Errc::system, "cannot create the key file", errno);
    };
    const auto published = publish();
    wipe(keys);
    ::unlink(draft_of(path).c_str());
    if (!published) return published.error();
    return sync_directory_of(path);
}

// A key file that only we replace, as long as this lives.
struct Replaceable {
    std::string path;  // without symbolic links: a link must not become a file
    File file;         // locked
    struct stat status;
};

Result<Replaceable> open_to_replace(const std::string& path) {
    std::array<char, PATH_MAX> target;
    const bool is_found = ::realpath(path.c_str(), target.data()) != nullptr;
    Replaceable found{.path = is_found ? target.data() : path, .file = {}, .status = {}};
    found.file = KNUCKLE_TRY(open_file(found.path));
    found.status = KNUCKLE_TRY(check_is_private(found.file));
    constexpr Error kBusy =
        fail(Errc::unavailable, "another process is changing the key file; try again");
    if (::flock(found.file.descriptor(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return kBusy;
        return fail(Errc::system, "cannot lock the key file", errno);
    }
    // Between open and lock another process may have put a new file in its place.
    struct stat named;
    if (::stat(found.path.c_str(), &named) != 0 || named.st_ino != found.status.st_ino) {
        return kBusy;
    }
    return found;
}

// The service may not use chown (docs/OPERATIONS.md), and has no need to for a file of its own.
Result<void> copy_owner_and_mode(const struct stat& from, const File& to) {
    struct stat made;
    if (::fstat(to.descriptor(), &made) != 0) {
        return fail(Errc::system, "cannot look at the key file", errno);
    }
    const bool is_group_wanted = (from.st_mode & S_IRWXG) != 0 && made.st_gid != from.st_gid;
    if (made.st_uid != from.st_uid || is_group_wanted) {
        if (::fchown(to.descriptor(), from.st_uid, from.st_gid) != 0) {
            return fail(Errc::system, "cannot give the key file its owner again", errno);
        }
    }
    if (::fchmod(to.descriptor(), from.st_mode & 07777) != 0) {
        return fail(Errc::system, "cannot give the key file its mode again", errno);
    }
    return {};
}

Result<void> replace(const Replaceable& old, const Keys& keys) {
    const std::string draft = draft_of(old.path);
    const auto publish = [&]() -> Result<void> {
        const File file = KNUCKLE_TRY(write_draft(old.path, keys));
        KNUCKLE_TRY(copy_owner_and_mode(old.status, file));
        KNUCKLE_TRY(sync(file));
        if (::rename(draft.c_str(), old.path.c_str()) == 0) return {};
        return fail(Errc::system, "cannot replace the key file", errno);
    };
    if (const auto published = publish(); !published) {
        ::unlink(draft.c_str());
        return published.error();
    }
    return sync_directory_of(old.path);
}

}  // namespace

Result<Keys> load_or_create_keys(const std::string& path, bool may_create) {
    auto keys = load(path);
    if (keys || keys.error().code != Errc::not_found) return keys;
    if (!may_create) {
        return fail(Errc::not_found,
                    "the key file is missing, and without it the database cannot be read; "
                    "restore it from a backup");
    }
    KNUCKLE_TRY(create(path));
    // What is on disk counts: another process may have been first.
    return load(path);
}

Result<Keys> rotate_key(const std::string& path) {
    const Replaceable old = KNUCKLE_TRY(open_to_replace(path));
    Keys keys = KNUCKLE_TRY(read_keys(old.file));
    if (keys.retiring) {
        return fail(Errc::limit,
                    "a rotation is under way: the file holds two seal keys already; it ends when "
                    "the gateway has re-sealed the database and the second one is taken out");
    }
    keys.retiring = keys.current;
    keys.current.id = id_after(keys.retiring->id);
    KNUCKLE_TRY(crypto::os_random(keys.current.key));
    KNUCKLE_TRY(replace(old, keys));
    return keys;
}

Result<void> retire_key(const std::string& path, const Keys& keys) {
    const Replaceable old = KNUCKLE_TRY(open_to_replace(path));
    const Keys present = KNUCKLE_TRY(read_keys(old.file));
    const Keys rest{.lookup = keys.lookup, .current = keys.current, .retiring = {}};
    if (present == rest) return {};
    if (present != keys) return fail(Errc::invalid, "the key file was changed since the start");
    return replace(old, rest);
}

}  // namespace knuckle::store
