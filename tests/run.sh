#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs one Catch2 binary for the Makefile:  tests/run.sh RESULT BINARY [TEST-SPEC]
#
# Prints one line, or everything when something failed, and leaves "passed failed" (test cases) in
# RESULT.  The exit status is 0 either way: tests/sum.sh judges, after all have run.
set -u
limit_s=600 # a test that hangs is a test that fails
result=$1 binary=$2 name=${1##*/check-}
shift 2
mkdir -p "${result%/*}"
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
timeout -k 10 "$limit_s" "$binary" --reporter console::out="$result.log" --reporter xml::out="$result.xml" --allow-running-no-tests "$@" \
    >"$result.out" 2>&1 </dev/null
status=$?

# The last line of Catch2's summary; without it the binary died on the way.
counts=$(sed -n 's/.*<OverallResultsCases successes="\([0-9]*\)" failures="\([0-9]*\)".*/\1 \2/p' "$result.xml" 2>/dev/null | tail -n 1)
how="exit status $status"
if [ -z "$counts" ]; then
    counts="0 1" how="ended before its summary, $how"
elif [ $status -ne 0 ] && [ "${counts#* }" = 0 ]; then
    counts="${counts% *} 1" # a sanitizer's complaint at exit
fi
[ $status -ne 124 ] || how="stopped, still running after $limit_s s"
if [ "${counts#* }" = 0 ]; then
    echo "  PASS $name: ${counts% *}"
else
    cat "$result.log" "$result.out" 2>/dev/null
    echo "  FAIL $name: ${counts#* } failed, ${counts% *} passed, $how; again: $binary $*"
fi
echo "$counts" >"$result"
