#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs the Debian packages that a build needs and this machine lacks.
#
#   third_party/packages.sh build|lint|fuzz|bench...
#
# Whether something is missing is asked of the machine (is the command there?), not of the
# package database: it is faster, and a compiler that came another way is good enough.
set -eu

# set  command (or path)  package  why
wanted='
build  g++              g++            compiles everything; brings gcc, libc6-dev and binutils
build  ar               binutils       packs the archives
build  patch            patch          security fixes on top of pinned sources
build  xz               xz-utils       some pinned sources are .tar.xz
lint   clang-format-19  clang-format-19  one version everywhere, since versions format differently
lint   clang-tidy-19    clang-tidy-19    the same
bench  /usr/include/openssl/ssl.h  libssl-dev  the TLS of those who stand around the gateway
fuzz   clang++-19       clang-19         has libFuzzer
fuzz   /usr/lib/llvm-19/lib/clang/19/lib/linux libclang-rt-19-dev and its run-time
'

missing=$(echo "$wanted" | while read -r set command package why; do
    case " $* " in *" $set "*) ;; *) continue ;; esac
    command -v "$command" >/dev/null || [ -e "$command" ] || echo "$package"
done | sort -u | tr '\n' ' ')
missing=${missing% }
[ -n "$missing" ] || exit 0

fail() { echo "knuckle: error: $*" >&2; exit 1; }

command -v apt-get >/dev/null ||
    fail "not installed: $missing (Debian's names); this machine has no apt-get, install them by hand and run make again"
if [ "$(id -u)" = 0 ]; then as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root='sudo -n'
else fail "not installed: $missing; run as root: apt-get install $missing"
fi

echo "  APT $missing"
log=$(mktemp) && trap 'rm -f "$log"' EXIT
apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1
}
# One broken source among the machine's own need not matter: the install decides.
apt update || :
if ! apt install --no-install-recommends $missing; then
    grep '^[EW]:' "$log" | tail -n 3 >&2 || :
    fail "apt-get could not install $missing; see the lines above, or install them by hand and run make again"
fi
