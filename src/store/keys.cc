// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/keys.h"

#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "store/file.h"

namespace knuckle::store {

namespace {

constexpr size_t kKeysSize = sizeof(Keys::seal) + sizeof(Keys::lookup);
constexpr size_t kDigits = 2 * kKeysSize;
// The digits and what an editor may leave behind them.
using KeyFileText = std::array<char, kDigits + 8>;

Result<void> check_is_private(int file) {
    struct stat status;
    if (::fstat(file, &status) != 0) {
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
    return {};
}

Result<Keys> parse(std::string_view text) {
    std::array<uint8_t, kKeysSize> bytes;
    if (!decode_hex(trim(text), bytes)) {
        return fail(Errc::invalid,
                    "the key file does not hold 128 hexadecimal digits; restore it from a backup");
    }
    Keys keys;
    copy_bytes(keys.seal.data(), ByteView(bytes).first(keys.seal.size()));
    copy_bytes(keys.lookup.data(), ByteView(bytes).last(keys.lookup.size()));
    crypto::wipe(bytes);
    return keys;
}

// not_found: there is no such file.
Result<Keys> load(const std::string& path) {
    const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) {
        if (errno == ENOENT) return fail(Errc::not_found, "the key file does not exist", ENOENT);
        return fail(Errc::system, "cannot open the key file", errno);
    }
    KNUCKLE_TRY(check_is_private(file.descriptor()));
    KeyFileText text;
    const ssize_t size = ::read(file.descriptor(), text.data(), text.size());
    if (size < 0) return fail(Errc::system, "cannot read the key file", errno);
    auto keys = parse({text.data(), static_cast<size_t>(size)});
    crypto::wipe({reinterpret_cast<uint8_t*>(text.data()), text.size()});
    return keys;
}

Result<void> write_new_file(const std::string& path, std::string_view text) {
    const File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.is_open()) return fail(Errc::system, "cannot create the key file", errno);
    const ssize_t size = ::write(file.descriptor(), text.data(), text.size());
    if (size < 0) return fail(Errc::system, "cannot write the key file", errno);
    if (static_cast<size_t>(size) != text.size()) {
        return fail(Errc::system, "cannot write the key file", ENOSPC);
    }
    if (::fsync(file.descriptor()) != 0) {
        return fail(Errc::system, "cannot write the key file", errno);
    }
    return {};
}

// The file appears under its name complete and on disk, or not at all; one that another process has
// put there meanwhile stays.
Result<void> create(const std::string& path) {
    std::array<uint8_t, kKeysSize> bytes;
    KNUCKLE_TRY(crypto::os_random(bytes));
    std::array<char, kDigits + 1> text;
    encode_hex(bytes, text.data());
    text.back() = '\n';

    const std::string draft = path + ".new";
    ::unlink(draft.c_str());  // of a start that was killed here
    auto written = write_new_file(draft, {text.data(), text.size()});
    crypto::wipe(bytes);
    crypto::wipe({reinterpret_cast<uint8_t*>(text.data()), text.size()});
    if (written && ::link(draft.c_str(), path.c_str()) != 0 && errno != EEXIST) {
        written = fail(Errc::system, "cannot create the key file", errno);
    }
    ::unlink(draft.c_str());
    KNUCKLE_TRY(written);
    return sync_directory_of(path);
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

}  // namespace knuckle::store
