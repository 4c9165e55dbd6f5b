#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Fetch, verify and unpack the third-party sources named in pins.list.
#
#   third_party/fetch.sh [-o OUTDIR] [NAME...]   fetch + verify + unpack (default: all)
#   third_party/fetch.sh --download [NAME...]    only fill the cache
#   third_party/fetch.sh --check                 ask the archive for every pin, both tiers
#   third_party/fetch.sh --bundle FILE           one tar with every cached artefact
#
# The archive's address is never written down: apt is asked which archive this
# machine uses, and apt's own downloader (so its proxies, certificates and
# credentials apply) fetches paths below it.  Nothing needs root, no apt state
# is read or written, `apt-get update` need not have run.
#
# Every failure ends with one line, `knuckle: error: what happened; what to do`.
#
# Environment
#   DEPS_CACHE   writable download cache          (default OUTDIR/cache)
#   DEPS_SEED    colon-separated read-only folders (or bundle .tar files) looked in first
#   DEPS_MIRROR  blank-separated archive roots, used instead of asking apt
#   DEPS_OFFLINE 1 = never touch the network
#   DEPS_TIER    1 = use the tier-1 stand-in where there is one
#   DEPS_TIER_x  the same for the one library x
set -eu
LC_ALL=C; export LC_ALL
unset CDPATH
here=$(cd -- "$(dirname -- "$0")" && pwd)
pins=${DEPS_PINS:-$here/pins.list}
out=build/third_party mode=all bundle='' names=''

say()   { printf '  %s\n' "$*"; }
die()   { printf 'knuckle: error: %s\n' "$*" >&2; exit 1; }
scrub() { sed -E 's#[a-z+]+://[^/ ]*#<archive>#g; s/\[IP: [^]]*\]//g'; }
# A step on the local disk failed: say whether that is because the disk is full.
full() { # FOLDER
  room=$(df -Pk "$1" 2>/dev/null | awk 'NR == 2 { print $4 }')
  [ "${room:-4096}" -lt 1024 ] || grep -qsE 'No space left|Failed writing' "${tmp:-/nowhere}/log"
}
broken() { # WHAT [FOLDER]
  if full "${2:-$out}"; then die "$1: the disk of ${2:-$out} is full; free 400 MB there and run make again"; fi
  why=$(grep -v 'exiting now' "${tmp:-/nowhere}/log" 2>/dev/null | tail -n 1)
  die "$1${why:+ ($why)}; check the permissions of ${2:-$out}, or remove it and run make again"
}

while [ $# -gt 0 ]; do
  case $1 in
    -o) out=$2; shift ;;
    --download) mode=download ;;
    --check) mode=check ;;
    --bundle) mode=bundle bundle=$2; shift ;;
    -h|--help) sed -n '3,26s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) die "fetch.sh: unknown option $1; see fetch.sh --help" ;;
    *) names="$names $1" ;;
  esac; shift
done
tmp=''
mkdir -p "$out/src" 2>/dev/null || broken "cannot make the folder $out/src"
out=$(cd -- "$out" && pwd)
cache=${DEPS_CACHE:-$out/cache}
mkdir -p "$cache" 2>/dev/null || broken "cannot make the folder $cache" "$cache"
cache=$(cd -- "$cache" && pwd)
tmp=$(mktemp -d "$out/tmp.XXXXXX" 2>/dev/null) || broken "cannot write below $out"
trap 'rm -rf "$tmp" ${bundle:+"$bundle.part"}' EXIT; trap 'exit 130' INT TERM

sha()   { sha256sum <"$1" | cut -d' ' -f1; }
good()  { [ -f "$1" ] && [ "$(sha "$1")" = "$2" ]; }
want()  { [ -z "$names" ] && return 0; case " $names " in *" $1 "*) return 0;; esac; return 1; }
tier_of() { # NAME -> 0 or 1
  v=DEPS_TIER_$(printf %s "$1" | tr -c 'A-Za-z0-9' _)
  eval "t=\${$v:-${DEPS_TIER:-0}}"
  case $t in 0|1) echo "$t" ;; *) die "$v (or DEPS_TIER) is '$t'; set it to 0 or 1" ;; esac
}

# Archive roots, most likely first.  --no-release-info: works before any update.
roots() {
  if [ -n "${DEPS_MIRROR:-}" ]; then printf '%s\n' $DEPS_MIRROR; return; fi
  command -v apt-get >/dev/null || return 0
  { apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 2>/dev/null || :
    apt-get indextargets --no-release-info --format '$(REPO_URI)' 2>/dev/null || :; } |
    awk 'NF && !s[$0]++' | awk '/security/{k[++n]=$0;next}{print}END{for(i=1;i<=n;i++)print k[i]}'
}

get() { # URL DEST SHA -> 0 ok; appends to the log
  if [ -x /usr/lib/apt/apt-helper ]; then
    (cd "$tmp" && /usr/lib/apt/apt-helper -o APT::Sandbox::User="$(id -un)" \
       download-file "$1" "$2" "SHA256:$3") >>"$tmp/log" 2>&1
  elif command -v curl >/dev/null; then curl -fsSL --retry 2 -o "$2" "$1" >>"$tmp/log" 2>&1
  elif command -v wget >/dev/null; then wget -nv -O "$2" "$1" >>"$tmp/log" 2>&1
  else die "no apt-helper, curl or wget to download with; install curl, or set DEPS_SEED to a folder or bundle with the files"; fi
}

seeded() { # BASENAME SHA DEST
  oldifs=$IFS; IFS=:
  for d in ${DEPS_SEED:-}; do
    IFS=$oldifs
    [ -e "$d" ] || die "DEPS_SEED names $d, which is not there; give a folder or a deps-bundle.tar"
    if [ -d "$d" ] && good "$d/$1" "$2"; then cp -- "$d/$1" "$3" 2>"$tmp/log" || broken "cannot copy $1"; return 0; fi
    if [ -f "$d" ]; then
      tar -xOf "$d" "$1" >"$3" 2>"$tmp/log" && good "$3" "$2" && return 0
      if full "$cache"; then broken "cannot copy $1" "$cache"; fi
    fi
    rm -f "$3"; IFS=:
  done; IFS=$oldifs; return 1
}

# Sets FILE.  When it fails, CAUSE says why: offline, changed, gone, network.
ROOTS= ; ROOTS_DONE=0
fetch1() { # NAME VERSION BYTES SHA PATHS -> 0 ok
  FILE=$cache/${5##*/} CAUSE=
  : >"$tmp/log" || broken "cannot write below $out"
  good "$FILE" "$4" && return 0
  [ -f "$FILE" ] && { say "GET $1: the cached file has the wrong hash, fetching again"; rm -f "$FILE"; }
  if seeded "${FILE##*/}" "$4" "$FILE.part"; then mv "$FILE.part" "$FILE"; return 0; fi
  if [ "${DEPS_OFFLINE:-0}" = 1 ]; then CAUSE=offline; return 1; fi
  if [ $ROOTS_DONE = 0 ]; then ROOTS=$(roots); ROOTS_DONE=1; [ -n "$ROOTS" ] || die "apt names no archive on this machine; set DEPS_MIRROR to a Debian archive root, or DEPS_SEED to a folder or bundle with the files"; fi
  : >"$tmp/log"; CAUSE=gone
  for p in $(echo "$5" | tr , ' '); do
    e=$(printf %s "$p" | sed 's/+/%2b/g; s/~/%7e/g')
    for r in $ROOTS; do
      rm -f "$FILE.part"
      : >"$tmp/log"
      if get "${r%/}/$e" "$FILE.part" "$4"; then
        good "$FILE.part" "$4" && { mv "$FILE.part" "$FILE"; return 0; }
        echo 'Hash Sum mismatch' >"$tmp/log"
      fi
      if full "$cache"; then broken "cannot download $1" "$cache"; fi
      rm -f "$FILE.part" "$FILE.part.FAILED"
      if grep -qi mismatch "$tmp/log"; then CAUSE=changed; return 1; fi
      grep -qiE '404|not found|no such file' "$tmp/log" || { CAUSE=network; cp "$tmp/log" "$tmp/netlog"; }
    done
  done
  return 1
}

refuse() { # NAME VERSION TIER: one line on why fetch1 failed, and the ways out
  f=${FILE##*/}
  case $CAUSE in
    offline) die "cannot get $1 $2: DEPS_OFFLINE=1 and $f is in neither the cache nor DEPS_SEED; set DEPS_SEED to a folder or a deps-bundle.tar that has it, or unset DEPS_OFFLINE" ;;
    changed) die "cannot get $1 $2: the archive served $f with a SHA-256 other than the pinned one, refused; use the bundle published with the release (DEPS_SEED=deps-bundle.tar) or another archive (DEPS_MIRROR)" ;;
    network) die "cannot get $1 $2: the archive cannot be reached ($(grep -v 'Download Failed' "$tmp/netlog" | grep -iE 'resolv|connect|timed|refused|curl|wget' | scrub | sed -E "s/^.*(Could not)/\1/; s/(resolve|connect to) [^ ]*/\1 it/" | tail -n 1)); check the network and apt's proxy settings, or set DEPS_SEED to a folder or a deps-bundle.tar" ;;
    *)
      [ "$3" = 0 ] && standin=$(awk -v n="$1" '$1==1&&$2==n&&($4=="tar"||$4=="deb"){printf " or build with %s %s (DEPS_TIER_%s=1)",n,$3,n}' "$pins") || standin=
      die "cannot get $1 $2: the archive no longer has $f; use the bundle published with the release (DEPS_SEED=deps-bundle.tar),${standin:+$standin,} or move the pin (third_party/find-pins.sh $1 lists what there is)" ;;
  esac
}

# Unpacked files get the present time, so that objects built from an earlier
# version of a library are older than they are and make rebuilds them.
unpack() { # NAME VERSION KIND FILE SHA EXTRA
  d=$out/src/$1; stamp=$out/src/.$1.stamp
  case $3 in
    tar|deb)
      rm -rf "$d" "$d.new" "$stamp"; mkdir -p "$d.new"
      if [ "$3" = deb ]; then
        data=$(ar t "$4" | grep '^data\.tar')
        ar p "$4" "$data" >"$tmp/$data" 2>"$tmp/log" && tar -xmf "$tmp/$data" -C "$d.new" --no-same-owner 2>"$tmp/log"
      elif [ -n "$6" ]; then
        top=$(tar -tf "$4" | sed -n '1s#/.*##p')
        tar -xmf "$4" -C "$d.new" --no-same-owner --strip-components=$(( $(printf %s "$6" | tr -cd / | wc -c) + 2 )) "$top/$6" 2>"$tmp/log"
      else tar -xmf "$4" -C "$d.new" --no-same-owner --strip-components=1 2>"$tmp/log"; fi ||
        { rm -rf "$d.new"; broken "cannot unpack ${4##*/}"; }
      mv "$d.new" "$d" ;;
    dpatch)
      rm -rf "$tmp/dp"; mkdir "$tmp/dp"
      tar -xf "$4" -C "$tmp/dp" debian/patches 2>"$tmp/log" || broken "cannot unpack ${4##*/}"
      for p in $(echo "$6" | tr , ' '); do
        patch -s -f -p1 -d "$d" <"$tmp/dp/debian/patches/$p" >"$tmp/log" 2>&1 ||
          { rm -rf "$d"; broken "the patch $p does not apply to $1"; }
      done ;;
    *) die "pins.list: unknown kind $3 for $1; use tar, deb or dpatch" ;;
  esac
}

rows() { # TIER-FILTERED rows for the libraries asked for
  grep -v '^#' "$pins" | while read -r tier name ver kind bytes hash paths extra; do
    [ -n "$tier" ] || continue
    want "$name" || continue
    t=$(tier_of "$name") || exit 1
    [ "$t" = 1 ] && ! awk -v n="$name" '$1==1&&$2==n{f=1}END{exit !f}' "$pins" && t=0
    [ "$tier" = "$t" ] || continue
    printf '%s %s %s %s %s %s %s %s\n' "$tier" "$name" "$ver" "$kind" "$bytes" "$hash" "$paths" "${extra:-}"
  done
}

[ -r "$pins" ] || die "cannot read $pins; restore it from the repository"
if [ $mode = check ]; then
  cache=$tmp/cache; mkdir "$cache"; bad=''
  grep -v '^#' "$pins" >"$tmp/rows"
  while read -r tier name ver kind bytes hash paths extra; do
    [ -n "$tier" ] || continue
    want "$name" || continue
    if fetch1 "$name" "$ver" "$bytes" "$hash" "$paths"; then s=ok; else s=$CAUSE; [ "$tier" = 1 ] || bad="$bad $name"; fi
    rm -f "$FILE"; say "tier $tier  $(printf '%-12s %-22s' "$name" "$ver") $s"
  done <"$tmp/rows"
  [ -z "$bad" ] || die "the archive no longer serves the pins of$bad; keep the bundle, and move the pins (third_party/find-pins.sh)"
  exit 0
fi

{ : >"$out/.lock"; } 2>/dev/null || broken "cannot write below $out"
exec 9>"$out/.lock"; command -v flock >/dev/null && flock 9
rows >"$tmp/rows" || exit 1
for n in ${names:-$(awk '!/^#/&&NF{print $2}' "$pins" | sort -u)}; do
  awk -v n="$n" '$2==n{f=1}END{exit !f}' "$tmp/rows" || die "pins.list has no usable line for $n; restore it, or correct the name"
done
# What src/NAME must look like: the concatenated hashes and patch lists of its rows.
ids() { awk -v n="$1" '$2==n{printf "%s:%s;",$6,$8}' "$tmp/rows"; }
while read -r tier name ver kind bytes hash paths extra; do
  stamp=$out/src/.$name.stamp
  if [ $mode = all ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(ids "$name")" ]; then continue; fi
  fetch1 "$name" "$ver" "$bytes" "$hash" "$paths" || refuse "$name" "$ver" "$tier"
  [ $mode = all ] || continue
  unpack "$name" "$ver" "$kind" "$FILE" "$hash" "${extra:-}"
  if [ "$kind" = dpatch ]; then say "GET $name: applied ${extra:-nothing}"; else say "GET $name $ver"; fi
  # the stamp is written by the last row of this library
  if [ "$(awk -v n="$name" '$2==n{l=$6}END{print l}' "$tmp/rows")" = "$hash" ]; then
    ids "$name" >"$tmp/stamp" 2>/dev/null && mv "$tmp/stamp" "$stamp" || broken "cannot write below $out"
  fi
done <"$tmp/rows"
if [ $mode = bundle ]; then
  awk '{n=split($7,a,",");m=split(a[n],b,"/");print b[m]}' "$tmp/rows" | sort -u >"$tmp/list"
  tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$cache" -cf - -T "$tmp/list" 2>"$tmp/log" >"$bundle.part" && mv "$bundle.part" "$bundle" ||
    broken "cannot write $bundle" "$(dirname -- "$bundle")"
  say "wrote $bundle"
fi
