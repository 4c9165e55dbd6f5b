// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/open_store.h"

#include <cerrno>
#include <sys/stat.h>
#include <utility>

#include "app/clock.h"
#include "app/files.h"
#include "store/key_file.h"

namespace knuckle::app {

std::optional<OpenedStore> open_store(const config::Config& config, OpenFailure& failure) {
    const auto fail_on = [&](const char* what, const std::string& on, Error error) {
        failure = {what, on, error};
        return std::nullopt;
    };
    const std::string& directory = config.data_dir;
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
        return fail_on(
            "making the data directory", directory, fail(Errc::system, "cannot be made", errno));
    }
    const Result<std::string> key_path = resolve_path(config.store_key_file);
    if (!key_path)
        return fail_on("reading the store's key", config.store_key_file, key_path.error());
    const Result<store::Keys> keys =
        store::load_or_create_keys(*key_path, !store::Env::exists(directory));
    if (!keys) return fail_on("reading the store's key", *key_path, keys.error());
    Result<store::Env> env =
        store::Env::open({.directory = directory, .keys = *keys, .now = read_clock()});
    if (!env) return fail_on("opening the database", directory, env.error());
    return OpenedStore{std::move(*env), *key_path};
}

}  // namespace knuckle::app
