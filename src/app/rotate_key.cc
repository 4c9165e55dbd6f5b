// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/rotate_key.h"

#include <cerrno>
#include <cstdio>
#include <string>

#include "app/describe.h"
#include "app/files.h"
#include "store/key_file.h"

namespace knuckle::app {

namespace {

int give_up(const std::string& on, Error error) {
    std::fprintf(stderr, "knuckle: %s: %s\n", on.c_str(), describe(error).c_str());
    // What systemd hands to a service is a copy that nobody can write.
    if (error.code == Errc::system &&
        (error.detail == EROFS || error.detail == EACCES || error.detail == EPERM)) {
        std::fputs(
            "knuckle: run it as root; for a credential on the file that LoadCredential= names, as "
            "in CREDENTIALS_DIRECTORY=/etc/knuckle/keys knuckle rotate-key\n",
            stderr);
    }
    return 1;
}

}  // namespace

int rotate_key(const config::Config& config) {
    const Result<std::string> path = resolve_path(config.store_key_file);
    if (!path) return give_up(config.store_key_file, path.error());
    const Result<store::Keys> keys = store::rotate_key(*path);
    if (!keys) return give_up(*path, keys.error());
    std::printf(
        "%s: key %u is in front now, the one before stays behind it.\n"
        "Next: systemctl restart knuckle. From then on the new key seals, and what is there is\n"
        "re-sealed in the background. At the end the log says key_rotation_ended, and the old key\n"
        "goes from the file; retired_key_left says why it could not: then remove line 3 by hand.\n"
        "Copies of the database from before that end need the old key: keep the old copy of the\n"
        "key file with them. Make a new copy of both afterwards.\n",
        path->c_str(),
        unsigned{keys->current.id});
    return 0;
}

}  // namespace knuckle::app
